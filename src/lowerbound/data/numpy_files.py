"""NumPy's own files: `.npy`, gzip'd or not, and `.npz`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from lowerbound.data.arrays import from_array
from lowerbound.data.dataset import Dataset
from lowerbound.data.streams import check_end, damaged, opened, reading
from lowerbound.errors import UserError

T = TypeVar("T")

_DATA = ("x", "X", "data", "images", "values", "samples", "features")
_LABELS = ("y", "Y", "labels", "label", "targets", "target")


def read_npy(path: Path) -> np.ndarray:
    """The array in a `.npy` file, gzip'd or not, read without a second copy.

    Raises:
        UserError: It cannot be read, is truncated or longer than it says, or holds Python objects.
    """
    with opened(path) as stream:
        values = _checked(lambda: np.lib.format.read_array(stream, allow_pickle=False), path)
        check_end(stream, path)
    return values


def open_npz(path: Path) -> Dataset:
    """The data in a `.npz` archive: its only array, or the one that is named as data are, with its labels.

    Raises:
        UserError: It cannot be read, is truncated, holds Python objects, or says not which of its arrays is the data.
    """
    with reading(path), _checked(lambda: np.load(path, allow_pickle=False), path) as archive:
        names = [name.removesuffix(".npy") for name in archive.zip.namelist() if name.endswith(".npy")]
        labels = [name for name in names if name in _LABELS]
        rest = [name for name in names if name not in labels]
        data = rest if len(rest) == 1 else [name for name in rest if name in _DATA]
        if not names:
            raise UserError(f"{path} is an archive without arrays (.npy): write one with numpy.savez.")
        if len(data) != 1 or len(labels) > 1:
            raise UserError(
                f"{path} has the arrays {', '.join(names)}, and it is not clear which one is the data: name the data x "
                "and its labels, if there are any, y."
            )
        values = _checked(lambda: archive[data[0]], path)
        return from_array(values, str(path), labels=_checked(lambda: archive[labels[0]], path) if labels else None)


def _checked(read: Callable[[], T], path: Path) -> T:
    try:
        return read()
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise UserError(
                f"{path} holds Python objects, which are not read since they can run code: save an array of numbers."
            ) from None
        raise damaged(path) from error
    except (KeyError, NotImplementedError, RuntimeError) as error:  # what zipfile has for strange or encrypted archives
        raise damaged(path) from error

"""NumPy's own files: `.npy`, gzip'd or not, and `.npz`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from lowerbound.data import rows
from lowerbound.data.arrays import from_array
from lowerbound.data.dataset import Dataset
from lowerbound.data.rows import FileRows, Values
from lowerbound.data.spool import Made, kept
from lowerbound.data.streams import check_end, damaged, opened, reading
from lowerbound.errors import UserError

T = TypeVar("T")

# Bytes of a block of rows, where rows are put together from columns.
_BLOCK_BYTES = 1 << 26

_DATA = ("x", "X", "data", "images", "values", "samples", "features")
_LABELS = ("y", "Y", "labels", "label", "targets", "target")


def open_npy(path: Path, *, packed: bool) -> Values:
    """The array in a `.npy` file: read, or where it is large, left there.

    Args:
        path: The file.
        packed: Whether it is gzip'd, so that all of it has to be read.

    Raises:
        UserError: It cannot be read, is truncated or longer than it says, or holds Python objects.
    """
    with reading(path):
        if packed or path.stat().st_size <= rows.IN_MEMORY:
            return read_npy(path)
        with path.open("rb") as file:
            header = _checked(lambda: _header(file), path)
            offset = file.tell()
    shape, by_columns, dtype = header or ((), False, np.dtype(object))
    if dtype.kind not in "buif" or len(shape) < 2 or 0 in shape:
        return read_npy(path)  # it is refused for what it holds
    if not by_columns:
        return FileRows.of(path, offset, dtype, shape)
    # A row of such an array is all over the file.
    made = kept([path], path, lambda: Made(_by_rows(path, offset, dtype, shape), shape, dtype))
    return open_npy(made, packed=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype] | None:
    """Shape, whether the first axis varies fastest, and type; None in a version that holds no plain numbers."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    return None if read is None else read(file)


def _by_rows(path: Path, offset: int, dtype: np.dtype, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The rows of an array that lies in its file column by column, a block at a time."""
    count, columns = shape[0], math.prod(shape[1:])
    size = max(1, _BLOCK_BYTES // (columns * dtype.itemsize))
    with reading(path), path.open("rb") as file:
        for start in range(0, count, size):
            block = np.empty((columns, min(size, count - start)), dtype)
            for number, column in enumerate(block):
                file.seek(offset + (number * count + start) * dtype.itemsize)
                if file.readinto(column.view(np.uint8).data) < column.nbytes:
                    raise damaged(path)
            yield block.T.reshape(-1, *shape[1:], order="F")


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

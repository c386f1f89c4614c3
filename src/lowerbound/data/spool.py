"""Rows that are made a block at a time and are too many for memory: they are written to a file, and read from there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lowerbound.data import rows as limits
from lowerbound.data.downloads import cache_directory
from lowerbound.data.rows import FileRows, Values
from lowerbound.data.streams import reading
from lowerbound.errors import UserError
from lowerbound.files import write_npy

# Seconds after which a file that nobody has finished belongs to nobody.
_FORSAKEN = 86_400


class Made(NamedTuple):
    """Rows that are made a block at a time."""

    blocks: Iterable[np.ndarray]
    shape: tuple[int, ...]
    """Of all of them, [N, …]."""
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return math.prod(self.shape) * self.dtype.itemsize


def collected(made: Made) -> Values:
    """The rows as an array, or where that were too large, in a temporary file that is gone when they are.

    Raises:
        UserError: The file cannot be written.
    """
    if made.nbytes <= limits.IN_MEMORY:
        values, start = np.empty(made.shape, made.dtype), 0
        for block in made.blocks:
            values[start : start + len(block)] = block
            start += len(block)
        return values
    with _writing(Path(tempfile.gettempdir())):
        file = tempfile.TemporaryFile()  # noqa: SIM115 — its rows keep it open
        for block in made.blocks:
            file.write(np.ascontiguousarray(block, made.dtype).data)
        file.flush()
    return FileRows.of_temporary(file, made.dtype, made.shape)


def kept(files: Sequence[Path], source: Path, make: Callable[[], Made]) -> Path:
    """A `.npy` of rows that are made from a source, in the user's cache; it is written if it is not there yet.

    It takes its name when it is whole, so that a half-written one is never used. What was made of an earlier state of
    the source is removed, and so is what an interruption left.

    Args:
        files: What the rows are made from; a file is taken for unchanged if its size and its time are what they were.
        source: The file, or the folder of them.
        make: What gives the rows.

    Raises:
        UserError: It cannot be written.
    """
    folder = cache_directory() / "tables"
    name = _digest(str(source.resolve()))
    with reading(source):
        states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    path = folder / f"{name}-{_digest(repr(states))}.npy"
    if path.is_file():
        return path
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob(f"{name}-*.npy"), *folder.glob("*.partial")):
            with contextlib.suppress(OSError):  # another process may have been quicker
                if old.suffix == ".npy" or time.time() - old.stat().st_mtime > _FORSAKEN:
                    old.unlink()
        # Under a name of its own, for another process may be writing the same rows.
        descriptor, partial = tempfile.mkstemp(".partial", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                made = make()
                write_npy(file, made.shape, made.dtype, made.blocks)
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    return path


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        variable = "XDG_CACHE_HOME" if place.name == "tables" else "TMPDIR"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise UserError(
            f"Data that is too large for memory cannot be written to {place} ({error.strerror or error}): "
            f"{'free some space' if full else 'see to its permissions'}, or let {variable} name another place."
        ) from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

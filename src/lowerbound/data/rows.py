"""Rows that stay in a file: data larger than memory, of which a few rows at a time are read.

They are read, not mapped: the pages of a mapped file count as the memory of whoever looks at them.
"""

from __future__ import annotations

import math
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from lowerbound.data.streams import damaged, reading

# Bytes of data up to which it lies in memory as a whole.
IN_MEMORY = 1 << 28
# Rows that are looked at together, and how many bytes they may have, as float32, where they are read for that.
_BLOCK, _BLOCK_BYTES = 4096, 1 << 24


class _File:
    """A file that is read at any place, by one thread at a time."""

    def __init__(self, path: Path, whole: FileIO, scattered: FileIO) -> None:
        self.path, self.lock = path, threading.Lock()
        self.whole, self.scattered = whole, scattered
        # For single rows here and there, reading on beyond each of them would be in vain.
        _advise(scattered, 0, 0, "POSIX_FADV_RANDOM")

    def read(self, out: memoryview, position: int, file: FileIO) -> None:
        """Fill a buffer from a position on."""
        file.seek(position)
        done = 0
        while done < len(out):  # the system reads no more than 2 GiB at once
            count = file.readinto(out[done:])
            if not count:
                raise damaged(self.path)
            done += count


class _Survey(NamedTuple):
    """What one pass over all values finds."""

    low: Any
    high: Any
    odd: tuple[int, ...]
    """Rows with values that are not finite."""


class FileRows:
    """Rows one after the other in a file. They are an array to whoever looks at them, and are read at each look.

    An index, of one row, a slice of rows or row numbers, gives an array in memory; `part` gives rows that are not read.

    Args:
        file: The file.
        offset: Bytes before the first row.
        dtype: Of the values in the file.
        shape: Of all rows in the file, [N, …].
        form: From some rows as they lie in the file to as they are seen; None: as they are.
        which: The rows of the file that these are; None: all.
    """

    def __init__(
        self,
        file: _File,
        offset: int,
        dtype: np.dtype,
        shape: tuple[int, ...],
        *,
        form: Callable[[np.ndarray], np.ndarray] | None = None,
        which: Int[np.ndarray, " N"] | None = None,
    ) -> None:
        self._file, self._offset, self._stored, self._stored_shape = file, offset, dtype, shape
        self._form, self._which = form or (lambda rows: rows), which
        like = self._form(np.zeros((1, *shape[1:]), dtype))
        self.dtype: np.dtype = like.dtype
        self.shape: tuple[int, ...] = (shape[0] if which is None else len(which), *like.shape[1:])

    @classmethod
    def of(cls, path: Path, offset: int, dtype: np.dtype, shape: tuple[int, ...]) -> FileRows:
        """The rows of a file that there is.

        Raises:
            UserError: It cannot be read, or has not as many bytes as that.
        """
        with reading(path):
            if path.stat().st_size != offset + math.prod(shape) * dtype.itemsize:
                raise damaged(path)
            return cls(_File(path, *(FileIO(path) for _ in range(2))), offset, dtype, shape)

    @classmethod
    def of_map(cls, values: np.memmap) -> FileRows | None:
        """The rows of a mapped file, which are then read and not mapped; None where they are a part of such a map.

        Raises:
            UserError: The file cannot be read any more.
        """
        if values.filename is None or not isinstance(values.base, mmap.mmap) or not values.flags.c_contiguous:
            return None
        path = Path(values.filename)
        with reading(path):
            return cls(_File(path, *(FileIO(path) for _ in range(2))), values.offset, values.dtype, values.shape)

    @classmethod
    def of_temporary(cls, file: IO[bytes], dtype: np.dtype, shape: tuple[int, ...]) -> FileRows:
        """The rows of an open file without a name, which is gone when they are."""
        own = FileIO(os.dup(file.fileno()))
        file.close()
        return cls(_File(Path("The temporary file"), own, own), 0, dtype, shape)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all of it would take in memory."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, key: int | slice | Int[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
        """Read some rows; their numbers are counted from 0, and may be in an array of any shape.

        Raises:
            UserError: The file cannot be read any more, or has been cut.
        """
        if isinstance(key, int | np.integer):
            return self[np.array([range(len(self))[key]])][0]
        numbers = self._numbers(key)
        read = self._form(self._read(numbers.ravel()))
        return read if numbers.ndim == 1 else read.reshape(*numbers.shape, *read.shape[1:])

    def part(self, key: slice | Int[np.ndarray, " n"]) -> FileRows:
        """Some of the rows, which are not read."""
        return FileRows(
            self._file, self._offset, self._stored, self._stored_shape, form=self._form, which=self._numbers(key)
        )

    def mapped(self, form: Callable[[np.ndarray], np.ndarray]) -> FileRows:
        """The same rows, each time they are read put into another form [n, …]."""
        before = self._form
        return FileRows(
            self._file,
            self._offset,
            self._stored,
            self._stored_shape,
            form=lambda rows: form(before(rows)),
            which=self._which,
        )

    def min(self) -> Any:
        """The least value."""
        return self._survey.low

    def max(self) -> Any:
        """The largest value."""
        return self._survey.high

    @property
    def odd(self) -> tuple[int, ...]:
        """The rows with values that are not finite."""
        return self._survey.odd

    @cached_property
    def _survey(self) -> _Survey:
        lows, highs, odd, start = [], [], [], 0
        for rows in blocks(self):
            lows.append(rows.min())
            highs.append(rows.max())
            if rows.dtype.kind == "f" and not math.isfinite(lows[-1] - highs[-1]):
                flat = rows.reshape(len(rows), -1)
                odd += (start + np.flatnonzero(~np.isfinite(flat).all(1))).tolist()
            start += len(rows)
        return _Survey(np.min(lows), np.max(highs), tuple(odd))

    def _numbers(self, key: slice | np.ndarray) -> np.ndarray:
        """Which rows of the file are meant."""
        if self._which is not None:
            return self._which[key]
        return np.arange(*key.indices(len(self))) if isinstance(key, slice) else key

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        """Rows as they lie in the file."""
        count, width = len(numbers), math.prod(self._stored_shape[1:]) * self._stored.itemsize
        if count == 0 or width == 0:
            return np.empty((count, *self._stored_shape[1:]), self._stored)
        first, last = int(numbers[0]), int(numbers[-1])
        span = last - first + 1
        # Where most rows of a stretch are wanted, all of it is read at once.
        at_once = count <= span < 2 * count and bool((np.diff(numbers) > 0).all())
        out = np.empty((span if at_once else count, *self._stored_shape[1:]), self._stored)
        flat, file = out.reshape(-1).view(np.uint8).data, self._file
        with reading(file.path), file.lock:
            if at_once:
                file.read(flat, self._offset + first * width, file.whole)
            else:
                positions = (self._offset + numbers.astype(np.int64) * width).tolist()
                # The disk is told of all of them first, since it does many things at once.
                for position in positions:
                    _advise(file.scattered, position, width, "POSIX_FADV_WILLNEED")
                for start, position in zip(range(0, count * width, width), positions, strict=True):
                    file.read(flat[start : start + width], position, file.scattered)
        return out[numbers - first] if at_once and span > count else out


Values = np.ndarray | FileRows
"""The rows of a dataset, in memory or in a file."""


def rows_at_once(values: Values) -> int:
    """How many rows to look at together, so that nothing as large as the data is made."""
    if isinstance(values, np.ndarray):
        return _BLOCK
    return max(1, min(_BLOCK, _BLOCK_BYTES // (4 * max(1, math.prod(values.shape[1:])))))


def blocks(values: Values) -> Iterator[np.ndarray]:
    """All rows, a few at a time."""
    size = rows_at_once(values)
    for start in range(0, len(values), size):
        yield values[start : start + size]


def mapped(values: Values, form: Callable[[np.ndarray], np.ndarray]) -> Values:
    """Rows in another form: at once, or whenever they are read."""
    return form(values) if isinstance(values, np.ndarray) else values.mapped(form)


def part(values: Values, key: slice | Int[np.ndarray, " n"]) -> Values:
    """Some rows; of those in a file none is read."""
    return values[key] if isinstance(values, np.ndarray) else values.part(key)


def _advise(file: FileIO, position: int, length: int, advice: str) -> None:
    """Tell the system what will be read, where it listens."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), position, length, getattr(os, advice))

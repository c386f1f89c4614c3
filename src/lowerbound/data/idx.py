"""IDX, the format of MNIST: two zeros, a type, a number of dimensions, the dimensions, the values, all big-endian."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from lowerbound.data import rows
from lowerbound.data.rows import FileRows, Values
from lowerbound.data.streams import damaged, fill, opened
from lowerbound.errors import UserError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class Idx:
    """An open IDX file, of which the header has been read.

    Args:
        stream: At its beginning.
        path: For errors.

    Raises:
        UserError: Not IDX, or truncated.
    """

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        magic = stream.read(4)
        if not is_idx(magic):
            raise UserError(f"{path} is not an IDX file: it begins with the bytes {magic.hex(' ') or '(none)'}.")
        dimensions = stream.read(4 * magic[3])
        if len(dimensions) < 4 * magic[3]:
            raise damaged(path)
        self.dtype = np.dtype(_TYPES[magic[2]])
        self.shape = struct.unpack(f">{magic[3]}I", dimensions)
        self._stream, self._path = stream, path

    def fill(self, out: np.ndarray) -> None:
        """Read the values into a contiguous array of this type and shape.

        Raises:
            UserError: The file has fewer values, or more.
        """
        fill(out, self._stream, self._path)


@contextmanager
def opened_idx(path: Path) -> Iterator[Idx]:
    """An IDX file, gzip'd or not.

    Raises:
        UserError: It cannot be read, or is no IDX file.
    """
    with opened(path) as stream:
        yield Idx(stream, path)


def open_idx(path: Path, *, packed: bool) -> Values:
    """The array in an IDX file: read, or where it is large, left there.

    Args:
        path: The file.
        packed: Whether it is gzip'd, so that all of it has to be read.

    Raises:
        UserError: It cannot be read, is no IDX file, or its length is not what its header says.
    """
    if packed or path.stat().st_size <= rows.IN_MEMORY:
        return read_idx(path)
    with opened_idx(path) as idx:
        return FileRows.of(path, 4 + 4 * len(idx.shape), idx.dtype, idx.shape)


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzip'd or not.

    Raises:
        UserError: It cannot be read, is no IDX file, or its length is not what its header says.
    """
    with opened_idx(path) as idx:
        try:
            values = np.empty(idx.shape, idx.dtype)
        except ValueError:  # more than numpy can count
            raise damaged(path) from None
        idx.fill(values)
    return values


def is_idx(head: bytes) -> bool:
    """Whether a file that begins like this is an IDX file."""
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in _TYPES and 0 < head[3] <= 8


def header_of(values: np.ndarray) -> bytes:
    """The header of the IDX file that holds an array of bytes."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 0x08, values.ndim, *values.shape)

"""Files opened for reading, gzip'd or not, with the reason in one sentence where that fails."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from lowerbound.errors import UserError

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into a `UserError` that names it.

    Raises:
        UserError: The file cannot be read, is truncated or damaged, or does not fit into memory.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise damaged(path) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or one_line(error)}.") from error
    except MemoryError as error:
        raise UserError(f"{path} needs more memory than there is: take a part of it, or check its header.") from error


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed where it is gzip'd, whatever its name.

    Raises:
        UserError: As `reading`.
    """
    with reading(path), path.open("rb") as file:
        if file.peek(2)[:2] != _GZIP:
            yield file
        else:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # pyright: ignore[reportReturnType]


def peek(path: Path) -> tuple[bytes, bool]:
    """The first eight bytes of a file after decompression, and whether it is gzip'd.

    Raises:
        UserError: It cannot be read.
    """
    with reading(path), path.open("rb") as file:
        packed = file.read(2) == _GZIP
    with opened(path) as stream:
        return stream.read(8), packed


def fill(out: np.ndarray, stream: IO[bytes], path: Path) -> None:
    """Read the values of a contiguous array, which are the rest of a stream, straight into it.

    Raises:
        UserError: The stream has fewer bytes, or more.
    """
    flat = out.reshape(-1).view(np.uint8).data
    done = 0
    # In pieces: gzip would first decompress all that it is asked for into a copy.
    while done < len(flat):
        piece = stream.read(min(_PIECE, len(flat) - done))
        if not piece:
            raise damaged(path)
        flat[done : done + len(piece)] = piece
        done += len(piece)
    check_end(stream, path)


def check_end(stream: IO[bytes], path: Path) -> None:
    """Make sure that nothing follows, which is also when gzip compares its checksum.

    Raises:
        UserError: Something does.
    """
    if stream.read(1):
        raise UserError(f"{path} has more bytes than its header says: it is damaged, take another copy of it.")


def damaged(path: Path) -> UserError:
    """The error for a file that ends too early or makes no sense."""
    return UserError(f"{path} is truncated or damaged: take another copy of it.")


def one_line(said: object) -> str:
    """What another library or a file says, without its line breaks and its full stop."""
    return " ".join(str(said).split()).rstrip(".")

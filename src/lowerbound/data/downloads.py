"""Where the named data sets are looked for, and how they get there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pooch

from lowerbound.errors import UserError

VARIABLE = "LOWERBOUND_DATA"
_PATIENCE = 15  # seconds without an answer


def cache_directory() -> Path:
    """Where downloads go: the user's cache."""
    return Path(pooch.os_cache("lowerbound"))


def data_directory() -> Path:
    """The directory with one folder for each named data set: `LOWERBOUND_DATA`, else the user's cache."""
    return Path(os.environ[VARIABLE]).expanduser() if os.environ.get(VARIABLE) else cache_directory()


def find(folder: str, file: str) -> Path | None:
    """A file of a data set, in the data directory or the cache."""
    for directory in (data_directory(), cache_directory()):
        try:
            if (directory / folder / file).is_file():
                return directory / folder / file
        except OSError:  # a directory that may not be entered has nothing for us
            continue
    return None


def fetch(folder: str, file: str, sha256: str, mirrors: Sequence[str]) -> Path:
    """A file of a data set: found, or downloaded once into the cache.

    Args:
        folder: Of the data set.
        file: Its name, in the folder and at the mirrors.
        sha256: Of the file as the mirrors have it; what differs is thrown away.
        mirrors: Addresses of folders, tried one after the other.

    Raises:
        UserError: No mirror gave the right file; the sentence says where to put it by hand.
    """
    found = find(folder, file)
    if found is not None:
        return found
    download = pooch.HTTPDownloader(timeout=_PATIENCE)
    reasons = []
    for mirror in mirrors:
        try:
            path = pooch.retrieve(
                f"{mirror}/{file}",
                f"sha256:{sha256}",
                file,
                cache_directory() / folder,
                downloader=download,  # pyright: ignore[reportArgumentType]
            )
        except (OSError, ValueError) as error:
            reasons.append(f"{mirror}: {_reason(error)}")
        else:
            return Path(path)
    raise UserError(
        f"{file} of {folder} is neither in {data_directory()} nor could it be fetched ({', '.join(reasons)}): put it "
        f"into {data_directory() / folder}, or let the environment variable {VARIABLE} name the directory that has "
        f"{folder}/{file}."
    )


def _reason(error: OSError | ValueError) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    if isinstance(error, OSError):
        return error.strerror or "no connection"
    return "its checksum is wrong"

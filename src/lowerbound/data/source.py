"""A name or a path → a dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lowerbound.data.arrays import from_array, resized
from lowerbound.data.dataset import Dataset
from lowerbound.data.idx import is_idx, open_idx
from lowerbound.data.named import NAMES, open_named
from lowerbound.data.numpy_files import open_npy, open_npz
from lowerbound.data.streams import peek, reading
from lowerbound.errors import UserError
from lowerbound.names import unknown

_TEXT = (".csv", ".tsv", ".txt")
_BINARY = (".npy", ".npz", ".parquet")


def open_data(source: str | Path, *, resize: tuple[int, int] | None = None) -> Dataset:
    """Open whatever data there is under a name or a path.

    Args:
        source: A name that `datasets` lists, or the path of a `.npy`, `.npz`, IDX, `.csv` or `.parquet` file (`.npy`,
            IDX and `.csv` may be gzip'd), of a folder of images (with sub-folders as classes), or of a folder of
            Parquet files. A name comes first: a folder `mnist` is opened as `./mnist`.
        resize: Height and width that images are brought to.

    Raises:
        UserError: No such data, or data that cannot be read or learned from: one sentence that names the file.
    """
    if isinstance(source, str) and source in NAMES:
        dataset = open_named(source)
        return dataset if resize is None else resized(dataset, resize)
    path = Path(source).expanduser()
    with reading(path):
        there, is_folder = path.exists(), path.is_dir()
    if not there:
        raise _missing(source, path)
    if is_folder:
        from lowerbound.data.folder import open_folder

        dataset = open_folder(path, resize)
    else:
        dataset = _open_file(path)
        dataset = dataset if resize is None else resized(dataset, resize)
    # Until here it bears its path, for the errors.
    return replace(dataset, name=_stem(path))


def _open_file(path: Path) -> Dataset:
    """By its first bytes, and where they say nothing by its name."""
    head, packed = peek(path)
    name = path.name.lower().removesuffix(".gz")
    if not head:
        raise UserError(f"{path} is empty: there is nothing to learn from.")
    if packed and head.startswith((b"PK", b"PAR1")):
        raise UserError(f"{path} is a gzip'd archive: decompress it first, only .npy, IDX and .csv are read gzip'd.")
    if head.startswith(b"\x93NUMPY"):
        return from_array(open_npy(path, packed=packed), str(path))
    if head.startswith(b"PK"):
        return open_npz(path)
    if is_idx(head):
        return from_array(open_idx(path, packed=packed), str(path))
    if head.startswith(b"PAR1"):
        from lowerbound.data.parquet import open_parquet

        return open_parquet([path], path)
    if name.endswith(_TEXT):
        from lowerbound.data.tables import open_csv

        return open_csv(path)
    raise _no_data(path, name)


def _no_data(path: Path, name: str) -> UserError:
    from lowerbound.data.folder import IMAGES

    if name.endswith(tuple(IMAGES)):
        return UserError(f"{path} is one image: give the folder that holds all of them.")
    if name.endswith(_BINARY) or "-idx" in name or name.endswith(".idx"):
        return UserError(
            f"{path} is not what its name says, its first bytes are another format's: take another copy of it."
        )
    return UserError(
        f"{path} is nothing that can be read: give a .npy, .npz, IDX, .csv or .parquet file or a folder of images."
    )


def _missing(source: str | Path, path: Path) -> UserError:
    if isinstance(source, Path) or path.suffix or len(path.parts) != 1:
        return UserError(f"There is no file or folder {path}: check the path.")
    return unknown("data set, file or folder", source, NAMES)


def _stem(path: Path) -> str:
    """The name without its endings; a folder's whole name."""
    path = path.absolute()
    if path.is_dir():
        return path.resolve().name
    stem = path.name.removesuffix(".gz")
    known = (*_TEXT, *_BINARY, ".idx")
    return stem.removesuffix(Path(stem).suffix) if Path(stem).suffix.lower() in known else stem

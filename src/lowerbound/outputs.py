"""What the commands write: arrays to `.npz` and `.parquet`, by the ending of the path (the rest: see `figures`)."""

from __future__ import annotations

import itertools
import math
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from lowerbound.errors import UserError
from lowerbound.files import atomic_write, write_npy

if TYPE_CHECKING:  # `lowerbound --help` needs no numpy
    import numpy as np
    import pyarrow as pa

ARRAYS, PICTURES, ANIMATIONS = (".npz", ".parquet"), (".png",), (".gif", ".apng")

# Bytes of a group of rows in a Parquet file that is written in blocks.
_GROUP_BYTES = 1 << 24


def check_output(path: str | Path, endings: tuple[str, ...]) -> Path:
    """The path, if an output can be written to it: to be asked before a long computation, not after.

    Args:
        path: Where the output shall go.
        endings: What the path may end in.

    Raises:
        UserError: Another ending, or a place that cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        if path.suffix.lower() in PICTURES:
            raise UserError(f"{path}: this output is no picture, write it to {' or '.join(endings)}.")
        if path.suffix.lower() in ANIMATIONS:
            raise UserError(f"{path}: this output does not move, write it to {' or '.join(endings)}.")
        raise UserError(f"{path} must end in {' or '.join(endings)}: the ending says what is written.")
    if path.is_dir():
        raise UserError(f"{path} is a directory: give the path of a file.")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UserError(f"Cannot write {path} ({error.strerror}): choose another place.") from None
    return path


class Blocks(NamedTuple):
    """An array that is larger than memory, as it is made."""

    total: int
    """Rows of all of it."""
    parts: Iterable[np.ndarray]
    """Some rows after the other, at least one."""


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray | Blocks], columns: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Write arrays to one file, in the form that its ending names; nothing half-written is ever found there.

    In a Parquet file an array [N, D] becomes D columns, and one of more axes a column of lists.

    Args:
        path: Ends in one of `ARRAYS`.
        arrays: By name, each [N, …], one entry for each datum; one of them at most may be made in blocks.
        columns: Names of the columns of an array [N, D]; else they are its name and their number.

    Raises:
        UserError: It cannot be written.
    """
    with atomic_write(path) as file:
        (_write_npz if path.suffix.lower() == ".npz" else _write_parquet)(file, arrays, columns or {})


def _write_npz(file: BinaryIO, arrays: Mapping[str, np.ndarray | Blocks], _: Mapping[str, tuple[str, ...]]) -> None:
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            parts = iter(array.parts if isinstance(array, Blocks) else [array])
            first = next(parts)
            shape = (array.total if isinstance(array, Blocks) else len(array), *first.shape[1:])
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                write_npy(entry, shape, first.dtype, itertools.chain([first], parts))


def _write_parquet(
    file: BinaryIO, arrays: Mapping[str, np.ndarray | Blocks], columns: Mapping[str, tuple[str, ...]]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = (pa.table(_columns(some, columns)) for some in _together(arrays))
    first = next(tables)
    with pq.ParquetWriter(file, first.schema) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table)


def _together(arrays: Mapping[str, np.ndarray | Blocks]) -> Iterator[dict[str, np.ndarray]]:
    """The rows of all arrays, as many at a time as make a group of a Parquet file."""
    whole = {name: array for name, array in arrays.items() if not isinstance(array, Blocks)}
    made = {name: _gathered(array.parts) for name, array in arrays.items() if isinstance(array, Blocks)}
    if not made:
        yield whole
        return
    start = 0
    for parts in zip(*made.values(), strict=True):
        some = dict(zip(made, parts, strict=True))
        stop = start + len(parts[0])
        yield {name: some[name] if name in some else whole[name][start:stop] for name in arrays}
        start = stop


def _gathered(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Larger parts, each valid until the next: a Parquet file of many small groups of rows is slow to read."""
    import numpy as np

    group, filled = None, 0
    for part in parts:
        if group is None:
            rows = max(len(part), _GROUP_BYTES // max(1, part[0].nbytes))
            # Filled, not joined: small arrays that wait between large ones that go leave holes all over the memory.
            group = np.empty((rows, *part.shape[1:]), part.dtype)
        for start in range(0, len(part), len(group)):
            some = part[start : start + len(group)]
            if filled + len(some) > len(group):
                yield group[:filled]
                filled = 0
            group[filled : filled + len(some)] = some
            filled += len(some)
    if group is not None:
        yield group[:filled]


def _columns(arrays: Mapping[str, np.ndarray], columns: Mapping[str, tuple[str, ...]]) -> dict[str, pa.Array]:
    """The columns of a table."""
    import pyarrow as pa

    table: dict[str, pa.Array] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            table[name] = pa.array(array)
        elif array.ndim == 2:
            names = columns.get(name) or [f"{name}_{i}" for i in range(array.shape[1])]
            table |= {column: pa.array(values) for column, values in zip(names, array.T, strict=True)}
        else:
            table[name] = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), math.prod(array.shape[1:]))
    return table

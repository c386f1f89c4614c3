"""What the commands write: arrays to `.npz` and `.parquet`, by the ending of the path (the rest: see `figures`)."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lowerbound.errors import UserError
from lowerbound.files import atomic_write

if TYPE_CHECKING:  # `lowerbound --help` needs no numpy
    import numpy as np

ARRAYS, PICTURES, ANIMATIONS = (".npz", ".parquet"), (".png",), (".gif", ".apng")


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


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], columns: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Write arrays to one file, in the form that its ending names; nothing half-written is ever found there.

    In a Parquet file an array [N, D] becomes D columns, and one of more axes a column of lists.

    Args:
        path: Ends in one of `ARRAYS`.
        arrays: By name, each [N, …], one entry for each datum.
        columns: Names of the columns of an array [N, D]; else they are its name and their number.

    Raises:
        UserError: It cannot be written.
    """
    if path.suffix.lower() == ".npz":
        import numpy as np

        with atomic_write(path) as file:
            np.savez(file, allow_pickle=False, **arrays)  # pyright: ignore[reportArgumentType]
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    table: dict[str, pa.Array] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            table[name] = pa.array(array)
        elif array.ndim == 2:
            names = (columns or {}).get(name) or [f"{name}_{i}" for i in range(array.shape[1])]
            table |= {column: pa.array(values) for column, values in zip(names, array.T, strict=True)}
        else:
            table[name] = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), math.prod(array.shape[1:]))
    with atomic_write(path) as file:
        pq.write_table(pa.table(table), file)

"""Tables in Parquet files, each row a vector of numbers, of which never more is in memory than fits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lowerbound.data import rows
from lowerbound.data.arrays import maximum_of
from lowerbound.data.dataset import Dataset, narrow
from lowerbound.data.numpy_files import open_npy
from lowerbound.data.rows import Values
from lowerbound.data.spool import Made, collected, kept
from lowerbound.data.streams import damaged, reading
from lowerbound.data.tables import as_numbers, check_type, column_name, no_entries
from lowerbound.errors import UserError

# Bytes that are read ahead of each column, that a page of one is at most, most often, and that all of them may take.
_BUFFER, _PAGE, _PAGES = 1 << 16, 3 << 20, 1 << 27
# Rows, and numbers, of a block.
_ROWS, _NUMBERS = 1 << 16, 1 << 22


class _Fraction(Exception):
    """Not all values are whole numbers from 0 to 255."""


class _Table(NamedTuple):
    files: Sequence[Path]
    source: Path
    names: tuple[str, ...]
    """Of all columns."""
    total: int
    """Rows of all files."""
    left_out: int | None
    """The position of a column of row numbers."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that hold data."""
        return tuple(name for position, name in enumerate(self.names) if position != self.left_out)

    def made(self, dtype: np.dtype) -> Made:
        """The rows as values of a type, a block at a time."""
        return Made(_blocks(self, dtype), (self.total, len(self.columns)), dtype)


def open_parquet(files: Sequence[Path], source: Path) -> Dataset:
    """Parquet files of the same columns, one after the other.

    A table that is too large for memory is written once to a file of rows, in the user's cache.

    Args:
        files: The file, or those of a folder in their order.
        source: The file or the folder.

    Raises:
        UserError: One cannot be read, their columns differ, a column is not of numbers, or entries are missing.
    """
    table = _opened(files, source)
    notes = [
        f"{'A Parquet file' if len(files) == 1 else f'A folder of {len(files):,} Parquet files'} is read as a table."
    ]
    if table.left_out is not None:
        notes.append("A column of row numbers, as pandas writes it, is left out.")
    try:
        values, note = _values(table, np.dtype(np.uint8))
    except _Fraction:
        values, note = _values(table, np.dtype(np.float32))
    return Dataset(
        str(source), "vector", values, maximum_of(values, "vector"), columns=table.columns, notes=(*notes, *note)
    )


def _opened(files: Sequence[Path], source: Path) -> _Table:
    """What the files say before their rows are read."""
    names, count = None, 0
    for path in files:
        with _reading(path) as file:
            schema: pa.Schema = file.schema_arrow
            names = tuple(schema.names) if names is None else names
            if tuple(schema.names) != names:
                raise UserError(
                    f"{path} has other columns than {files[0]}: only files of the same columns make one table."
                )
            for position, field in enumerate(schema):
                if not (position == 0 and field.name == "") and not field.name.startswith("__index_level_"):
                    check_type(field.type, field.name, path)
            count += file.metadata.num_rows
    table = _Table(files, source, names or (), count, None)
    return table._replace(left_out=_row_numbers(table))


def _row_numbers(table: _Table) -> int | None:
    """The position of the index that pandas writes beside the data: without a name, or with one that is its own."""
    if len(table.names) < 2:
        return None
    if table.names[0] == "" and _counts(table):
        return 0
    return next((i for i, name in enumerate(table.names) if name.startswith("__index_level_")), None)


def _counts(table: _Table) -> bool:
    """Whether the first column counts the rows."""
    start = 0
    for path in table.files:
        with _reading(path) as file:
            for batch in file.iter_batches(_ROWS, columns=[table.names[0]], use_threads=False):
                column = batch.column(0).to_numpy(zero_copy_only=False)
                if not np.array_equal(column, np.arange(start, start + len(column))):
                    return False
                start += len(column)
    return True


def _values(table: _Table, dtype: np.dtype) -> tuple[Values, tuple[str, ...]]:
    """The rows, and what is to be said of them."""
    made = table.made(dtype)
    if made.nbytes <= rows.IN_MEMORY:
        return collected(made), ()
    path = kept(table.files, table.source, partial(table.made, dtype))
    return open_npy(path, packed=False), (f"Its rows were written to {path}, and are read from there.",)


def _blocks(table: _Table, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The rows, a block at a time.

    Raises:
        _Fraction: The type is uint8, and a value is none.
        UserError: A column has no entries at all, or values beyond the range of float32.
    """
    missing = np.zeros(len(table.columns), np.int64)
    for path in table.files:
        with _reading(path) as file:
            groups = _column_groups(file, table)
            if len(groups) == 1:
                for batch in _batches(file, table, None):
                    yield _numbers(batch, table, groups[0], dtype, missing)
                continue
            for row_group in range(file.num_row_groups):
                yield from _joined(file, table, groups, row_group, dtype, missing)
    for name, count in zip(table.columns, missing, strict=True):
        if count and count == table.total:
            raise no_entries(name, table.source)


def _joined(
    file: pq.ParquetFile,
    table: _Table,
    groups: list[np.ndarray],
    row_group: int,
    dtype: np.dtype,
    missing: np.ndarray,
) -> Iterator[np.ndarray]:
    """The rows of a group of rows, by way of a temporary file in which one group of columns follows the other.

    A reader holds a page of each column that it reads, which for hundreds of columns is much.
    """
    count = file.metadata.row_group(row_group).num_rows
    with tempfile.TemporaryFile() as turned:
        for group in groups:
            for batch in _batches(file, table, group, row_group):
                turned.write(_numbers(batch, table, group, dtype, missing).data)
        size = max(1, _NUMBERS // len(table.columns))
        for start in range(0, count, size):
            block = np.empty((min(size, count - start), len(table.columns)), dtype)
            for group in groups:
                part = np.empty((len(block), len(group)), dtype)
                turned.seek((count * int(group[0]) + start * len(group)) * dtype.itemsize)
                turned.readinto(part.reshape(-1).view(np.uint8).data)
                block[:, group] = part
            yield block


def _batches(
    file: pq.ParquetFile, table: _Table, group: np.ndarray | None, row_group: int | None = None
) -> Iterator[pa.RecordBatch]:
    size = max(1, min(_ROWS, _NUMBERS // len(table.columns if group is None else group)))
    names = None if group is None else [table.columns[position] for position in group]
    chosen = None if row_group is None else [row_group]
    for batch in file.iter_batches(size, row_groups=chosen, columns=names, use_threads=False):
        yield batch.remove_column(table.left_out) if names is None and table.left_out is not None else batch


def _numbers(
    batch: pa.RecordBatch, table: _Table, group: np.ndarray, dtype: np.dtype, missing: np.ndarray
) -> np.ndarray:
    """The columns of a batch side by side; what is missing is NaN, which `Dataset` refuses with its rows."""
    block = np.empty((batch.num_rows, len(group)), dtype)
    for position, (number, column) in enumerate(zip(group, batch.columns, strict=True)):
        missing[number] += column.null_count
        values = narrow(as_numbers(column), column_name(table.columns[number], table.source))
        if values.dtype != np.uint8 and dtype == np.uint8:
            raise _Fraction
        block[:, position] = values
    return block


def _column_groups(file: pq.ParquetFile, table: _Table) -> list[np.ndarray]:
    """The columns that can be read together, as positions among those that hold data."""
    metadata, columns = file.metadata, len(table.columns)
    largest = max((metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)), default=0)
    size = max(1, _PAGES // (_BUFFER + min(_PAGE, 1 + 2 * largest // max(1, columns))))
    if len(set(table.names)) < len(table.names):  # columns are chosen by their names
        size = columns
    return [np.arange(start, min(start + size, columns)) for start in range(0, columns, size)]


@contextmanager
def _reading(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with reading(path), pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
            yield file
    except pa.ArrowException as error:
        raise damaged(path) from error

"""Tables in text: `.csv`, each row a vector of numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from lowerbound.data.arrays import maximum_of
from lowerbound.data.dataset import Dataset, narrow
from lowerbound.data.streams import one_line, opened
from lowerbound.errors import UserError

_MISSING = frozenset(pacsv.ConvertOptions().null_values)


def open_csv(path: Path) -> Dataset:
    """A `.csv` file, gzip'd or not; commas, semicolons or tabs between the columns; with or without a header.

    The first line is a header unless all its entries are numbers.

    Raises:
        UserError: It cannot be read, a column is not of numbers, or entries are missing.
    """
    first, delimiter = _first_line(path)
    header = not all(_is_number(entry) for entry in first)
    table = _parsed(path, delimiter, first if header else None, len(first))
    note = "The first line is read as the names of the columns." if header else "The first line is read as data."
    return _dataset(table, path, named=header, note=note)


def _first_line(path: Path) -> tuple[list[str], str]:
    """The entries of the first line that is not blank, and what stands between them."""
    try:
        with opened(path) as stream:
            for line in io.TextIOWrapper(stream, "utf-8-sig", newline=""):
                if line.strip():
                    delimiter = max(",;\t", key=line.count)
                    return next(csv.reader([line], delimiter=delimiter)), delimiter
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a table in UTF-8 text: save it as CSV in UTF-8.") from error
    raise UserError(f"{path} holds no data: all its lines are blank.")


def _is_number(entry: str) -> bool:
    try:
        float(entry)
    except ValueError:
        return entry.strip() in _MISSING
    return True


def _parsed(path: Path, delimiter: str, header: list[str] | None, width: int) -> pa.Table:
    names = header or [f"f{i}" for i in range(width)]
    try:
        # Bytes first: a table of pixels takes an eighth of the memory. Anything else stops that at its first entry.
        return _read_csv(path, delimiter, header, dict.fromkeys(names, pa.uint8()))
    except pa.ArrowInvalid:
        pass
    try:
        return _read_csv(path, delimiter, header, dict.fromkeys(names, pa.float64()))
    except pa.ArrowInvalid as error:
        failure = UserError(f"{path} cannot be read as a table: {one_line(error)}.")
    try:
        text = _read_csv(path, delimiter, header, dict.fromkeys(names, pa.string()))
    except pa.ArrowInvalid:
        raise failure from None
    raise next(_texts(text, path, named=header is not None), failure)


def _read_csv(path: Path, delimiter: str, header: list[str] | None, types: dict[str, pa.DataType]) -> pa.Table:
    with opened(path) as stream:
        return pacsv.read_csv(
            stream,
            read_options=pacsv.ReadOptions(autogenerate_column_names=header is None),
            parse_options=pacsv.ParseOptions(delimiter=delimiter),
            convert_options=pacsv.ConvertOptions(column_types=types),
        )


def _texts(table: pa.Table, path: Path, *, named: bool) -> Iterator[UserError]:
    """An error for each column of a table of strings that has an entry which is no number."""
    for position, column in enumerate(table.columns):
        for row, entry in enumerate(column.to_pylist()):
            if not _is_number(entry):
                which = table.column_names[position] if named else f"number {position} (counted from 0)"
                yield UserError(
                    f"{path}: the column {which} has text, such as '{one_line(entry)[:40]}' in row {row:,} "
                    "(counted from 0): leave the column out, or turn it into numbers."
                )
                break


def _dataset(table: pa.Table, source: Path, *, named: bool, note: str) -> Dataset:
    notes = [note]
    counter = _row_numbers(table)
    if counter is not None:
        table = table.remove_column(counter)
        notes.append("A column of row numbers, as pandas writes it, is left out.")
    columns = [_numbers(column, name, source) for name, column in zip(table.column_names, table.columns, strict=True)]
    whole = all(column.dtype == np.uint8 for column in columns)
    values = np.empty((table.num_rows, len(columns)), np.uint8 if whole else np.float32)
    for position, column in enumerate(columns):
        values[:, position] = column
    names = tuple(table.column_names) if named else None
    return Dataset(str(source), "vector", values, maximum_of(values, "vector"), columns=names, notes=tuple(notes))


def _row_numbers(table: pa.Table) -> int | None:
    """The position of the index that pandas writes beside the data: without a name, or with one that is its own."""
    if table.num_columns < 2:
        return None
    if table.column_names[0] == "" and np.array_equal(table.column(0).to_numpy(), np.arange(table.num_rows)):
        return 0
    return next((i for i, name in enumerate(table.column_names) if name.startswith("__index_level_")), None)


def _numbers(column: pa.ChunkedArray, name: str, source: Path) -> np.ndarray:
    """The entries as uint8 or float32; those that are missing as NaN, which `Dataset` refuses with their rows."""
    check_type(column.type, name, source)
    if len(column) and column.null_count == len(column):
        raise no_entries(name, source)
    return narrow(as_numbers(column), column_name(name, source))


def check_type(kind: pa.DataType, name: str, source: Path) -> None:
    """Refuse a column that is not of numbers.

    Raises:
        UserError: It is not.
    """
    if pa.types.is_null(kind):
        raise no_entries(name, source)
    if not any(
        fits(kind) for fits in (pa.types.is_boolean, pa.types.is_decimal, pa.types.is_integer, pa.types.is_floating)
    ):
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
        what = "text" if text else f"values of type {one_line(kind)}"
        raise UserError(f"{source}: the column {name} has {what}: leave the column out, or turn it into numbers.")


def as_numbers(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """The entries of a column of numbers as they are; those that are missing as NaN."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)


def column_name(name: str, source: Path) -> str:
    """What a column is called in an error."""
    return f"The column {name} of {source}"


def no_entries(name: str, source: Path) -> UserError:
    """The error for a column that holds nothing."""
    return UserError(f"{source}: the column {name} has no entries at all: leave it out.")

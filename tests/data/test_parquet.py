"""Parquet files that are too large for memory are the same dataset as those that are not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lowerbound.data import open_data, parquet
from lowerbound.data import rows as rows_module
from lowerbound.data.rows import FileRows
from lowerbound.errors import UserError

G = np.random.default_rng(0)
REALS = G.normal(size=(40, 5)).astype(np.float32)
BYTES = G.integers(0, 256, (40, 5))


def write(folder, values, **options):
    folder.mkdir()
    for name, some in zip("bca", np.array_split(values, 3), strict=True):
        table = pa.table({f"column.{i}": column for i, column in enumerate(some.T)})
        pq.write_table(table, folder / f"{name}.parquet", **options)
    return np.concatenate([np.array_split(values, 3)[i] for i in (2, 0, 1)])


@pytest.fixture(params=["one group of columns", "several"])
def nothing_fits(request, monkeypatch, tmp_path):
    """No table is small enough for memory; a few columns, or all, are read together."""
    monkeypatch.setattr(rows_module, "IN_MEMORY", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "several":
        monkeypatch.setattr(parquet, "_PAGES", 2 * (parquet._BUFFER + 999))


@pytest.mark.parametrize("values", [REALS, REALS.astype(np.float64), BYTES, BYTES - 9, BYTES > 99])
def test_a_large_folder_is_one_table_in_the_order_of_the_names(nothing_fits, tmp_path, values):
    expected = write(tmp_path / "folder", values, row_group_size=6)
    dataset = open_data(tmp_path / "folder")
    assert isinstance(dataset.values, FileRows)
    assert dataset.values.dtype == (np.float32 if values.min() < 0 else np.uint8)
    np.testing.assert_array_equal(dataset.values[:], expected.astype(dataset.values.dtype))
    assert dataset.columns == tuple(f"column.{i}" for i in range(5))
    assert open_data(tmp_path / "folder").fingerprint == dataset.fingerprint


def test_a_large_table_has_the_fingerprint_of_one_in_memory(nothing_fits, monkeypatch, tmp_path):
    write(tmp_path / "folder", REALS)
    large = open_data(tmp_path / "folder")
    monkeypatch.setattr(rows_module, "IN_MEMORY", 1 << 30)
    small = open_data(tmp_path / "folder")
    assert isinstance(small.values, np.ndarray)
    assert small.fingerprint == large.fingerprint


def test_the_index_of_pandas_is_left_out_of_a_large_table(nothing_fits, tmp_path):
    columns = {f"c{i}": column for i, column in enumerate(REALS.T)}
    pq.write_table(pa.table({"": np.arange(40), **columns}), tmp_path / "first.parquet")
    pq.write_table(pa.table({**columns, "__index_level_0__": np.arange(40)}), tmp_path / "last.parquet")
    for name in ("first", "last"):
        dataset = open_data(tmp_path / f"{name}.parquet")
        assert dataset.columns == ("c0", "c1", "c2", "c3", "c4")
        np.testing.assert_array_equal(dataset.values[:], REALS)


def test_missing_entries_and_empty_columns_of_a_large_table_are_refused(nothing_fits, tmp_path):
    pq.write_table(pa.table({"a": [1.0, None, 3.0], "b": [1, 2, 3]}), tmp_path / "gap.parquet")
    with pytest.raises(UserError, match=r"in 1 of its 3 rows \(counted from 0: 1\)"):
        open_data(tmp_path / "gap.parquet")
    nothing = pa.array([None] * 3, pa.float32())
    pq.write_table(pa.table({"a": nothing, "b": [1, 2, 3], "c": [1, 2, 3]}), tmp_path / "empty.parquet")
    with pytest.raises(UserError, match="the column a has no entries at all"):
        open_data(tmp_path / "empty.parquet")


def test_a_file_with_text_in_a_column_is_named(tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "one.parquet")
    pq.write_table(pa.table({"a": ["x", "y"]}), tmp_path / "two.parquet")
    with pytest.raises(UserError, match=r"two\.parquet: the column a has text") as one:
        open_data(tmp_path)
    assert "\n" not in str(one.value)


def test_a_file_that_was_changed_is_read_again(nothing_fits, tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": REALS[:, 0]}), path)
    first = open_data(path).fingerprint
    pq.write_table(pa.table({"a": REALS[:30, 1]}), path)
    assert open_data(path).fingerprint != first
    assert len(open_data(path)) == 30

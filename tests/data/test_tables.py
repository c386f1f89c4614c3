from __future__ import annotations

import gzip
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lowerbound.data import open_data
from lowerbound.errors import UserError

TABLES = npst.arrays(
    np.float32,
    st.tuples(st.integers(2, 6), st.integers(1, 4)),
    elements=st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False),
)


def opened(tmp_path, text: str, name: str = "table.csv"):
    (tmp_path / name).write_text(text, "utf-8")
    return open_data(tmp_path / name)


@given(values=TABLES, delimiter=st.sampled_from(",;\t"), header=st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_csv_is_read_as_it_was_written(tmp_path_factory, values, delimiter, header):
    names = [f"column {i}" for i in range(values.shape[1])]
    lines = [delimiter.join(map(repr, row)) for row in values.tolist()]
    text = "\n".join(([delimiter.join(names)] if header else []) + lines)
    dataset = opened(tmp_path_factory.mktemp("csv"), text)
    np.testing.assert_array_equal(dataset.values, values)
    assert dataset.columns == (tuple(names) if header else None)


@given(values=TABLES)
@settings(max_examples=20, deadline=None)
def test_a_parquet_file_is_read_as_it_was_written(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    pq.write_table(pa.table({str(i): column for i, column in enumerate(values.T)}), path)
    dataset = open_data(path)
    np.testing.assert_array_equal(dataset.values, values)
    assert dataset.columns == tuple(map(str, range(values.shape[1])))


def test_bytes_stay_bytes(tmp_path):
    assert opened(tmp_path, "a,b\n0,255\n7,8\n").values.dtype == np.uint8
    pq.write_table(pa.table({"a": [0, 255], "b": [True, False]}), tmp_path / "x.parquet")
    dataset = open_data(tmp_path / "x.parquet")
    assert dataset.values.dtype == np.uint8
    assert dataset.values.tolist() == [[0, 1], [255, 0]]


def test_a_column_whose_fractions_come_late_is_still_numbers(tmp_path):
    """Far beyond the first block of a megabyte, from which pyarrow would guess the type."""
    text = "a,b\n" + "1,2\n" * 400_000 + "1.5,-3\n"
    dataset = opened(tmp_path, text)
    assert dataset.values.shape == (400_001, 2)
    assert dataset.values[-1].tolist() == [1.5, -3]


def test_blank_lines_a_byte_order_mark_quotes_and_compression_do_no_harm(tmp_path):
    text = '\n"height, cm","weight"\n"1.5",2\n\n3,4\n'
    dataset = opened(tmp_path, "\ufeff" + text.lstrip())
    assert dataset.columns == ("height, cm", "weight")
    assert dataset.values.tolist() == [[1.5, 2], [3, 4]]
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(text.encode()))
    packed = open_data(tmp_path / "table.csv.gz")
    assert packed.name == "table"
    np.testing.assert_array_equal(packed.values, dataset.values)
    assert packed.columns == dataset.columns


def test_the_row_numbers_that_pandas_writes_are_left_out(tmp_path):
    dataset = opened(tmp_path, ",a\n0,1.5\n1,2.5\n")
    assert dataset.columns == ("a",)
    assert dataset.values.tolist() == [[1.5], [2.5]]
    assert any("row numbers" in note for note in dataset.notes)
    assert opened(tmp_path, ",a\n5,1.5\n1,2.5\n").values.shape == (2, 2)


def test_decimals_and_whole_numbers_of_parquet_are_numbers(tmp_path):
    pq.write_table(pa.table({"a": [Decimal("1.25"), Decimal("-3.5")], "b": [1, 300]}), tmp_path / "x.parquet")
    assert open_data(tmp_path / "x.parquet").values.tolist() == [[1.25, 1], [-3.5, 300]]


def test_a_folder_of_parquet_files_is_one_table_in_the_order_of_the_names(tmp_path):
    for name, value in (("b", 2), ("a", 1)):
        pq.write_table(pa.table({"v": [value, value]}), tmp_path / f"{name}.parquet")
    dataset = open_data(tmp_path)
    assert dataset.values.tolist() == [[1], [1], [2], [2]]
    assert dataset.name == tmp_path.name
    pq.write_table(pa.table({"w": [3]}), tmp_path / "c.parquet")
    with pytest.raises(UserError, match=r"c\.parquet has other columns than .*a\.parquet"):
        open_data(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,red\n", r"the column b has text, such as 'red' in row 1 \(counted from 0\)"),
        ("1,2\n3,red\n", r"the column number 1 \(counted from 0\) has text, such as 'red' in row 1"),
        ("a,b\n1,2\n3\n", "cannot be read as a table: .*Expected 2 columns, got 1"),
        ("a,b\n1,2\n3,\n,5\n6,7\n", r"missing, NaN or infinite values in 2 of its 4 rows \(counted from 0: 1, 2\)"),
        ("a,b\n1,NA\n3,\n", "the column b has no entries at all"),
        ("a,b\n1,1e39\n3,2\n", "The column b of .* has values beyond the range of float32"),
        ("a,b\n1,2\n", "one single row"),
        ("a,b\n", "holds no data"),
        ("\n  \n", "holds no data"),
    ],
)
def test_a_bad_csv_is_refused_with_the_place(tmp_path, text, words):
    with pytest.raises(UserError, match=words) as caught:
        opened(tmp_path, text)
    assert str(tmp_path / "table.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"x\.csv is not a table in UTF-8 text"):
        open_data(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["a", "b"], "the column v has text"),
        (pa.array(["a", "b"]).dictionary_encode(), "the column v has text"),
        ([[1], [2]], "the column v has values of type list"),
        (pa.array([1, 2], pa.timestamp("s")), "the column v has values of type timestamp"),
        (pa.nulls(2), "the column v has no entries at all"),
        ([1.0, None], r"missing, NaN or infinite values in 1 of its 2 rows \(counted from 0: 1\)"),
        ([1, None], r"missing, NaN or infinite values in 1 of its 2 rows \(counted from 0: 1\)"),
    ],
)
def test_a_bad_parquet_file_is_refused_with_the_column_or_the_rows(tmp_path, column, words):
    pq.write_table(pa.table({"u": [0.5, 1.5], "v": column}), tmp_path / "x.parquet")
    with pytest.raises(UserError, match=words) as caught:
        open_data(tmp_path / "x.parquet")
    assert str(tmp_path / "x.parquet") in str(caught.value)
    assert "\n" not in str(caught.value)

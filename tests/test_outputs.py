"""Arrays come back from the files that were written, and every place that cannot be written is refused."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from lowerbound.errors import UserError
from lowerbound.outputs import ARRAYS, PICTURES, check_output, write_arrays

G = np.random.default_rng(0)
ROWS = {"z": G.normal(size=(4, 3)).astype(np.float32), "label": np.arange(4)}


def test_npz_gives_back_every_array(tmp_path):
    write_arrays(tmp_path / "a.npz", ROWS)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert set(found) == set(ROWS)
        assert all(np.array_equal(found[name], ROWS[name]) for name in ROWS)


def test_parquet_has_a_column_for_each_dimension(tmp_path):
    images = G.integers(0, 256, (4, 2, 3), dtype=np.uint8)
    write_arrays(tmp_path / "a.parquet", {**ROWS, "x": images, "named": ROWS["z"][:, :2]}, {"named": ("a", "b")})
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["z_0", "z_1", "z_2", "label", "x", "a", "b"]
    assert np.array_equal(table["z_1"].to_numpy(), ROWS["z"][:, 1])
    assert np.array_equal(table["b"].to_numpy(), ROWS["z"][:, 1])
    assert np.array_equal(np.array(table["x"].to_pylist()), images.reshape(4, 6))


@pytest.mark.parametrize(
    ("name", "endings", "message"),
    [
        ("codes.csv", ARRAYS, r"must end in \.npz or \.parquet"),
        ("codes", ARRAYS, "must end in"),
        ("codes.png", ARRAYS, r"is no picture, write it to \.npz or \.parquet"),
        ("none/codes.npz", ARRAYS, r"Cannot write .*codes\.npz \(No such file or directory\)"),
        ("folder.npz", ARRAYS, "is a directory"),
        ("codes.bmp", ARRAYS + PICTURES, r"must end in \.npz or \.parquet or \.png"),
    ],
)
def test_places_that_are_refused(tmp_path, name, endings, message):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(UserError, match=message) as caught:
        check_output(tmp_path / name, endings)
    assert "\n" not in str(caught.value)


def test_a_good_place_is_left_as_it_was(tmp_path):
    assert check_output(tmp_path / "a.npz", ARRAYS) == tmp_path / "a.npz"
    assert list(tmp_path.iterdir()) == []

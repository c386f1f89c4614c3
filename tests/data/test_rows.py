"""Rows that stay in their file are, to whoever looks at them, the array that is written there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowerbound.data import open_data, recommend_likelihood
from lowerbound.data import rows as rows_module
from lowerbound.data.preparation import OneHot, Standardise
from lowerbound.data.rows import FileRows, blocks, part
from lowerbound.errors import UserError

G = np.random.default_rng(0)
PIXELS = G.integers(0, 256, (50, 6, 5), dtype=np.uint8)
REALS = G.normal(size=(50, 7)).astype(np.float32)
ARRAYS = {
    "vectors": REALS,
    "vectors of 64 bits": REALS.astype(np.float64),
    "big-endian": REALS.astype(">f4"),
    "bytes": PIXELS.reshape(50, 30),
    "grey images": PIXELS,
    "whole numbers of 64 bits": PIXELS.astype(np.int64),
    "whole numbers as reals": PIXELS.astype(np.float32),
    "large whole numbers": G.integers(-400, 400, (50, 4)),
    "colour images": G.integers(0, 256, (50, 4, 5, 3), dtype=np.uint8),
    "images with an opacity": G.integers(0, 256, (50, 4, 5, 4), dtype=np.uint8),
    "images with the channels first": G.random((50, 3, 4, 5)),
    "truth values": PIXELS > 99,
    "column by column": np.asfortranarray(REALS),
    "images column by column": np.asfortranarray(PIXELS),
}


@pytest.fixture
def nothing_fits(monkeypatch, tmp_path):
    """No data is small enough for memory, and what is written for that reason goes to a directory of the test's."""
    monkeypatch.setattr(rows_module, "IN_MEMORY", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def in_memory(monkeypatch, path):
    with monkeypatch.context() as patch:
        patch.setattr(rows_module, "IN_MEMORY", 1 << 40)
        return open_data(path)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_dataset_in_its_file_is_the_dataset_in_memory(nothing_fits, monkeypatch, tmp_path, name):
    np.save(tmp_path / "x.npy", ARRAYS[name])
    lying, loaded = open_data(tmp_path / "x.npy"), in_memory(monkeypatch, tmp_path / "x.npy")
    assert isinstance(lying.values, FileRows)
    assert isinstance(loaded.values, np.ndarray)
    assert lying.fingerprint == loaded.fingerprint
    assert (lying.kind, lying.shape, lying.maximum, lying.notes) == (
        loaded.kind,
        loaded.shape,
        loaded.maximum,
        loaded.notes,
    )
    assert (lying.values.dtype, lying.values.shape) == (loaded.values.dtype, loaded.values.shape)
    assert (lying.values.min(), lying.values.max()) == (loaded.values.min(), loaded.values.max())
    assert recommend_likelihood(lying) == recommend_likelihood(loaded)
    np.testing.assert_array_equal(lying.values[:], loaded.values)


@given(data=st.data())
def test_every_index_gives_what_it_gives_of_the_array(tmp_path_factory, data):
    values = np.arange(60, dtype=np.int32).reshape(20, 3)
    path = tmp_path_factory.mktemp("rows") / "values"
    values.tofile(path)
    rows = FileRows.of(path, 0, values.dtype, values.shape)
    numbers = data.draw(st.lists(st.integers(0, 19), max_size=30).map(lambda some: np.array(some, np.int64)))
    span = data.draw(st.slices(20))
    np.testing.assert_array_equal(rows[numbers], values[numbers])
    np.testing.assert_array_equal(rows[span], values[span])
    some, same = part(rows, numbers), values[numbers]
    inner = data.draw(st.slices(len(numbers)))
    np.testing.assert_array_equal(some[inner], same[inner])
    assert isinstance(some, FileRows)
    assert (len(some), some.size, some.nbytes) == (len(same), same.size, same.nbytes)


def test_a_number_gives_one_row_and_an_array_of_numbers_an_array_of_rows(tmp_path):
    REALS.tofile(tmp_path / "x")
    rows, pairs = FileRows.of(tmp_path / "x", 0, REALS.dtype, REALS.shape), np.array([[7, 3], [49, 0], [3, 3]])
    np.testing.assert_array_equal(rows[7], REALS[7])
    np.testing.assert_array_equal(rows[-1], REALS[-1])
    np.testing.assert_array_equal(rows[pairs], REALS[pairs])


def test_a_block_of_rows_is_bounded_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "_BLOCK_BYTES", 4 * 7 * 8)
    REALS.tofile(tmp_path / "x")
    pieces = list(blocks(FileRows.of(tmp_path / "x", 0, REALS.dtype, REALS.shape)))
    assert [len(piece) for piece in pieces] == [8] * 6 + [2]
    np.testing.assert_array_equal(np.concatenate(pieces), REALS)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_with_its_rows(nothing_fits, tmp_path, bad):
    values = REALS.copy()
    values[[3, 40], 2] = bad
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(UserError, match=r"in 2 of its 50 rows \(counted from 0: 3, 40\)"):
        open_data(tmp_path / "x.npy")


def test_values_beyond_float32_are_refused(nothing_fits, tmp_path):
    np.save(tmp_path / "x.npy", np.array([[0.5, 1e300]] * 3))
    with pytest.raises(UserError, match="beyond the range of float32"):
        open_data(tmp_path / "x.npy")


def test_a_file_that_is_cut_is_refused_when_it_is_opened_and_when_it_is_read(nothing_fits, tmp_path):
    np.save(tmp_path / "x.npy", REALS)
    whole = (tmp_path / "x.npy").read_bytes()
    values = open_data(tmp_path / "x.npy").values
    (tmp_path / "x.npy").write_bytes(whole[:-40])
    with pytest.raises(UserError, match=r"x\.npy is truncated or damaged"):
        values[:]
    with pytest.raises(UserError, match=r"x\.npy is truncated or damaged"):
        open_data(tmp_path / "x.npy")


def test_moments_and_categories_are_those_of_the_array(nothing_fits, monkeypatch, tmp_path):
    np.save(tmp_path / "x.npy", REALS)
    np.save(tmp_path / "n.npy", PIXELS.reshape(50, 30) % 7)
    rows = np.arange(0, 50, 3)
    lying, loaded = open_data(tmp_path / "x.npy"), in_memory(monkeypatch, tmp_path / "x.npy")
    one, other = Standardise.learned(lying, rows), Standardise.learned(loaded, rows)
    assert one.shift.tolist() == other.shift.tolist()
    assert one.scale.tolist() == other.scale.tolist()
    assert OneHot.learned(open_data(tmp_path / "n.npy"), rows).categories == 7
    with pytest.raises(UserError, match="have fractions"):
        OneHot(7).check(lying)


def test_images_in_a_file_are_resized_to_the_same_pixels(nothing_fits, monkeypatch, tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    lying = open_data(tmp_path / "x.npy", resize=(8, 9))
    with monkeypatch.context() as patch:
        patch.setattr(rows_module, "IN_MEMORY", 1 << 40)
        loaded = open_data(tmp_path / "x.npy", resize=(8, 9))
    assert isinstance(lying.values, FileRows)
    assert lying.fingerprint == loaded.fingerprint


def test_idx_stays_in_its_file_too(nothing_fits, tmp_path):
    from lowerbound.data.idx import header_of

    (tmp_path / "x.idx").write_bytes(header_of(PIXELS) + PIXELS.tobytes())
    values = open_data(tmp_path / "x.idx").values
    assert isinstance(values, FileRows)
    np.testing.assert_array_equal(values[:][:, 0], PIXELS)

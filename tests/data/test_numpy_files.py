from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lowerbound.data import open_data
from lowerbound.data.numpy_files import read_npy
from lowerbound.errors import UserError

ARRAYS = npst.arrays(
    npst.integer_dtypes() | npst.unsigned_integer_dtypes() | npst.floating_dtypes(sizes=(32, 64)),
    npst.array_shapes(min_dims=1, max_dims=4, max_side=5),
)


@given(values=ARRAYS, packed=st.booleans(), fortran=st.booleans())
@settings(max_examples=30, deadline=None)
def test_an_array_is_read_as_it_was_written(tmp_path_factory, values, packed, fortran):
    path = tmp_path_factory.mktemp("npy") / "x.npy"
    buffer = io.BytesIO()
    np.save(buffer, np.asfortranarray(values) if fortran else values)
    path.write_bytes(gzip.compress(buffer.getvalue()) if packed else buffer.getvalue())
    read = read_npy(path)
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


def test_the_only_array_of_an_archive_is_the_data(tmp_path):
    values = np.random.default_rng(0).random((4, 3), np.float32)
    np.savez(tmp_path / "a.npz", whatever=values)
    np.testing.assert_array_equal(open_data(tmp_path / "a.npz").values, values)


@pytest.mark.parametrize("data", ["x", "X", "data", "images", "values"])
@pytest.mark.parametrize("labels", ["y", "labels"])
def test_data_and_labels_are_known_by_their_names(tmp_path, data, labels):
    values = np.random.default_rng(0).random((4, 3), np.float32)
    arrays = {"more": np.zeros(2), labels: np.array([1, 0, 1, 2]), data: values}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    dataset = open_data(tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.values, values)
    assert dataset.labels.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize("names", [("a", "b"), ("x", "data"), ("x", "y", "labels")])
def test_an_archive_that_does_not_say_which_array_is_the_data_is_refused_with_its_arrays(tmp_path, names):
    np.savez(tmp_path / "a.npz", **{name: np.zeros((2, 2)) for name in names})
    with pytest.raises(UserError, match=", ".join(names)):
        open_data(tmp_path / "a.npz")


def test_objects_beside_the_data_are_not_read_and_do_no_harm(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.eye(3), meta=np.array([{"a": 1}], object))
    np.testing.assert_array_equal(open_data(tmp_path / "a.npz").values, np.eye(3))

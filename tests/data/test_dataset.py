from __future__ import annotations

import numpy as np
import pytest

from lowerbound.data import Dataset
from lowerbound.data.dataset import narrow
from lowerbound.errors import UserError


def vectors(values) -> Dataset:
    return Dataset("mine", "vector", np.asarray(values, np.float32))


def test_the_fingerprint_changes_with_any_value_with_the_shape_and_with_the_type():
    """The last row is beyond the first chunk that is hashed."""
    values = np.zeros((5000, 4), np.uint8)
    changed = values.copy()
    changed[-1, -1] = 1
    prints = {
        Dataset("mine", "vector", values).fingerprint,
        Dataset("mine", "vector", changed).fingerprint,
        Dataset("mine", "vector", values.reshape(2500, 8)).fingerprint,
        Dataset("mine", "vector", values.astype(np.float32)).fingerprint,
    }
    assert len(prints) == 4
    assert Dataset("another", "vector", values.copy()).fingerprint in prints


@pytest.mark.parametrize(
    ("shape", "maximum", "words"),
    [
        ((2, 1, 28, 20), 255, "2 images of 28 × 20, grey, 8-bit"),
        ((2, 3, 4, 5), 255, "2 images of 4 × 5, colour, 8-bit"),
        ((2, 1, 8, 8), 16, "2 images of 8 × 8, grey, 17 levels"),
        ((2, 1, 8, 8), 1, "2 images of 8 × 8, grey, binary"),
        ((2, 1, 8, 8), None, "2 images of 8 × 8, grey, real-valued"),
    ],
)
def test_images_are_described_in_one_line(shape, maximum, words):
    assert Dataset("mine", "image", np.zeros(shape, np.uint8), maximum).describe() == words


def test_vectors_are_described_in_one_line():
    assert vectors(np.zeros((1200, 3))).describe() == "1,200 rows of 3 numbers"


def test_values_that_are_not_finite_are_named_by_their_rows():
    values = np.zeros((5000, 3))
    values[7, 1], values[4999, 0], values[4999, 2] = np.nan, np.inf, -np.inf
    with pytest.raises(UserError, match=r"2 of its 5,000 rows \(counted from 0: 7, 4999\)"):
        vectors(values)


@pytest.mark.parametrize(("rows", "words"), [(0, "holds no data"), (1, "one single row")])
def test_too_few_rows_are_refused(rows, words):
    with pytest.raises(UserError, match=words):
        vectors(np.zeros((rows, 3)))


@pytest.mark.parametrize("kind", [bool, np.int64, np.uint16, np.float64, np.dtype(">f4"), np.float16])
def test_whole_numbers_that_fit_a_byte_become_bytes_whatever_their_type(kind):
    narrowed = narrow(np.array([[0, 1], [1, 0]]).astype(kind), "mine")
    assert narrowed.dtype == np.uint8
    assert narrowed.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("values", [[-1, 3], [0, 256], [0.5, 1], [np.nan, 1]])
def test_anything_else_becomes_float32(values):
    narrowed = narrow(np.array(values), "mine")
    assert narrowed.dtype == np.float32
    np.testing.assert_array_equal(narrowed, np.array(values, np.float32))


@pytest.mark.parametrize("dtype", [complex, "U3", object, [("a", float)], "m8[s]", "M8[s]"])
def test_what_is_not_real_numbers_is_refused(dtype):
    with pytest.raises(UserError, match=r"mine holds .*: only real numbers can be learned from"):
        narrow(np.zeros(3, dtype), "mine")


def test_values_beyond_float32_are_refused():
    with pytest.raises(UserError, match="beyond the range of float32"):
        narrow(np.array([1e39]), "mine")


def test_labels_are_numbered_by_the_classes_of_a_model():
    """Whatever numbers or names the labels of other data have: a class is known by its name."""
    values = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    data = Dataset("few", "vector", values, labels=np.array([7, 3, 7, 7]))
    assert data.classes == ("3", "7")
    assert data.numbered(("3", "5", "7")).labels.tolist() == [2, 0, 2, 2]
    named = Dataset("few", "vector", values, labels=np.array([1, 0, 1, 1]), label_names=("cat", "dog"))
    assert named.classes == ("cat", "dog")
    assert named.numbered(("dog", "cat")).labels.tolist() == [0, 1, 0, 0]
    with pytest.raises(UserError, match="Unknown label '7': there are: 3, 5"):
        data.numbered(("3", "5"))
    with pytest.raises(UserError, match="few has none: give data with labels"):
        Dataset("few", "vector", values).numbered(("3", "5"))

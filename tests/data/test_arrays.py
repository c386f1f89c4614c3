from __future__ import annotations

import numpy as np
import pytest

from lowerbound.data import from_array, on_scale, resized
from lowerbound.errors import UserError


@pytest.mark.parametrize(
    ("shape", "understood"),
    [
        ((5, 7), (7,)),
        ((5, 7, 8), (1, 7, 8)),
        ((5, 7, 8, 1), (1, 7, 8)),
        ((5, 7, 8, 3), (3, 7, 8)),
        ((5, 7, 8, 4), (3, 7, 8)),
        ((5, 1, 7, 8), (1, 7, 8)),
        ((5, 3, 7, 8), (3, 7, 8)),
    ],
)
def test_the_shape_says_what_the_data_is(shape, understood):
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    dataset = from_array(values, "mine")
    assert dataset.shape == understood
    assert dataset.kind == ("vector" if len(shape) == 2 else "image")
    assert dataset.values.dtype == np.uint8
    assert dataset.values.flags.c_contiguous
    assert len(dataset.notes) == 1


def test_channels_that_are_last_become_first():
    values = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 4), np.uint8)
    images = from_array(values, "mine").values
    for n, c, h, w in np.ndindex(images.shape):
        assert images[n, c, h, w] == values[n, h, w, c]


@pytest.mark.parametrize("shape", [(), (9,), (5, 7, 8, 2), (2, 3, 4, 5, 6)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(UserError, match="mine"):
        from_array(np.zeros(shape), "mine")


def test_labels_are_numbers_or_names():
    values = np.zeros((3, 2))
    assert from_array(values, "mine", labels=np.array([[2.0], [0], [2]])).labels.tolist() == [2, 0, 2]
    named = from_array(values, "mine", labels=np.array(["b", "a", "b"]))
    assert (named.labels.tolist(), named.label_names) == ([1, 0, 1], ("a", "b"))
    assert from_array(values, "mine", labels=np.array([0.5, 1, 2])).labels is None


def test_labels_of_another_number_of_rows_are_refused():
    with pytest.raises(UserError, match=r"mine has 3 rows, but its labels have the shape \(4,\)"):
        from_array(np.zeros((3, 2)), "mine", labels=np.zeros(4, int))


def test_the_scale_is_that_of_the_bytes():
    assert from_array(np.ones((2, 3, 3), np.uint8), "mine").maximum == 1
    assert from_array(np.full((2, 3, 3), 128, np.uint8), "mine").maximum == 255
    short = from_array(np.full((2, 3, 3), 16, np.uint8), "mine")
    assert short.maximum == 16
    assert "No pixel is above 16, so the scale is read as 0 to 16 (data.maximum sets another)." in short.notes
    assert on_scale(short, 255).maximum == 255
    with pytest.raises(UserError, match=r"data\.maximum = 15 does not fit: mine holds values up to 16"):
        on_scale(short, 15)
    with pytest.raises(UserError, match="mine holds real values"):
        on_scale(from_array(np.full((2, 3, 3), 0.5), "mine"), 15)
    assert from_array(np.full((2, 3, 3), 0.5), "mine").maximum is None
    assert from_array(np.ones((2, 3), np.uint8), "mine").maximum == 1
    assert from_array(np.full((2, 3), 2, np.uint8), "mine").maximum is None


def test_resizing_keeps_constant_images_type_scale_and_range():
    images = np.zeros((2, 3, 8, 8), np.uint8)
    images[0], images[1, :, :4] = 7, 200
    small = resized(from_array(images, "mine"), (4, 6))
    assert small.values.shape == (2, 3, 4, 6)
    assert small.values.dtype == np.uint8
    assert (small.values[0] == 7).all()
    assert small.values.max() <= 200
    assert "The images were resized to 4 × 6." in small.notes


def test_real_valued_images_are_resized_as_real_numbers():
    images = np.random.default_rng(0).random((2, 8, 8))
    small = resized(from_array(images, "mine"), (4, 4)).values
    assert small.dtype == np.float32
    assert 0 <= small.min() < small.max() <= 1
    np.testing.assert_allclose(small.mean(), images.mean(), atol=0.05)


def test_vectors_and_sizes_without_pixels_are_not_resized():
    with pytest.raises(UserError, match="only images can"):
        resized(from_array(np.zeros((2, 3)), "mine"), (4, 4))
    with pytest.raises(UserError, match="0 × 4"):
        resized(from_array(np.zeros((2, 3, 3)), "mine"), (0, 4))

from __future__ import annotations

import numpy as np
import pytest

from lowerbound.data import Dataset, from_array, open_data, recommend_likelihood

RNG = np.random.default_rng(0)


def test_digits_are_levels_since_a_third_of_them_are_grey():
    dataset = open_data("digits")
    share = np.isin(dataset.values, (0, 1, 15, 16)).mean()
    assert recommend_likelihood(dataset) == (
        "discretized-logistic",
        "none",
        f"because the pixels are whole numbers from 0 to 16, and only {share:.0%} of them near black or white",
    )


def test_images_that_are_nearly_black_and_white_are_binarised():
    pixels = np.concatenate([np.zeros(80), np.full(11, 250), np.full(9, 128)]).astype(np.uint8)
    recommended = recommend_likelihood(from_array(RNG.permutation(pixels).reshape(4, 5, 5), "mine"))
    assert recommended == (
        "bernoulli",
        "dynamic",
        "because 91% of the pixels are within a tenth of the scale of black or white",
    )


def test_grey_images_on_a_black_ground_are_levels():
    """As photographs of clothes are: half of the pixels are ground, and the rest is grey."""
    pixels = np.concatenate([np.zeros(200), RNG.integers(0, 256, 200)]).astype(np.uint8)
    recommended = recommend_likelihood(from_array(pixels.reshape(4, 10, 10), "mine"))
    assert recommended[:2] == ("discretized-logistic", "none")


def test_grey_images_without_black_and_white_are_levels():
    images = RNG.integers(40, 200, (10, 5, 5), np.uint8)
    assert recommend_likelihood(from_array(images, "mine")).reason == (
        f"because the pixels are whole numbers from {images.min()} to {images.max()}, and less than 1% of them near "
        "black or white"
    )


def test_colour_images_are_levels_whatever_they_look_like():
    images = 255 * RNG.integers(0, 2, (10, 3, 5, 5), np.uint8)
    assert recommend_likelihood(from_array(images, "mine")) == (
        "discretized-logistic",
        "none",
        "because the pixels are whole numbers from 0 to 255",
    )


@pytest.mark.parametrize("shape", [(9000, 4), (9000, 2, 2)])
def test_binary_data_is_binary_if_every_value_is(shape):
    values = RNG.integers(0, 2, shape).astype(np.float32)
    kind = "vector" if len(shape) == 2 else "image"
    values = values if kind == "vector" else values[:, None]
    assert recommend_likelihood(Dataset("mine", kind, values)) == (
        "bernoulli",
        "none",
        "because every value is 0 or 1",
    )
    values[-1, -1] = 0.5
    assert recommend_likelihood(Dataset("mine", kind, values)).likelihood == "continuous-bernoulli"


@pytest.mark.parametrize(
    ("values", "likelihood", "reason"),
    [
        (RNG.normal(size=(50, 4)), "gaussian", "because the columns are numbers from "),
        (RNG.integers(0, 5000, (50, 4)), "gaussian", "because the columns are numbers from "),
        (RNG.integers(0, 90, (50, 4)), "gaussian", "because the columns are numbers from "),
        (
            np.r_[RNG.random((50, 4)), [[0, 1, 0, 1]]],
            "continuous-bernoulli",
            "because the numbers are real numbers betw",
        ),
        (0.3 + 0.1 * RNG.random((50, 4)), "gaussian", "because the columns are numbers from 0.3"),
        (
            255 * RNG.integers(0, 2, (50, 4)),
            "bernoulli",
            "because 100% of the numbers are within a tenth of the scale of",
        ),
        (
            np.r_[RNG.integers(0, 256, (50, 2)), [[0, 255]]],
            "discretized-logistic",
            "because the numbers are whole numbers",
        ),
        (RNG.normal(size=(50, 4, 4)), "gaussian", "because the pixels are real numbers from -"),
        (
            np.r_[RNG.random((50, 4, 4)), np.ones((1, 4, 4))],
            "continuous-bernoulli",
            "because the pixels are real numbers",
        ),
    ],
)
def test_other_data_is_recommended_by_its_range(values, likelihood, reason):
    recommended = recommend_likelihood(from_array(values, "mine"))
    assert recommended.likelihood == likelihood
    assert recommended.reason.startswith(reason)

"""The named data sets themselves, where this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lowerbound.data import open_data, recommend_likelihood, split

BESIDE = Path(__file__).parents[3] / "shared" / "data"
FOUND = {
    name: next(
        (place for place in (os.environ.get("LOWERBOUND_DATA"), BESIDE) if place and Path(place, name).is_dir()), None
    )
    for name in ("mnist", "frey-faces")
}


@pytest.fixture
def opened(monkeypatch):
    def open_named(name):
        monkeypatch.setenv("LOWERBOUND_DATA", str(FOUND[name]))
        return open_data(name)

    return open_named


@pytest.mark.skipif(FOUND["mnist"] is None, reason="MNIST is not here; test_named.py has small files in its layout")
def test_mnist_is_the_one_that_everybody_means(opened):
    """The mean and the standard deviation of its training pixels are widely known."""
    dataset = opened("mnist")
    assert dataset.describe() == "70,000 images of 28 × 28, grey, 8-bit"
    assert dataset.values.dtype == np.uint8
    splits = split(dataset, seed=0)
    assert [len(part) for part in splits] == [59_000, 1_000, 10_000]
    assert splits.test[0] == 60_000
    train = dataset.values[:60_000]
    assert round(train.mean() / 255, 4) == 0.1307
    assert dataset.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.labels[60_000:60_005].tolist() == [7, 2, 1, 0, 4]
    recommended = recommend_likelihood(dataset)
    assert recommended[:2] == ("bernoulli", "dynamic")
    assert recommended.reason == "because 91% of the pixels are within a tenth of the scale of black or white"


@pytest.mark.skipif(
    FOUND["frey-faces"] is None, reason="Frey faces are not here; test_named.py has a small file like it"
)
def test_frey_faces_are_split_as_in_the_literature(opened):
    dataset = opened("frey-faces")
    assert dataset.describe() == "1,965 images of 28 × 20, grey, 8-bit"
    assert [len(part) for part in split(dataset, seed=0)] == [1_565, 200, 200]
    assert recommend_likelihood(dataset)[:2] == ("discretized-logistic", "none")

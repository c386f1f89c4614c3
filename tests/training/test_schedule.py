"""The share of the training that is done, and the learning rate as a function of it."""

from __future__ import annotations

import math

import pytest

from lowerbound.training.schedule import Bounds, learning_rate
from training.cases import settings

EPOCHS_ALONE = Bounds.of(settings(epochs=4), 25)
MINUTES_ALONE = Bounds.of(settings(epochs=None, max_minutes=0.5), 25)
BOTH = Bounds.of(settings(epochs=4, max_minutes=0.5), 25)


def test_the_bounds_are_those_of_the_settings():
    assert (EPOCHS_ALONE.steps, EPOCHS_ALONE.seconds) == (100, None)
    assert (MINUTES_ALONE.steps, MINUTES_ALONE.seconds) == (None, 30)
    assert (BOTH.steps, BOTH.seconds) == (100, 30)
    assert Bounds.of(settings(epochs=None, max_minutes=None), 25).steps == 2500


@pytest.mark.parametrize(
    ("bounds", "step", "seconds", "share"),
    [
        (EPOCHS_ALONE, 30, 1000, 0.3),
        (MINUTES_ALONE, 1000, 6, 0.2),
        (BOTH, 30, 6, 0.3),
        (BOTH, 10, 6, 0.2),
        (BOTH, 0, 0, 0.0),
        (BOTH, 10, 31, 1.0),
        (EPOCHS_ALONE, 100, 0, 1.0),
    ],
)
def test_the_share_is_the_larger_of_steps_and_time(bounds, step, seconds, share):
    assert bounds.share(step, seconds) == pytest.approx(share)


def test_the_time_left_is_the_shorter_of_the_two():
    assert BOTH.seconds_left(30, 6, 0.1) == pytest.approx(7)
    assert BOTH.seconds_left(30, 6, 1.0) == pytest.approx(24)
    assert EPOCHS_ALONE.seconds_left(90, 1e6, 2) == pytest.approx(20)
    assert MINUTES_ALONE.seconds_left(90, 40, 2) == 0


@pytest.mark.parametrize(
    ("decay", "shape"),
    [("cosine", lambda s: (1 + math.cos(math.pi * s)) / 2), ("linear", lambda s: 1 - s), ("constant", lambda s: 1)],
)
def test_the_rate_decays_as_it_should(decay, shape):
    given = settings(learning_rate=0.3, warmup=0, decay=decay)
    for share in (0, 0.1, 0.25, 0.5, 0.9, 1):
        assert learning_rate(given, share) == pytest.approx(0.3 * shape(share), abs=1e-12)


def test_the_warm_up_multiplies_the_decay():
    given = settings(learning_rate=0.3, warmup=0.2, decay="linear")
    assert learning_rate(given, 0) == 0
    assert learning_rate(given, 0.05) == pytest.approx(0.3 * 0.25 * 0.95)
    assert learning_rate(given, 0.2) == pytest.approx(0.3 * 0.8)
    assert learning_rate(given, 0.6) == pytest.approx(0.3 * 0.4)
    assert learning_rate(settings(warmup=1, decay="constant", learning_rate=0.3), 0.5) == pytest.approx(0.15)


@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_the_rate_falls_to_the_share_that_was_asked_for(decay):
    given = settings(learning_rate=0.3, warmup=0, decay=decay, decay_to=0.1)
    assert learning_rate(given, 0) == pytest.approx(0.3)
    assert learning_rate(given, 0.5) == pytest.approx(0.3 * 0.55)
    assert learning_rate(given, 1) == pytest.approx(0.03)

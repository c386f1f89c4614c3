"""Figures in words, and warnings."""

import dataclasses
import math

import pytest

from lowerbound.evaluation import DistortionAlone, Evaluation
from lowerbound.report.words import doubts, duration, explained

EVALUATION = Evaluation(
    examples=500,
    negative_elbo=100.0,
    negative_elbo_error=0.5,
    distortion=80.0,
    rate=20.0,
    nll_examples=500,
    particles=1000,
    nll=97.5,
    nll_error=0.4,
    effective_sample_size=31.4,
    effective_sample_size_low=2.7,
    latent_dim=50,
    active_units=23,
    kl_per_dimension=(0.4,) * 50,
    bits_per_dimension=None,
    seed=0,
    seconds=1.0,
    protocol="…",
    warnings=(),
)
ALONE = DistortionAlone(examples=500, distortion=80.0, distortion_error=0.5, seconds=1.0, protocol="…")
END = {"epoch": 9, "step": 900, "skipped": 0, "beta": 1.0}


def meanings(evaluation):
    return {figure.name: figure for figure in explained(evaluation)}


def test_each_figure_has_its_value_and_what_it_was_computed_on():
    figures = meanings(dataclasses.replace(EVALUATION, nll_examples=100, bits_per_dimension=1.234))
    assert {name: (figure.value, figure.on) for name, figure in figures.items()} == {
        "−ELBO": ("100.00 ± 0.50 nats", "500 rows"),
        "Distortion": ("80.00 nats", "500 rows"),
        "Rate": ("20.00 nats", "500 rows"),
        "NLL, K = 1,000": ("97.50 ± 0.40 nats", "100 rows"),
        "Bits per dimension": ("1.234", "100 rows"),
        "Effective sample size": ("31.4 of 1,000", "100 rows"),
        "Active units": ("23 of 50", "500 rows"),
    }


def test_the_rate_is_given_in_bits():
    assert f"{20 / math.log(2):.0f} bits" in meanings(EVALUATION)["Rate"].meaning


def test_the_gap_is_stated_only_on_the_same_data():
    assert "2.50 nats below −ELBO" in meanings(EVALUATION)["NLL, K = 1,000"].meaning
    fewer = meanings(dataclasses.replace(EVALUATION, nll_examples=100))["NLL, K = 1,000"].meaning
    assert "not to be subtracted" in fewer
    assert "below −ELBO" not in fewer


def test_a_negative_nll_is_explained():
    assert "density" in meanings(dataclasses.replace(EVALUATION, nll=-3.0))["NLL, K = 1,000"].meaning


def test_a_deterministic_encoder_has_one_figure_and_no_likelihood():
    (figure,) = explained(ALONE)
    assert figure.value == "80.00 ± 0.50 nats"
    assert "no likelihood" in figure.meaning


def test_nothing_doubtful_is_no_doubt():
    assert doubts(EVALUATION, [END]) == []
    assert doubts(ALONE, [END]) == []


@pytest.mark.parametrize(
    ("evaluation", "end", "words"),
    [
        (dataclasses.replace(EVALUATION, warnings=("It collapsed.",)), END, "It collapsed."),
        (EVALUATION, {**END, "skipped": 3}, "3 of 900 steps had a loss or gradient that was not finite"),
        (EVALUATION, {**END, "beta": 0.25}, "The training ended with β = 0.25, below 1"),
        (None, END, "There is no evaluation"),
    ],
)
def test_each_doubt_is_a_sentence(evaluation, end, words):
    (doubt,) = doubts(evaluation, [{**END, "beta": 0.1, "skipped": 7}, end])
    assert words in doubt
    assert doubt.endswith(".")


def test_a_weight_above_one_is_no_doubt():
    assert doubts(EVALUATION, [{**END, "beta": 4.0}]) == []


def test_durations():
    assert [duration(seconds) for seconds in (4.23, 59.4, 61, 7200)] == ["4.2 s", "59.4 s", "1 min 1 s", "120 min 0 s"]

"""The scores at codes whose scores are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lowerbound.evaluation import (
    dci,
    dci_from_importance,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)

SCORES = {
    "MIG": mutual_information_gap,
    "SAP": separated_attribute_predictability,
    "FactorVAE": factor_vae_score,
    "disentanglement": lambda codes, factors: dci(codes, factors).disentanglement,
    "completeness": lambda codes, factors: dci(codes, factors).completeness,
}
FACTORS = np.stack(np.unravel_index(np.random.default_rng(0).integers(0, 3 * 4 * 2, 3000), (3, 4, 2)), 1)
NOISE = 0.01 * np.random.default_rng(1).normal(size=FACTORS.shape)


@pytest.mark.parametrize("name", SCORES)
def test_the_factors_themselves_score_high_in_any_order_and_scale(name):
    codes = (FACTORS + NOISE)[:, [2, 0, 1]] * [1.0, -30.0, 0.01]
    assert SCORES[name](codes, FACTORS) > 0.9


@pytest.mark.parametrize("name", SCORES)
def test_constant_codes_and_noise_score_nothing(name):
    assert SCORES[name](np.zeros(FACTORS.shape), FACTORS) <= 0.2
    if name != "FactorVAE":  # which has no level of chance: with F factors noise scores 1 / F
        assert SCORES[name](np.random.default_rng(2).normal(size=FACTORS.shape), FACTORS) <= 0.2


def test_the_factor_vae_score_of_noise_is_chance():
    """A third, within four standard errors of 800 votes and the choice of the majority."""
    noise = np.random.default_rng(2).normal(size=FACTORS.shape)
    assert factor_vae_score(noise, FACTORS) == pytest.approx(1 / 3, abs=0.08)


def test_turned_codes_score_less_than_straight_ones():
    codes = FACTORS / FACTORS.std(0) + NOISE
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    for name, score in SCORES.items():
        assert score(codes @ turn, FACTORS) < score(codes, FACTORS) - 0.05, name


def test_dci_of_known_importances():
    """The identity is perfect; one code that two of ten factors share has 1 − ln 2 / ln 10."""
    assert dci_from_importance(np.eye(10)) == pytest.approx((1.0, 1.0))
    assert dci_from_importance(np.zeros((10, 10))) == (0.0, 0.0)
    shared = np.zeros((1, 10))
    shared[0, :2] = 1.0
    assert dci_from_importance(shared)[0] == pytest.approx(1 - math.log(2) / math.log(10))
    even = np.ones((4, 5))
    assert dci_from_importance(even) == pytest.approx((0.0, 0.0))
    # By hand: rows (3, 1) and (0, 4), whose shares of all importance are a half each.
    row = 1 + (0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(2)
    assert dci_from_importance(np.array([[3.0, 1.0], [0.0, 4.0]]))[0] == pytest.approx(0.5 * row + 0.5)


def test_mig_of_a_small_table_by_hand():
    """Two binary factors: the first code is the first factor, the second code has it too in half of the rows."""
    factors = np.array([[a, b] for a in (0, 1) for b in (0, 1)] * 2)
    codes = np.stack([factors[:, 0], np.where(np.arange(8) < 4, factors[:, 0], factors[:, 1])], 1).astype(float)
    entropy = math.log(2)
    agree = np.array([[3, 1], [1, 3]]) / 8  # of the second code with either factor
    shared = (agree * np.log(agree / 0.25)).sum()
    assert mutual_information_gap(codes, factors) == pytest.approx(
        ((entropy - shared) / entropy + shared / entropy) / 2
    )


def test_one_latent_variable_has_no_second():
    assert mutual_information_gap(FACTORS[:, :1].astype(float), FACTORS[:, :1]) == pytest.approx(1.0)


def test_informativeness_is_accuracy():
    assert dci(FACTORS + NOISE, FACTORS).informativeness > 0.99
    assert dci(np.zeros(FACTORS.shape), FACTORS).informativeness < 0.6


def test_scores_are_the_same_each_time():
    codes = FACTORS + 0.5 * np.random.default_rng(4).normal(size=FACTORS.shape)
    for score in SCORES.values():
        assert score(codes, FACTORS) == score(codes, FACTORS)


@pytest.mark.parametrize(
    ("codes", "factors", "words"),
    [
        (np.zeros((20, 2)), FACTORS[:19], r"do not fit: they are \(20, 2\) and \(19, 3\)"),
        (np.full((20, 2), np.nan), FACTORS[:20], "finite"),
        (np.zeros((20, 2)), FACTORS[:20] + 0.5, "whole numbers"),
        (np.zeros((20, 2)), np.zeros((20, 2), int), "Factor 0 does not vary"),
    ],
)
@pytest.mark.parametrize("name", SCORES)
def test_what_does_not_fit_is_refused(name, codes, factors, words):
    with pytest.raises(ValueError, match=words):
        SCORES[name](codes, factors)


def test_importances_that_are_negative_are_refused():
    with pytest.raises(ValueError, match="without negative entries"):
        dci_from_importance(np.array([[1.0, -1.0]]))

import math

import pytest
import torch

from lowerbound.lecture.divergence import DISCRETE, FITS


def test_the_divergences_of_the_bars_are_the_sums_over_their_states(workshop):
    result = workshop[DISCRETE]
    for p, q, there, back in zip(*result, strict=True):
        for first, second, value in ((p, q, there), (q, p, back)):
            terms = []
            for a, b in zip(first.tolist(), second.tolist(), strict=True):
                if a > 0:
                    terms.append(a * math.log(a / b) if b > 0 else math.inf)
            assert value.item() == pytest.approx(sum(terms), abs=1e-12)


def test_the_bars_have_a_finite_an_infinite_and_a_zero_divergence(workshop):
    result = workshop[DISCRETE]
    assert result.forward[0] != result.reverse[0]
    assert result.forward[1].isfinite()
    assert result.reverse[1].isinf()
    assert (result.forward[2], result.reverse[2]) == (result.reverse[1], result.forward[1])
    assert result.forward[3] == result.reverse[3] == 0


def test_the_forward_fit_has_the_moments_of_the_density_and_the_reverse_one_those_of_a_mode(workshop):
    """Moment matching is the exact minimum of KL(p ‖ q): mean 0, variance 0.36 + 4.

    Of KL(q ‖ p) it is all but the mode itself, which overlaps the other one by less than 1e-3. Seed 0; the tolerance is
    that of a stochastic fit whose step size falls to zero.
    """
    fits = workshop[FITS]
    assert fits.forward.mean.item() == pytest.approx(0, abs=0.05)
    assert fits.forward.variance.item() == pytest.approx(4.36, rel=0.03)
    assert fits.reverse.mean.item() == pytest.approx(2, abs=0.03)
    assert fits.reverse.stddev.item() == pytest.approx(0.6, rel=0.05)


def test_each_fit_is_the_better_one_in_its_own_direction(workshop):
    fits = workshop[FITS]
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64).unsqueeze(1)
    p = fits.density.log_prob(x)

    def divergence(a, b):
        return (a.exp() * (a - b)).sum().item() * 0.005

    forward, reverse = fits.forward.log_prob(x), fits.reverse.log_prob(x)
    assert divergence(p, forward) < divergence(p, reverse)
    assert divergence(reverse, p) < divergence(forward, p)

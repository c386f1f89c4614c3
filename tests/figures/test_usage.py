"""KL per latent, and the prior against the aggregate posterior."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch.distributions import Independent, Normal

from lowerbound.distributions import OneHotGroups, SphereUniform
from lowerbound.figures import kl_per_latent, prior_and_posterior
from lowerbound.figures.canvas import BLUE, GREY

KL = np.array([0.5, 3.0, 0.0, 1.5])
ACTIVE = np.array([True, True, False, True])


def standard_normal(size):
    return Independent(Normal(torch.zeros(size), 1.0), 1)


def test_bars_are_the_kl_of_each_dimension_the_dearest_first():
    ax = kl_per_latent(KL, ACTIVE)
    bars = sorted(ax.patches, key=lambda bar: bar.get_x())
    assert [bar.get_height() for bar in bars] == [3.0, 1.5, 0.5, 0.0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2", "4", "1", "3"]
    assert [tuple(bar.get_facecolor()[:3]) for bar in bars] == [to_rgb(BLUE)] * 3 + [to_rgb(GREY)]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["active: 3", "not active: 1"]
    assert ax.get_title(loc="right") == "5.00 nats in all"


def test_of_many_dimensions_the_ranks_are_shown():
    ax = kl_per_latent(np.linspace(0, 1, 500))
    assert len(ax.patches) == 500
    assert ax.get_xlabel() == "rank of the latent dimension"
    assert ax.get_legend() is None


def test_kl_that_is_none_of_each_dimension_is_refused():
    with pytest.raises(ValueError, match=r"has the shape \[D\], not \[2, 2\]"):
        kl_per_latent(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="4 dimensions and 2 answers"):
        kl_per_latent(KL, ACTIVE[:2])


def test_contours_enclose_the_stated_shares_of_the_prior():
    """For a standard normal on the plane a share m lies within the radius √(−2 ln(1 − m)). The levels are quantiles of
    20,000 draws (seed 0): at the outermost, the standard error of the radius is 0.03."""
    drawn = np.random.default_rng(0).normal(size=(300, 2))
    ax = prior_and_posterior(standard_normal(2), drawn)
    contours = ax.collections[-1]
    radii = []
    for path in contours.get_paths():
        if len(path.vertices):
            radii.append(np.linalg.norm(path.vertices, axis=1).mean())
    assert sorted(radii) == pytest.approx([math.sqrt(-2 * math.log(1 - m)) for m in (0.5, 0.9, 0.99)], abs=0.12)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), drawn)


def test_of_many_codes_the_density_is_shown():
    ax = prior_and_posterior(standard_normal(2), np.random.default_rng(0).normal(size=(5000, 2)))
    assert ax.collections[0].get_array().sum() == pytest.approx(5000, rel=0.01)


def test_histograms_of_the_chosen_dimensions_stand_below_one_another():
    """The aggregate posterior is wider than the prior in the last of three dimensions, and narrower in the first."""
    drawn = np.random.default_rng(0).normal(size=(4000, 3)) * [0.3, 1.0, 3.0]
    ax = prior_and_posterior(standard_normal(3), drawn, [2, 0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$z_{3}$", "$z_{1}$"]
    assert ax.get_xlabel().endswith("2 of 3 dimensions")
    areas, lines = (ax.patches[start::2] for start in (0, 1))
    spreads = [_spread(*patch.get_data()) for patch in (*areas, *lines)]
    assert spreads == pytest.approx([3.0, 0.3, 1.0, 1.0], rel=0.15)


def _spread(values, edges, baseline):
    weights, middles = values - baseline, (edges[1:] + edges[:-1]) / 2
    mean = np.average(middles, weights=weights)
    return math.sqrt(np.average((middles - mean) ** 2, weights=weights))


def test_on_a_circle_there_are_no_contours():
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    codes = np.stack([np.cos(angles), np.sin(angles)], 1)
    ax = prior_and_posterior(SphereUniform(2, torch.zeros(())), codes)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$z_{1}$", "$z_{2}$"]


def test_of_choices_the_share_of_each_category_is_shown():
    """Two choices of three categories: the codes never take the last one of the first choice."""
    codes = np.tile([[1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 1, 0]], (50, 1)).astype(float)
    prior = OneHotGroups(torch.zeros(2, 3))
    ax = prior_and_posterior(prior, codes, categories=3)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["choice 1", "choice 2"]
    for patch, shares in zip(ax.patches[::2], ([0.5, 0.5, 0], [0, 0.5, 0.5]), strict=True):
        values, _, baseline = patch.get_data()
        heights = values - baseline
        np.testing.assert_allclose(heights / heights.sum(), shares, atol=1e-12)


def test_the_callers_random_numbers_are_left_as_they_were():
    before = torch.get_rng_state()
    given = Figure().add_subplot()
    assert prior_and_posterior(standard_normal(3), np.zeros((5, 3)), ax=given) is given
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(0, 2), (5, 3), (5,)])
def test_draws_over_another_space_are_refused(shape):
    with pytest.raises(ValueError, match=r"have the shape \[N, 2\]"):
        prior_and_posterior(standard_normal(2), np.zeros(shape))

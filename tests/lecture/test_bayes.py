import pytest
import torch

from lowerbound.evaluation import bound
from lowerbound.lecture.bayes import ESTIMATES, RULE, bayes_rule, exact_model
from oracles import LinearGaussian


def test_the_sum_over_the_grid_is_the_exact_evidence_of_a_linear_model():
    oracle = LinearGaussian()
    model, x = oracle.model(), oracle.sample(3)
    for row, exact in zip(x, oracle.log_prob(x), strict=True):
        grid = bayes_rule(model, row)
        assert grid.log_evidence.item() == pytest.approx(exact.item(), abs=1e-9)
        # The encoder of this model is its posterior.
        assert torch.allclose(grid.log_posterior, grid.log_encoder, atol=1e-8)


def test_the_posterior_of_the_digit_integrates_to_one_and_no_finer_grid_changes_its_evidence(workshop):
    grid, model = workshop[RULE], exact_model(workshop)
    assert (grid.log_posterior + grid.log_cell).exp().sum().item() == pytest.approx(1, abs=1e-12)
    finer = bayes_rule(model, grid.x, points=361, reach=7.0)
    assert finer.log_evidence.item() == pytest.approx(grid.log_evidence.item(), abs=1e-7)


def test_every_estimate_comes_from_below_and_reaches_the_evidence(workshop):
    """Means of 50 repetitions, with five standard errors; seed 0."""
    result = workshop[ESTIMATES]
    for values in (result.prior, result.encoder, result.annealed):
        mean, error = values.mean(1), values.std(1) / values.shape[1] ** 0.5
        assert (mean < result.exact + 5 * error + 1e-9).all()
        assert mean[-1] > mean[0]
    for values in (result.prior, result.encoder):
        assert values[-1].mean().item() == pytest.approx(result.exact.item(), abs=0.25)


def test_the_estimate_from_one_draw_of_the_encoder_is_the_bound(workshop):
    """Five standard errors; seed 0."""
    result, x = workshop[ESTIMATES], workshop[RULE].x
    distortion, rate = bound(exact_model(workshop), x.unsqueeze(0), passes=20_000)
    values = result.encoder[0]
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean() + distortion + rate).item() < 5 * error.item()

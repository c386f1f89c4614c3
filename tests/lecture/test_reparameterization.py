import pytest
import torch

from lowerbound.lecture.bayes import RULE
from lowerbound.lecture.reparameterization import CURVES, GRADIENTS, VARIANCES, single_draw_gradients
from oracles import LinearGaussian


def test_both_gradients_are_right_on_average_where_the_gradient_is_known():
    """∂ℒ/∂μ = Wᵀ (x − b) / σ² at q = N(0, I), of a linear model; 32,768 draws, five standard errors, seed 0."""
    oracle = LinearGaussian()
    x = oracle.sample(1)[0]
    exact = (x - oracle.bias) @ oracle.weight / oracle.sigma**2
    torch.manual_seed(0)
    for each in single_draw_gradients(oracle.model(), x):
        error = each.std(0) / len(each) ** 0.5
        assert ((each.mean(0) - exact).abs() < 5 * error).all()


def test_both_gradients_of_the_digit_are_the_one_that_the_grid_has(workshop):
    """E_q [log p(x | z) z] is the gradient at q = N(0, I) (Stein's identity); five standard errors, seed 0."""
    grid = workshop[RULE]
    mass = (grid.log_prior + grid.log_cell).exp()
    exact = (mass * grid.log_likelihood) @ grid.z
    for each in workshop[GRADIENTS]:
        error = each.std(0) / len(each) ** 0.5
        assert ((each.mean(0) - exact).abs() < 5 * error).all()


def test_the_score_function_is_spread_several_times_wider(workshop):
    through, score = workshop[GRADIENTS].std(1)
    assert (score > 2 * through).all()


def test_the_variance_falls_as_the_reciprocal_of_the_draws_and_its_ratio_stays(workshop):
    """The last point rests on 128 groups: a variance is known to 1 in 8, and four times that is allowed."""
    result = workshop[VARIANCES]
    assert result.sizes.tolist() == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    for values in (result.pathwise, result.score_function):
        assert torch.allclose(values * result.sizes, values[0].expand_as(values), rtol=0.5)
    assert result.pathwise[0].item() == pytest.approx(workshop[GRADIENTS][0].var(0).sum().item())
    ratio = result.score_function / result.pathwise
    assert (ratio > 4).all()
    assert torch.allclose(ratio, ratio[0].expand_as(ratio), rtol=0.6)


def test_both_trainings_fall_and_the_one_of_the_score_function_is_behind(workshop):
    curves = workshop[CURVES]
    assert curves["pathwise"][-1] < curves["pathwise"][0]
    assert curves["score-function"][-1] < curves["score-function"][0]
    assert curves["pathwise"][-1] < curves["score-function"][-1]

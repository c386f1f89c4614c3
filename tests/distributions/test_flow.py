"""Flows against automatic Jacobians, quadrature, and each direction against the other."""

import math

import pytest
import torch
from torch.distributions import Distribution, Normal

from lowerbound.distributions import kl, monte_carlo_kl
from lowerbound.posteriors import FlowPosterior
from lowerbound.priors import FlowPrior, StandardNormal

KINDS = [("affine", False), ("affine", True), ("spline", False), ("spline", True)]


def posterior(bijection, coupling, dims=3, batch=2, size=2.0):
    """A posterior in float64 whose maps are the farther from the identity the larger `size`, and its parameters."""
    torch.manual_seed(0)
    head = FlowPosterior(dims, context=4, hidden=(16,), bijection=bijection, coupling=coupling).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(size)
    return head, torch.randn(batch, *head.parameter_shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("bijection", "coupling"), KINDS)
class TestEveryKind:
    def test_density_of_a_draw_has_the_determinant_of_its_jacobian(self, bijection, coupling):
        head, parameters = posterior(bijection, coupling)
        q = head(parameters[0])
        noise = torch.randn(3, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(q.transform, noise)
        exact = Normal(0.0, 1.0).log_prob(noise).sum() - torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(q.log_prob(q.transform(noise)), exact)

    def test_what_a_draw_remembers_is_its_density(self, bijection, coupling):
        head, parameters = posterior(bijection, coupling)
        q = head(parameters)
        z = q.rsample((5,))
        assert z.shape == (5, 2, 3)
        torch.testing.assert_close(q.log_prob(z), q.log_prob(z.detach().clone()))
        with torch.inference_mode():
            drawn = q.sample((5,))
            torch.testing.assert_close(q.log_prob(drawn), q.density(drawn))

    def test_gradients_do_not_depend_on_what_is_remembered(self, bijection, coupling):
        """Of the whole of log q, along the path alone, and without the path, against the inverted map."""
        head, parameters = posterior(bijection, coupling)

        def gradients(remembered):
            torch.manual_seed(1)
            q = head(parameters)
            z = q.rsample((4,))
            log_q = q.log_prob(z) if remembered else q.density(z)
            whole = torch.autograd.grad(log_q.square().sum(), (parameters, *head.parameters()), retain_graph=True)
            (slope,) = torch.autograd.grad(log_q.sum(), z, retain_graph=True)
            z.register_hook(lambda g: g * 0)  # whatever goes through z is cut
            score = torch.autograd.grad(log_q.square().sum(), (parameters, *head.parameters()))
            return [*whole, slope, *score]

        for ours, exact in zip(gradients(True), gradients(False), strict=True):
            torch.testing.assert_close(ours, exact, atol=1e-8, rtol=1e-6)

    def test_density_integrates_to_one(self, bijection, coupling):
        head, parameters = posterior(bijection, coupling, dims=2, batch=1, size=1.0)
        q = head(0.3 * parameters[0])
        grid = torch.linspace(-8, 8, 401, dtype=torch.float64)
        z = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1)
        with torch.no_grad():
            mass = q.log_prob(z).exp().sum() * (grid[1] - grid[0]) ** 2
        assert mass.item() == pytest.approx(1, abs=3e-3)

    def test_draws_of_the_prior_follow_its_density(self, bijection, coupling):
        """Through the inverse they are standard normal: mean and variance within 5 standard errors, seed 0."""
        torch.manual_seed(0)
        prior = FlowPrior(3, hidden=(16,), bijection=bijection, coupling=coupling).double()
        p = prior()
        with torch.no_grad():
            z = p.sample((20_000,))
            noise = p.transform.inv(z)
        assert (noise.mean(0).abs() < 5 / math.sqrt(20_000)).all()
        assert ((noise.var(0) - 1).abs() < 5 * math.sqrt(2 / 20_000)).all()

    def test_a_draw_without_a_gradient_has_a_density_with_one(self, bijection, coupling):
        """The score-function estimator's: E[∇ log q] = 0, within 5 standard errors, seed 0."""
        head, parameters = posterior(bijection, coupling, batch=1)
        many = parameters.detach().expand(4_000, -1).clone().requires_grad_()
        q = head(many)
        z = q.sample()
        assert not z.requires_grad
        (score,) = torch.autograd.grad(q.log_prob(z).sum(), many)
        assert (score.mean(0).abs() < 5 * score.std(0) / math.sqrt(4_000)).all()
        assert (score.std(0) > 0).all()


def test_without_maps_that_do_anything_it_is_the_diagonal_gaussian():
    head = FlowPosterior(3, context=4, hidden=(8,))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
    parameters = torch.randn(2, *head.parameter_shape, generator=torch.Generator().manual_seed(0))
    mean, log_variance, _ = parameters.split([3, 3, 4], -1)
    exact = torch.distributions.Independent(Normal(mean, torch.exp(0.5 * log_variance)), 1)
    z = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(head(parameters).log_prob(z), exact.log_prob(z))
    torch.testing.assert_close(head(parameters).mean, mean)


def test_kl_to_a_prior_is_that_of_monte_carlo():
    """Mean of the one-draw values within 4 standard errors of an independent estimate's, 20,000 draws, seed 0."""
    head, parameters = posterior("affine", False)
    q, p = head(parameters), StandardNormal(3).double()()
    with torch.no_grad():
        z = q.sample((20_000,))
        each = kl(q, p, z)
        value, error = monte_carlo_kl(q, p, 20_000)
    assert ((each.mean(0) - value).abs() < 4 * math.sqrt(2) * error).all()


def test_mean_is_fixed_and_near_the_average_of_draws():
    """Within three standard deviations of a mean over 32 draws, seed 0."""
    head, parameters = posterior("spline", True)
    q = head(parameters)
    torch.testing.assert_close(q.mean, head(parameters).mean, rtol=0, atol=0)
    draws = q.sample((20_000,))
    assert ((q.mean - draws.mean(0)).abs() < 3 * draws.std(0) / math.sqrt(32)).all()


def test_torch_s_own_distributions_still_check_their_arguments():
    """Importing zuko turns that off for the whole process."""
    assert Distribution._validate_args is __debug__
    with pytest.raises(ValueError, match="scale"):
        Normal(0.0, -1.0)


@pytest.mark.parametrize("part", [FlowPrior, FlowPosterior])
def test_settings_out_of_range_are_refused(part):
    for settings, words in (({"bijection": "cubic"}, "bijection must be"), ({"transforms": 0}, "transforms must be")):
        with pytest.raises(ValueError, match=words):
            part(2, **settings)

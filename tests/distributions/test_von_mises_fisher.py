"""Distributions on the sphere: mass, samples, KL and the gradient of a draw, against quadrature and the formula."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad

from lowerbound.distributions import SphereUniform, VonMisesFisher, kl, monte_carlo_kl
from lowerbound.distributions.von_mises_fisher import height_slope, log_area

DIMS = [2, 3, 5, 20, 50]
CONCENTRATIONS = [1e-3, 0.5, 10.0, 1e3, 1e5]


def make(dims, kappa, dtype=torch.float64):
    loc = torch.zeros(dims, dtype=dtype)
    loc[0], loc[-1] = 0.6, 0.8
    return VonMisesFisher(loc, torch.tensor(kappa, dtype=dtype))


def log_height_density(s, dims, kappa):
    """Up to a constant, by the definition."""
    return 0.5 * (dims - 3) * np.log(s * (2 - s)) - kappa * s


def integral(function, dims, kappa, upper=2.0):
    """∫_0^upper f(s) p(s) ds, not normalised; s = upper v² removes the poles of D = 2, and the pieces find the peak."""
    edges = [0.0, *(e for e in (np.array([1e-3, 0.1, 0.5, 1, 2, 4, 8, 20, 60]) * dims / kappa) if e < upper), upper]
    total = 0.0
    for a, b in pairwise(edges):
        if a < 1:
            b1 = min(b, 1.0)
            total += quad(
                lambda v: function(v * v) * math.exp(log_height_density(v * v, dims, kappa)) * 2 * v,
                math.sqrt(a),
                math.sqrt(b1),
                epsabs=0,
                epsrel=1e-10,
                limit=200,
            )[0]
        if b > 1:
            a1 = max(a, 1.0)
            total += quad(
                lambda v: function(2 - v * v) * math.exp(log_height_density(2 - v * v, dims, kappa)) * 2 * v,
                math.sqrt(2 - b),
                math.sqrt(2 - a1),
                epsabs=0,
                epsrel=1e-10,
                limit=200,
            )[0]
    return total


@pytest.mark.parametrize("dims", DIMS)
@pytest.mark.parametrize("kappa", CONCENTRATIONS)
class TestAgainstQuadrature:
    def test_density_integrates_to_one_and_its_mean_is_right(self, dims, kappa):
        q = make(dims, kappa)
        shell = log_area(dims - 1) if dims > 2 else math.log(2)
        mass, first = (integral(f, dims, kappa) for f in (lambda s: 1.0, lambda s: s))
        assert q.log_normalizer().item() + shell + math.log(mass) == pytest.approx(0, abs=1e-7)
        assert 1 - q.mean_cosine().item() == pytest.approx(first / mass, rel=1e-6)

    def test_kl_to_the_uniform(self, dims, kappa):
        q = make(dims, kappa)
        mass = integral(lambda s: 1.0, dims, kappa)
        mean = integral(lambda s: s, dims, kappa) / mass
        shell = log_area(dims - 1) if dims > 2 else math.log(2)
        exact = -kappa * mean - math.log(mass) - shell + log_area(dims)
        value = kl(q, SphereUniform(dims, q.loc), torch.zeros(1))
        assert value.item() == pytest.approx(exact, rel=1e-6, abs=1e-9)

    def test_slope_of_a_draw_is_that_of_the_inverse_cdf(self, dims, kappa):
        """∂F/∂κ = ∫_0^s (E[t] − t) p(t) dt, over −p(s)."""
        torch.manual_seed(0)
        q = make(dims, kappa)
        mass = integral(lambda s: 1.0, dims, kappa)
        mean = integral(lambda s: s, dims, kappa) / mass
        draws = 0.5 * (q.rsample((4,)) - q.loc).square().sum(-1)
        for s in draws.tolist():
            exact = integral(lambda t: t - mean, dims, kappa, s) / math.exp(log_height_density(s, dims, kappa))
            slope = height_slope(torch.tensor([s], dtype=torch.float64), q.concentration.reshape(1), dims)
            assert slope.item() == pytest.approx(exact, rel=1e-4)

    def test_heights_of_draws_follow_the_density(self, dims, kappa):
        """Kolmogorov-Smirnov at level 1e-4, 2,000 draws, seed 0; the CDF by the trapezoid rule in s = v²."""
        torch.manual_seed(0)
        q = make(dims, kappa)
        z = q.sample((2_000,))
        torch.testing.assert_close(z.norm(dim=-1), torch.ones(2_000, dtype=torch.float64))
        heights = 0.5 * (z - q.loc).square().sum(-1).numpy()
        # In the angle, s = 1 − cos θ, the density ∝ sin^{D−2} θ e^{−κ s} has no poles.
        angles = np.linspace(0, min(math.pi, 12 * math.sqrt(dims / kappa)), 200_001)
        density = np.sin(angles) ** (dims - 2) * np.exp(-2 * kappa * np.sin(angles / 2) ** 2)
        cdf = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
        found = stats.kstest(2 * np.arcsin(np.sqrt(heights / 2)), lambda a: np.interp(a, angles, cdf / cdf[-1]))
        assert found.pvalue > 1e-4


@pytest.mark.parametrize("dims", [2, 3, 6])
def test_the_directions_around_the_mean_are_even(dims):
    """Mean and covariance of 40,000 draws within 5 standard errors of the formula, seed 0."""
    torch.manual_seed(0)
    q = make(dims, 4.0)
    z = q.sample((40_000,))
    assert ((z.mean(0) - q.mean).abs() < 5 * (q.variance / 40_000).sqrt() + 1e-12).all()
    square = (z - q.mean).square()
    assert ((square.mean(0) - q.variance).abs() < 5 * square.std(0) / 200).all()


@pytest.mark.parametrize("dims", [2, 3, 10])
def test_gradient_of_an_expectation_is_exact(dims):
    """∇ E[a·z + (b·z)²] through 60,000 draws within 5 standard errors of the closed form, seed 0."""
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(1)
    a, b = (torch.randn(dims, dtype=torch.float64, generator=g) for _ in range(2))
    raw = torch.randn(dims, dtype=torch.float64, generator=g, requires_grad=True)
    kappa = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)

    q = VonMisesFisher(raw / raw.norm(), kappa)
    cosine = q.mean_cosine()
    across = cosine / kappa
    exact = cosine * (a @ q.loc) + across * (b @ b) + (1 - dims * across) * (b @ q.loc) ** 2
    expected = torch.autograd.grad(exact, (raw, kappa), retain_graph=True)

    n = 60_000
    many_raw, many_kappa = raw.detach().expand(n, dims).requires_grad_(), kappa.detach().expand(n).requires_grad_()
    z = VonMisesFisher(many_raw / many_raw.norm(dim=-1, keepdim=True), many_kappa).rsample()
    each = torch.autograd.grad((z @ a + (z @ b) ** 2).sum(), (many_raw, many_kappa))
    for draws, value in zip(each, expected, strict=True):
        assert ((draws.mean(0) - value).abs() < 5 * draws.std(0) / math.sqrt(n)).all()


def test_closed_form_kl_agrees_with_monte_carlo():
    """Within 4 standard errors, 20,000 draws, seed 0."""
    torch.manual_seed(0)
    for dims in DIMS:
        q, p = make(dims, 7.0), SphereUniform(dims, torch.zeros((), dtype=torch.float64))
        value, error = monte_carlo_kl(q, p, 20_000)
        assert abs(value - kl(q, p, torch.zeros(1))) < 4 * error


@pytest.mark.parametrize("dims", DIMS)
@pytest.mark.parametrize("kappa", CONCENTRATIONS)
def test_float32_density_of_its_own_draws(dims, kappa):
    """Against float64 at the same draws: within 2e-3 nats where κ = 1e5, and 1e-4 otherwise."""
    torch.manual_seed(0)
    q = make(dims, kappa, torch.float32)
    z = q.rsample((50,))
    exact = VonMisesFisher(torch.nn.functional.normalize(q.loc.double(), dim=0), q.concentration)
    wide = exact.log_prob(torch.nn.functional.normalize(z.double(), dim=-1))
    torch.testing.assert_close(q.log_prob(z).double(), wide, atol=2e-3 if kappa == 1e5 else 1e-4, rtol=1e-5)


def test_uniform_draws_have_no_direction():
    """Mean within 5 standard errors of zero, 40,000 draws, seed 0; the density is one over the area."""
    torch.manual_seed(0)
    p = SphereUniform(3, torch.zeros(()))
    z = p.sample((40_000,))
    assert (z.mean(0).abs() < 5 * (1 / 3 / 40_000) ** 0.5).all()
    torch.testing.assert_close(p.log_prob(z[:2]), torch.full((2,), -math.log(4 * math.pi)))
    assert (p.mean == 0).all()

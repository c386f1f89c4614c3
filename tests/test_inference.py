"""Fitted posteriors against exact ones: of linear-Gaussian models, densities with a known best fit, and quadrature."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import (
    Categorical,
    ExpTransform,
    Independent,
    LogNormal,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    kl_divergence,
)

from lowerbound.errors import UserError
from lowerbound.inference import Unconditional, fit_posterior, full_covariance, mean_field
from lowerbound.posteriors import DiagonalGaussian

GRADIENTS = ("pathwise", "sticking-the-landing", "score-function")


class Linear:
    """One x under z ~ N(0, I), x | z ~ N(W z, σ² I), with 3 latent and 5 data dimensions and a correlated posterior."""

    def __init__(self):
        g = torch.Generator().manual_seed(0)
        self.weight = 0.6 * torch.randn(5, 3, generator=g, dtype=torch.float64)
        self.x = torch.randn(5, generator=g, dtype=torch.float64)
        self.sigma = 0.7
        eye = torch.eye(5, dtype=torch.float64)
        covariance = self.weight @ self.weight.T + self.sigma**2 * eye
        self.log_evidence = MultivariateNormal(torch.zeros_like(self.x), covariance).log_prob(self.x).item()
        precision = torch.eye(3, dtype=torch.float64) + self.weight.T @ self.weight / self.sigma**2
        mean = torch.linalg.solve(precision, self.weight.T @ self.x / self.sigma**2)
        self.posterior = MultivariateNormal(mean, precision_matrix=precision)

    def __call__(self, z):
        likelihood = Normal(z @ self.weight.T, self.sigma).log_prob(self.x).sum(-1)
        return likelihood + Normal(0.0, 1.0).log_prob(z).sum(-1)

    def bound(self, q):
        """L(q) of a Gaussian, exactly: the expectation of a quadratic function, and the entropy."""
        m, s = q.mean, q.covariance_matrix
        residual = (self.x - self.weight @ m).square().sum() + (self.weight @ s @ self.weight.T).trace()
        likelihood = -0.5 * residual / self.sigma**2 - 2.5 * math.log(2 * math.pi * self.sigma**2)
        prior = -0.5 * (m.square().sum() + s.trace()) - 1.5 * math.log(2 * math.pi)
        return (likelihood + prior + q.entropy()).item()


ORACLE = Linear()


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_the_exact_posterior_of_a_linear_gaussian_model_is_found(gradient):
    """Mean, covariance and evidence: to the digits, or to the noise of the last steps where the gradient has any."""
    fit = fit_posterior(ORACLE, full_covariance(3).double(), gradient=gradient, steps=600, learning_rate=0.05)
    near = 1e-3 if gradient == "sticking-the-landing" else 0.03
    torch.testing.assert_close(fit.distribution.mean, ORACLE.posterior.mean, atol=near, rtol=0)
    torch.testing.assert_close(
        fit.distribution.covariance_matrix, ORACLE.posterior.covariance_matrix, atol=near, rtol=0
    )
    assert fit.bound == pytest.approx(ORACLE.log_evidence, abs=near)
    assert not fit.distribution.mean.requires_grad


def test_bound_and_divergence_add_up_to_the_evidence_at_each_step():
    """L(q) + KL(q ‖ posterior) = log p(x) exactly, and the trajectory scatters around L(q).

    The mean of the deviations within 4 standard errors, 300 steps of 64 draws, seed 0.
    """
    exact = []

    def on_step(step, q):
        assert step == len(exact)
        q = MultivariateNormal(q.mean.detach(), scale_tril=q.scale_tril.detach())
        exact.append(ORACLE.bound(q))
        assert exact[-1] + kl_divergence(q, ORACLE.posterior).item() == pytest.approx(ORACLE.log_evidence, abs=1e-9)

    fit = fit_posterior(ORACLE, full_covariance(3).double(), particles=64, steps=300, on_step=on_step)
    assert len(exact) == len(fit.trajectory) == 300
    assert exact[-1] > exact[0] + 1
    deviation = fit.trajectory - torch.tensor(exact, dtype=torch.float64)
    assert abs(deviation.mean().item()) < 4 * deviation.std().item() / math.sqrt(300)


def test_mean_field_finds_the_best_independent_gaussian():
    """The posterior's mean, and the reciprocals of its precision's diagonal, which are less than its variances."""
    fit = fit_posterior(ORACLE, mean_field(3).double(), particles=256, steps=600)
    best = 1 / ORACLE.posterior.precision_matrix.diagonal()
    torch.testing.assert_close(fit.distribution.mean, ORACLE.posterior.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(fit.distribution.variance, best, atol=0.01, rtol=0)
    assert (best < ORACLE.posterior.variance - 0.01).all()
    gap = 0.5 * (ORACLE.posterior.covariance_matrix.logdet() - best.log().sum()).item()
    assert fit.bound == pytest.approx(ORACLE.log_evidence - gap, abs=5 * fit.standard_error + 1e-3)


def test_the_standard_error_is_that_of_the_bound():
    """Over 40 estimates for the same q, whose spread is then known to a ninth; 4 of those, seeds 0 to 39."""
    fits = [
        fit_posterior(ORACLE, full_covariance(3).double(), steps=1, learning_rate=1e-12, draws=500, seed=seed)
        for seed in range(40)
    ]
    bounds = torch.tensor([fit.bound for fit in fits])
    stated = sum(fit.standard_error for fit in fits) / 40
    assert bounds.std().item() == pytest.approx(stated, rel=4 / 9)
    exact = ORACLE.bound(MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double()))
    assert bounds.mean().item() == pytest.approx(exact, abs=4 * stated / math.sqrt(40))


def banana(z, sigma=1.5, tau=0.5):
    """z₁ ~ N(0, σ²), z₂ | z₁ ~ N(z₁², τ²)."""
    return Normal(0.0, sigma).log_prob(z[:, 0]) + Normal(z[:, 0] ** 2, tau).log_prob(z[:, 1])


def test_the_reverse_divergence_withdraws_into_the_bend_of_a_banana():
    """The best independent Gaussian solves 4 s⁴ / τ² + s² / σ² = 1: s is a third of σ, and its mean is (0, s²)."""
    fit = fit_posterior(banana, mean_field(2).double(), particles=256, steps=1000)
    sigma, tau = 1.5, 0.5
    squared = tau**2 / 8 * (math.sqrt(1 / sigma**4 + 16 / tau**2) - 1 / sigma**2)
    torch.testing.assert_close(fit.distribution.mean.tolist(), [0.0, squared], atol=0.02, rtol=0)
    torch.testing.assert_close(fit.distribution.stddev.tolist(), [math.sqrt(squared), tau], atol=0.02, rtol=0)
    assert math.sqrt(squared) < 0.34 * sigma
    assert fit.bound < -0.5  # the density integrates to one, so the bound is −KL


def test_the_forward_divergence_spreads_over_the_whole_banana():
    """To its moments, mean (0, σ²) and variances σ² and 2 σ⁴ + τ²; within a tenth, seed 0."""
    fit = fit_posterior(
        lambda z: banana(z, 1.0, 1.0),
        wide(full_covariance(2), [0.0, 1.0], 4.0),
        direction="forward",
        particles=2000,
        steps=300,
        learning_rate=0.05,
    )
    assert fit.distribution.mean.tolist() == pytest.approx([0.0, 1.0], abs=0.1)
    assert fit.distribution.variance.tolist() == pytest.approx([1.0, 3.0], rel=0.1)


def wide(family, mean, scale):
    """A Gaussian family that begins with this mean and standard deviation."""
    with torch.no_grad():
        family.features[: len(mean)] = torch.tensor(mean)
        family.features[len(mean) : 2 * len(mean)] = 2 * math.log(scale)
    return family.double()


def two_modes(z):
    """½ N(−μ, s² I) + ½ N(μ, s² I) with μ = (3, 0) and s = 0.5, times e."""
    mean = torch.tensor([3.0, 0.0], dtype=z.dtype)
    parts = [Normal(sign * mean, 0.5).log_prob(z).sum(-1) for sign in (-1, 1)]
    return 1 + torch.logaddexp(*parts) - math.log(2)


@pytest.mark.parametrize("side", [-1, 1])
def test_the_reverse_divergence_takes_one_mode_and_pays_log_two(side):
    """q is the Gaussian that it began nearer to, and L = log Z − log 2 with Z = e."""
    family = wide(full_covariance(2), [0.5 * side, 0.0], 1.0)
    fit = fit_posterior(two_modes, family, gradient="sticking-the-landing", steps=500, learning_rate=0.05)
    assert fit.distribution.mean.tolist() == pytest.approx([3.0 * side, 0.0], abs=0.01)
    expected = 0.25 * torch.eye(2, dtype=torch.float64)
    torch.testing.assert_close(fit.distribution.covariance_matrix, expected, atol=0.01, rtol=0)
    assert fit.bound == pytest.approx(1 - math.log(2), abs=1e-3)


def test_the_forward_divergence_covers_both_modes():
    """Its best Gaussian has the moments of the density: mean 0, variances s² + 3² and s²."""
    family = wide(full_covariance(2), [0.0, 0.0], 2.0)
    fit = fit_posterior(two_modes, family, direction="forward", particles=2000, steps=300, learning_rate=0.05)
    assert fit.distribution.mean.tolist() == pytest.approx([0.0, 0.0], abs=0.15)
    assert fit.distribution.variance.tolist() == pytest.approx([9.25, 0.25], rel=0.1)
    assert fit.bound < 1 - math.log(2) - 1  # which the bound does not like at all


def two_moons(z):
    """The first energy of Rezende and Mohamed, Variational inference with normalizing flows, 2015, table 1."""
    ring = -0.5 * ((z.norm(dim=-1) - 2) / 0.4) ** 2
    sides = [-0.5 * ((z[:, 0] - side) / 0.6) ** 2 for side in (-2, 2)]
    return ring + torch.logaddexp(*sides)


def test_bound_and_divergence_add_up_where_only_quadrature_knows_the_evidence():
    """Of two moons: L(q) + KL(q ‖ p) = log Z with Z and KL by quadrature; 5 standard errors, seed 0."""
    fit = fit_posterior(two_moons, full_covariance(2).double(), gradient="sticking-the-landing", steps=600)
    axis = torch.linspace(-6, 6, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_p, log_q, cell = two_moons(grid), fit.distribution.log_prob(grid), (axis[1] - axis[0]).log() * 2
    log_z = (log_p + cell).logsumexp(0).item()
    q = (log_q + cell).exp()
    divergence = (q * (log_q - log_p + log_z)).sum().item()
    assert q.sum().item() == pytest.approx(1, abs=1e-3)
    assert divergence > 0.5  # one moon is out of reach
    assert fit.bound + divergence == pytest.approx(log_z, abs=5 * fit.standard_error + 2e-3)


def test_a_flow_is_a_family_like_any_other():
    """exp of a Gaussian is the log-normal distribution; the density here integrates to e²."""

    class Exponential(nn.Module):
        def __init__(self):
            super().__init__()
            self.loc, self.log_scale = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))

        def forward(self):
            base = Independent(Normal(self.loc, self.log_scale.exp()), 1)
            return TransformedDistribution(base, [ExpTransform()])

    family, target = Exponential().double(), LogNormal(0.3, 0.7)
    fit = fit_posterior(
        lambda z: 2 + target.log_prob(z[:, 0]), family, gradient="sticking-the-landing", steps=400, learning_rate=0.05
    )
    assert fit.bound == pytest.approx(2, abs=1e-4)
    assert (family.loc.item(), family.log_scale.exp().item()) == pytest.approx((0.3, 0.7), abs=1e-3)


def test_a_discrete_posterior_is_found_by_the_score_function():
    """Ten states, whose posterior and evidence are known by enumeration; the log joint has no gradient at all."""
    g = torch.Generator().manual_seed(0)
    table = torch.randn(10, generator=g, dtype=torch.float64)

    class States(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.zeros(10, dtype=torch.float64))

        def forward(self):
            return Categorical(logits=self.logits)

    fit = fit_posterior(lambda z: table[z], States(), gradient="score-function", steps=1500, learning_rate=0.05)
    torch.testing.assert_close(fit.distribution.probs, table.softmax(0), atol=0.01, rtol=0)
    assert fit.bound == pytest.approx(table.logsumexp(0).item(), abs=5e-3)


def test_the_caller_s_generator_and_gradients_are_left_alone():
    weight = nn.Parameter(torch.ones(2))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fits = [fit_posterior(lambda z: -(z - weight).square().sum(-1), mean_field(2), steps=20) for _ in range(2)]
    assert torch.equal(torch.rand(1), expected)
    assert weight.grad is None
    assert torch.equal(fits[0].trajectory, fits[1].trajectory)


def several():
    """A family of two distributions."""

    class Several(Unconditional):
        def forward(self):
            return Normal(self.features[:2], 1.0)

    return Several(DiagonalGaussian(2))


class Fixed(nn.Module):
    def forward(self):
        return Categorical(logits=torch.zeros(3))


class Discrete(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(3))

    def forward(self):
        return Categorical(logits=self.logits)


@pytest.mark.parametrize(
    ("log_joint", "family", "settings", "words"),
    [
        (lambda z: -z.square().sum(-1), Fixed(), {}, "no parameters to fit"),
        (lambda z: z.double(), Discrete(), {}, "use gradient = 'score-function'"),
        (
            lambda z: -z.square(),
            mean_field(2),
            {},
            r"shape \[32\] for z of shape \[32, 2\]; it returned shape \[32, 2\]",
        ),
        (lambda z: -z.square().sum(-1), several(), {}, r"batch shape \[2\].*Independent"),
        (lambda z: z.sum(-1) / 0, mean_field(2), {}, "not finite at step 0"),
        (lambda z: -z.square().sum(-1), mean_field(2), {"steps": 0}, "steps must be at least 1"),
        (lambda z: -z.square().sum(-1), mean_field(2), {"draws": 1}, "draws must be at least 2"),
        (
            lambda z: -z.square().sum(-1),
            mean_field(2),
            {"particles": 1, "gradient": "score-function"},
            "at least 2 particles",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(log_joint, family, settings, words):
    with pytest.raises(ValueError, match=words) as raised:
        fit_posterior(log_joint, family, **settings)
    assert settings or isinstance(raised.value, UserError)

"""Penalties on the aggregate posterior, each against its formula in a loop, and where its value is known."""

import itertools
import math

import pytest
import torch
from torch.distributions import Independent, LogNormal, MultivariateNormal, Normal

from lowerbound.models import Latent, Trace
from lowerbound.objectives import DIPVAE, ELBO, Capacity, InfoVAE, squared_mmd
from lowerbound.objectives.elbo import LEAST_SPENT
from lowerbound.objectives.moments import code_covariance
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
HALF = torch.tensor(0.5)


def traced(particles=3):
    torch.manual_seed(0)
    return ORACLE.model(spread=1.4, shift=0.3).trace(ORACLE.sample(4), particles)


def similarity(x, y, kernel, bandwidth):
    distance = sum((a - b) ** 2 for a, b in zip(x.tolist(), y.tolist(), strict=True))
    scale = 2 * len(x) * bandwidth**2
    return scale / (scale + distance) if kernel == "imq" else math.exp(-distance / scale)


def mmd_by_loops(a, b, kernel, bandwidth):
    n, m = len(a), len(b)
    within_a = sum(similarity(a[i], a[j], kernel, bandwidth) for i, j in itertools.permutations(range(n), 2))
    within_b = sum(similarity(b[i], b[j], kernel, bandwidth) for i, j in itertools.permutations(range(m), 2))
    between = sum(similarity(x, y, kernel, bandwidth) for x in a for y in b)
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * between / (n * m)


@pytest.mark.parametrize("bandwidth", [1.0, 0.4])
@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_the_discrepancy_is_the_loop_over_pairs(kernel, bandwidth):
    torch.manual_seed(0)
    a, b = torch.randn(3, 5, 2, dtype=torch.float64), torch.randn(3, 7, 2, dtype=torch.float64) + 1
    expected = [mmd_by_loops(a[k], b[k], kernel, bandwidth) for k in range(3)]
    assert squared_mmd(a, b, kernel, bandwidth).tolist() == pytest.approx(expected)


def test_the_discrepancy_is_unbiased():
    """Against MMD² of N(0, 1) and N(1, 1), exactly; 4 standard errors, 4,000 repetitions, seed 0.

    With k = exp(−(x − y)² / 2), E k for x − y ~ N(m, 2) is exp(−m² / 6) / √3.
    """
    torch.manual_seed(0)
    a, b = torch.randn(4_000, 6, 1), torch.randn(4_000, 5, 1)
    for shift in (0.0, 1.0):
        values = squared_mmd(a, b + shift, "rbf", 1.0)
        exact = 2 / math.sqrt(3) * (1 - math.exp(-(shift**2) / 6))
        assert values.mean().item() == pytest.approx(exact, abs=4 * values.std().item() / math.sqrt(4_000))


def test_info_vae_adds_the_discrepancy_of_each_particle():
    trace = traced()
    torch.manual_seed(5)
    value = InfoVAE(beta=0.5, mmd=7.0)(trace, HALF)
    torch.manual_seed(5)
    prior = trace.latents[0].prior.sample((3, 4))
    mean = sum(mmd_by_loops(trace.latents[0].z[k], prior[k], "imq", 1.0) for k in range(3)) / 3
    elbo = ELBO()(trace, HALF)
    assert value.loss.item() == pytest.approx((elbo.distortion + 0.5 * elbo.rate).item() + 7 * mean)
    torch.testing.assert_close(value[1:], elbo[1:])


def penalty_by_loops(means, covariances, variant, off_diagonal, diagonal):
    """The paper's regularizers, with every expectation a sum over the data."""
    n, dims = len(means), means.shape[1]
    total = 0.0
    for i, j in itertools.product(range(dims), repeat=2):
        entry = sum(means[b, i] * means[b, j] for b in range(n)) / n
        entry -= sum(means[:, i]) / n * sum(means[:, j]) / n
        if variant == "II":
            entry += sum(covariances[b, i, j] for b in range(n)) / n
        total += diagonal * (entry - 1) ** 2 if i == j else off_diagonal * entry**2
    return total.item()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("variant", ["I", "II"])
def test_dip_vae_is_the_paper_s_formula(variant, full):
    trace = traced()
    latent = trace.latents[0]
    posterior, covariances = latent.posterior, torch.diag_embed(latent.posterior.variance)
    if full:
        factor = torch.tensor([[0.5, 0.0], [0.3, 0.8]], dtype=torch.float64).expand(4, 2, 2)
        posterior = MultivariateNormal(posterior.mean, scale_tril=factor)
        covariances = factor @ factor.mT
    trace = trace._replace(latents=(latent._replace(posterior=posterior),))
    value, elbo = DIPVAE(variant, 3.0, 20.0)(trace, HALF), ELBO()(trace, HALF)
    expected = penalty_by_loops(posterior.mean, covariances, variant, 3.0, 20.0)
    assert value.loss.item() == pytest.approx(elbo.loss.item() + expected)
    torch.testing.assert_close(value[1:3], elbo[1:3])


def test_the_covariance_of_the_code_is_that_of_the_aggregate_posterior():
    """Which for the exact posterior of the linear-Gaussian model is the prior's, I; 200,000 data, seed 1."""
    posterior = ORACLE.model().posterior(ORACLE.sample(200_000))
    eye = torch.eye(2, dtype=torch.float64)
    torch.testing.assert_close(code_covariance(posterior, of_means=False), eye, atol=0.015, rtol=0)
    means = eye - torch.diag(1 / ORACLE.posterior_precision())
    torch.testing.assert_close(code_covariance(posterior, of_means=True), means, atol=0.015, rtol=0)


def test_the_capacity_rises_and_its_distance_is_charged():
    trace, objective = traced(), Capacity(nats=2.0, gamma=30.0, kl_warmup=0.4)
    plain = ELBO()(trace, HALF)
    for progress, capacity in ((0.0, 0.0), (0.1, 0.5), (0.4, 2.0), (0.9, 2.0)):
        value = objective(trace, torch.tensor(progress))
        expected = plain.distortion.item() + 30 * abs(plain.rate.item() - capacity)
        assert value.loss.item() == pytest.approx(expected, rel=1e-6)
        torch.testing.assert_close(value[1:3], plain[1:3])
    assert 0.5 < plain.rate < 2.0  # so that the distance was taken on both sides


def two_groups():
    """Groups of 2 and of 3 dimensions that spend different amounts, for 4 data."""
    torch.manual_seed(0)

    def group(dims, shift):
        q = Independent(Normal(shift + 0.3 * torch.randn(4, dims).double(), 0.9), 1)
        return Latent(q.rsample((3,)), q, Independent(Normal(torch.zeros(dims).double(), 1.0), 1))

    latents = (group(2, 2.0), group(3, 0.0))
    return Trace(torch.zeros(4, 1).double(), Independent(Normal(torch.zeros(3, 4, 1).double(), 1.0), 1), latents)


def test_balancing_charges_each_group_by_what_its_dimensions_spend_while_the_kl_warms_up():
    trace, objective = two_groups(), ELBO(kl_warmup=0.4, kl_balance=True)
    kl = [latent.kl().mean().item() for latent in trace.latents]
    spent = [(kl[0] + LEAST_SPENT) / 2, (kl[1] + LEAST_SPENT) / 3]
    charged = sum(2 * share / sum(spent) * nats for share, nats in zip(spent, kl, strict=True))
    value = objective(trace, torch.tensor(0.1))
    assert value.loss.item() == pytest.approx(value.distortion.item() + 0.25 * charged, rel=1e-6)
    assert value.rate.item() == pytest.approx(sum(kl))
    assert charged > 1.1 * sum(kl)  # the group that spends most is charged most
    torch.testing.assert_close(objective(trace, HALF), ELBO()(trace, HALF))


def test_balancing_has_no_gradient_of_its_own():
    """A group's gradient is γ_l times that of its KL, as if γ_l were a constant."""
    mean = torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    groups = [Independent(Normal(mean[:, [d]], 1.0), 1) for d in range(2)]
    prior = Independent(Normal(torch.zeros(1).double(), 1.0), 1)
    latents = tuple(Latent(q.mean.detach().unsqueeze(0), q, prior) for q in groups)
    trace = Trace(torch.zeros(1, 1), Independent(Normal(torch.zeros(1, 1, 1), 1.0), 1), latents)
    ELBO(kl_warmup=1.0, kl_balance=True)(trace, HALF).loss.backward()
    spent = torch.tensor([0.5, 2.0], dtype=torch.float64) + LEAST_SPENT
    torch.testing.assert_close(mean.grad[0], 0.5 * spent / spent.mean() * mean[0].detach())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Capacity(nats=-1.0), "nats must be"),
        (lambda: Capacity(kl_warmup=1.5), "share of the training"),
        (lambda: ELBO(kl_balance=True), "kl_balance needs a kl_warmup"),
        (lambda: ELBO(kl_balance=True, kl_warmup=0.1, gradient="sticking-the-landing"), "the pathwise gradient"),
        (lambda: InfoVAE(bandwidth=0.0), "bandwidth must be positive"),
        (lambda: InfoVAE(mmd=math.inf), "mmd must be"),
        (lambda: DIPVAE(diagonal=-1.0), "diagonal must be"),
        (lambda: squared_mmd(torch.zeros(1, 2), torch.zeros(3, 2)), "at least 2 draws"),
        (lambda: InfoVAE()(two_groups(), HALF), "one group of latent variables"),
        (lambda: code_covariance(LogNormal(torch.zeros(3, 2), 1.0), of_means=True), "LogNormal are not known"),
    ],
)
def test_what_cannot_be_computed_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_conditional_prior_is_refused_where_draws_of_it_are_compared():
    trace = traced()
    conditional = trace.latents[0]._replace(prior=trace.latents[0].posterior)
    with pytest.raises(ValueError, match="whose prior depends on nothing"):
        InfoVAE()(trace._replace(latents=(conditional,)), HALF)

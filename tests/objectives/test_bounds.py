"""Bounds against the linear-Gaussian model: their order, their value at the exact posterior, their gradients."""

import math

import pytest
import torch

from lowerbound.objectives import ELBO, IWAE
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
HALF = torch.tensor(0.5)


def exact_elbo(oracle, x, spread, shift):
    """The lower bound of the linear-Gaussian model with a wrong posterior, exactly: log p(x) − KL(q ‖ posterior)."""
    precision = oracle.posterior_precision()
    each = 0.5 * (spread**2 - 1 - 2 * math.log(spread) + shift**2 * precision)
    return oracle.log_prob(x) - each.sum()


@pytest.mark.parametrize("objective", [ELBO(), IWAE(1), IWAE(5), IWAE(50)], ids=str)
def test_equality_at_the_exact_posterior(objective):
    x = ORACLE.sample(6)
    value = objective(ORACLE.model().trace(x, objective.particles), HALF)
    exact = -ORACLE.log_prob(x).mean().item()
    if isinstance(objective, ELBO):  # the closed-form KL leaves the noise of log p(x | z)
        value = objective(ORACLE.model().trace(x, 200_000), HALF)
        assert value.loss.item() == pytest.approx(exact, abs=0.01)
    else:
        assert value.loss.item() == pytest.approx(exact, abs=1e-5)
    assert (value.distortion + value.rate).item() == pytest.approx(
        exact, abs=0.01 if isinstance(objective, ELBO) else 1e-5
    )


def test_bounds_are_ordered_and_rise_with_the_particles():
    """ELBO ≤ L_5 ≤ L_50 ≤ log p(x), each step larger than 4 standard errors; 4,000 repetitions, seed 0."""
    torch.manual_seed(0)
    x, repeats = ORACLE.sample(3), 4_000
    model = ORACLE.model(spread=1.6, shift=0.3)
    means, errors = [], []
    for particles in (1, 5, 50):
        weights = model.trace(x, particles * repeats).log_weight().view(particles, repeats, 3)
        bounds = (weights.logsumexp(0) - math.log(particles)).mean(-1)
        means.append(bounds.mean().item())
        errors.append(bounds.std().item() / math.sqrt(repeats))
        direct = IWAE(particles)(model.trace(x.repeat(repeats, 1), particles), HALF)
        assert -direct.loss.item() == pytest.approx(means[-1], abs=6 * errors[-1])
    exact = ORACLE.log_prob(x).mean().item()
    assert means[0] == pytest.approx(exact_elbo(ORACLE, x, 1.6, 0.3).mean().item(), abs=4 * errors[0])
    assert means[0] + 4 * errors[0] < means[1]
    assert means[1] + 4 * errors[1] < means[2]
    assert means[2] + 4 * errors[2] < exact


def test_elbo_is_the_exact_bound_and_its_gradient_is_exact():
    """Against log p(x) − KL(q ‖ p(z | x)), differentiated by hand; 4 standard errors, 400 × 500 draws, seed 0."""
    torch.manual_seed(0)
    x = ORACLE.sample(3)
    spread, shift = 1.6, 0.3
    model = ORACLE.model(spread=spread, shift=shift)
    bias = model.encoder.network.bias
    values, gradients = [], []
    for _ in range(400):
        loss = ELBO()(model.trace(x, 500), HALF).loss
        values.append(loss.item())
        gradients.append(torch.autograd.grad(loss, bias)[0])
    values, gradients = torch.tensor(values), torch.stack(gradients)
    exact = -exact_elbo(ORACLE, x, spread, shift).mean().item()
    assert abs(values.mean().item() - exact) < 4 * values.std().item() / 20
    # d/dμ of shift² · precision / 2, and d/d log σ² of (spread² − log spread²) / 2
    precision = ORACLE.posterior_precision()
    expected = torch.cat([shift * precision, torch.full((2,), 0.5 * (spread**2 - 1), dtype=torch.float64)])
    assert ((gradients.mean(0) - expected).abs() < 4 * gradients.std(0) / 20).all()


def test_iwae_with_one_particle_has_the_elbo_s_value():
    torch.manual_seed(0)
    trace = ORACLE.model(spread=1.5).trace(ORACLE.sample(3).repeat(40_000, 1))
    elbo, iwae = ELBO()(trace, HALF), IWAE(1)(trace, HALF)
    assert iwae.loss.item() == pytest.approx(elbo.loss.item(), abs=0.02)
    torch.testing.assert_close(iwae.loss, iwae.distortion + iwae.rate)
    torch.testing.assert_close(iwae.distortion, elbo.distortion)


def test_iwae_reports_the_bound_itself():
    """Not the surrogate −Σ w̃ log w, which has its gradient and is up to log K too optimistic."""
    torch.manual_seed(0)
    trace = ORACLE.model(spread=2.0, shift=1.0).trace(ORACLE.sample(5), 7)
    log_w = trace.log_weight()
    expected = -sum(math.log(sum(math.exp(w) for w in column) / 7) for column in log_w.T.tolist()) / 5
    assert IWAE(7)(trace, HALF).loss.item() == pytest.approx(expected)
    surrogate = -(log_w.softmax(0).detach() * log_w).sum(0).mean()
    assert IWAE(7)(trace, HALF).loss.item() > surrogate.item()


def test_beta_weighs_the_rate_and_leaves_the_report_alone():
    trace = ORACLE.model(spread=1.5).trace(ORACLE.sample(3))
    one, four = ELBO()(trace, HALF), ELBO(beta=4.0)(trace, HALF)
    torch.testing.assert_close(four.loss - one.loss, 3 * one.rate)
    torch.testing.assert_close(four.rate, one.rate)


def test_kl_warmup_rises_to_beta_and_stays():
    objective = ELBO(beta=2.0, kl_warmup=0.4)
    weights = [objective.kl_weight(torch.tensor(p)).item() for p in (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)]
    assert weights == pytest.approx([0.0, 0.5, 1.0, 2.0, 2.0, 2.0])
    assert ELBO().kl_weight(torch.tensor(0.0)).item() == 1.0
    trace = ORACLE.model().trace(ORACLE.sample(3))
    start = objective(trace, torch.tensor(0.0))
    torch.testing.assert_close(start.loss, start.distortion)


def test_free_bits_charge_at_least_their_price():
    trace = ORACLE.model(spread=1.1, shift=0.1).trace(ORACLE.sample(6))
    each = trace.latents[0].kl_per_dimension().mean(0)
    price = each.mean().item()  # above one dimension's KL, below the other's
    assert each.min() < price < each.max()
    free, plain = ELBO(free_bits=price)(trace, HALF), ELBO()(trace, HALF)
    torch.testing.assert_close(free.loss, plain.distortion + each.clamp(min=price).sum())
    torch.testing.assert_close(free.rate, plain.rate)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ELBO(kl_warmup=1.5), "kl_warmup = 1.5 is a share of the training"),
        (lambda: ELBO(kl_warmup=-0.1), "share of the training"),
        (lambda: ELBO(beta=-1.0), "beta must be"),
        (lambda: ELBO(beta=math.nan), "beta must be"),
        (lambda: ELBO(free_bits=math.inf), "free_bits must be"),
        (lambda: ELBO(particles=0), "particles must be at least 1"),
        (lambda: IWAE(0), "particles must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()

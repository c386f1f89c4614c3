"""Gradient estimators: what each expects, how much it varies, and that none changes the value of its bound."""

import math

import pytest
import torch

from lowerbound.models import Latent, Trace
from lowerbound.objectives import CIWAE, ELBO, IWAE, MIWAE, PIWAE, Renyi
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
X = ORACLE.sample(3)
HALF = torch.tensor(0.5)
SPREAD, SHIFT = 1.6, 0.3

ELBOS = [ELBO(), ELBO(gradient="sticking-the-landing"), ELBO(gradient="score-function", particles=4)]
IWAES = [IWAE(5, gradient) for gradient in ("pathwise", "doubly-reparameterized", "score-function")]


def gradients(objective, model, repeats, seed=0, copies=1):
    """Gradients of the encoder's and of the decoder's bias, [repeats, …] each, on so many copies of the data."""
    torch.manual_seed(seed)
    x = X.repeat(copies, 1)
    wanted = (model.encoder.network.bias, model.decoder.network.bias)
    rows = [
        torch.autograd.grad(
            objective(model.trace(x, objective.particles, pathwise=objective.pathwise), HALF).loss, wanted
        )
        for _ in range(repeats)
    ]
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def agree(a, b, errors=4.5):
    """Whether two samples have the same mean, within so many standard errors in every entry."""
    error = (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()
    return ((a.mean(0) - b.mean(0)).abs() < errors * error).all()


@pytest.mark.parametrize("objective", ELBOS, ids=str)
def test_every_estimator_of_the_elbo_expects_the_exact_gradient(objective):
    """Of log p(x) − KL(q ‖ p(z | x)), by hand; 4.5 standard errors, 300 × 10 draws, seed 0."""
    encoder, decoder = gradients(objective, ORACLE.model(spread=SPREAD, shift=SHIFT), 300, copies=10)
    precision = ORACLE.posterior_precision()
    exact = torch.cat([SHIFT * precision, torch.full((2,), 0.5 * (SPREAD**2 - 1), dtype=torch.float64)])
    assert ((encoder.mean(0) - exact).abs() < 4.5 * encoder.std(0) / math.sqrt(300)).all()
    # d/db of −log p(x | z), whose mean over q is exact: (W E[z] + b − x) / σ²
    residual = (ORACLE.posterior_mean(X) + SHIFT) @ ORACLE.weight.T + ORACLE.bias - X
    exact = residual.mean(0) / ORACLE.sigma**2
    assert ((decoder.mean(0) - exact).abs() < 4.5 * decoder.std(0) / math.sqrt(300)).all()


def test_variances_come_in_the_known_order():
    """Score function > pathwise > sticking the landing, which at the exact posterior has none; seed 0."""
    score, pathwise = (
        gradients(objective, ORACLE.model(spread=SPREAD, shift=1.0), 400)[0].var(0).mean().item()
        for objective in (ELBO(gradient="score-function", particles=2), ELBO(particles=2))
    )
    assert score > 1.5 * pathwise
    near, landing = (
        gradients(objective, ORACLE.model(spread=1.05), 200)[0].var(0).mean().item() for objective in ELBOS[:2]
    )
    assert landing < 0.1 * near
    assert gradients(ELBOS[1], ORACLE.model(), 20)[0].abs().max() < 1e-10
    assert gradients(ELBOS[0], ORACLE.model(), 200)[0].var(0).min() > 1e-4


@pytest.mark.parametrize("objective", IWAES[1:], ids=str)
def test_every_estimator_of_the_importance_weighted_bound_expects_the_same(objective):
    """As the pathwise gradient of the bound; 4.5 standard errors, 400 × 10 draws, seeds 0 and 1."""
    model = ORACLE.model(spread=SPREAD, shift=SHIFT)
    ours = gradients(objective, model, 400, copies=10)
    theirs = gradients(IWAES[0], model, 400, seed=1, copies=10)
    assert agree(ours[0], theirs[0])
    assert agree(ours[1], theirs[1])


def test_signal_to_noise_falls_with_the_particles_unless_doubly_reparameterized():
    """Rainforth et al. 2018, theorem 1: of the encoder's gradient, K = 4 against K = 256, 250 draws, seed 0."""
    model = ORACLE.model(spread=SPREAD, shift=SHIFT)

    def ratio(particles, gradient):
        drawn = gradients(IWAE(particles, gradient), model, 250)[0]
        return (drawn.mean(0).abs() / drawn.std(0)).mean().item()

    assert ratio(256, "pathwise") < 0.5 * ratio(4, "pathwise")
    assert ratio(256, "doubly-reparameterized") > ratio(4, "doubly-reparameterized")


@pytest.mark.parametrize("objective", [*ELBOS, *IWAES, PIWAE(2, 3)], ids=str)
def test_the_estimator_leaves_the_value_alone(objective):
    """Without gradients there is nothing to estimate, and the value is the same to the last digits."""
    model = ORACLE.model(spread=SPREAD, shift=SHIFT)

    def value():
        torch.manual_seed(0)
        return objective(model.trace(X, objective.particles, pathwise=objective.pathwise), HALF)

    with torch.no_grad():
        expected = value()
    torch.testing.assert_close(value()[:3], expected[:3])
    if not isinstance(objective, ELBO):
        torch.manual_seed(0)
        direct = IWAE(objective.particles)(model.trace(X, objective.particles), HALF)
        torch.testing.assert_close(expected.loss, direct.loss)


def test_doubly_reparameterized_leaves_the_decoder_alone():
    model = ORACLE.model(spread=SPREAD)
    ours, theirs = (gradients(IWAE(5, g), model, 3)[1] for g in ("doubly-reparameterized", "pathwise"))
    torch.testing.assert_close(ours, theirs)


def test_miwae_is_the_paper_s_double_loop():
    """M = 3 bounds of K = 7, which tells the two axes apart."""
    torch.manual_seed(0)
    trace = ORACLE.model(spread=SPREAD, shift=SHIFT).trace(X, 21)
    log_w, total = trace.log_weight(), 0.0
    for datum in range(3):
        for group in range(3):
            weights = [math.exp(log_w[group * 7 + k, datum].item()) for k in range(7)]
            total += math.log(sum(weights) / 7) / 3 / 3
    assert MIWAE(3, 7)(trace, HALF).loss.item() == pytest.approx(-total)


def test_piwae_gives_each_network_its_own_bound():
    """M = 3, K = 7: the decoder's gradient is that of IWAE(21), the encoder's that of MIWAE(3, 7)."""
    model = ORACLE.model(spread=SPREAD, shift=SHIFT)
    encoder, decoder = gradients(PIWAE(3, 7), model, 4)
    torch.testing.assert_close(decoder, gradients(IWAE(21), model, 4)[1])
    torch.testing.assert_close(encoder, gradients(MIWAE(3, 7), model, 4)[0])
    assert (encoder - gradients(IWAE(21), model, 4)[0]).abs().max() > 1e-3
    # A posterior ten times too wide: nearly all of the decoder's weights are too small for a float.
    wide = ORACLE.model(spread=40.0)
    encoder, decoder = gradients(PIWAE(3, 7), wide, 4)
    torch.testing.assert_close(decoder, gradients(IWAE(21), wide, 4)[1])
    torch.testing.assert_close(encoder, gradients(MIWAE(3, 7), wide, 4)[0])


@pytest.mark.parametrize("mixture", [0.0, 0.05, 1.0])
def test_ciwae_is_the_mixture(mixture):
    torch.manual_seed(0)
    trace = ORACLE.model(spread=SPREAD).trace(X, 6)
    expected = mixture * -trace.log_weight().mean() + (1 - mixture) * IWAE(6)(trace, HALF).loss
    torch.testing.assert_close(CIWAE(6, mixture)(trace, HALF).loss, expected)


def test_renyi_bounds_run_from_iwae_to_the_lower_bound_and_fall_with_the_order():
    torch.manual_seed(0)
    trace = ORACLE.model(spread=SPREAD, shift=SHIFT).trace(X, 50)
    log_w = trace.log_weight()
    torch.testing.assert_close(Renyi(50, 0.0)(trace, HALF).loss, IWAE(50)(trace, HALF).loss)
    torch.testing.assert_close(Renyi(50, 1.0)(trace, HALF).loss, -log_w.mean())
    torch.testing.assert_close(Renyi(50, 1 - 1e-6)(trace, HALF).loss, -log_w.mean(), atol=1e-4, rtol=0)
    losses = [Renyi(50, order)(trace, HALF).loss.item() for order in (-1.0, 0.0, 0.5, 1.0, 2.0)]
    assert losses == sorted(losses)
    by_hand = sum(2 * math.log(sum(math.exp(0.5 * w) for w in column) / 50) for column in log_w.T.tolist()) / 3
    assert Renyi(50, 0.5)(trace, HALF).loss.item() == pytest.approx(-by_hand)


def test_several_groups_of_latents_are_refused_where_the_estimator_needs_one():
    trace = ORACLE.model().trace(X, 2)
    two = Trace(trace.x, trace.likelihood, (trace.latents[0], Latent(*trace.latents[0])))
    for objective in (ELBOS[1], IWAE(2, "doubly-reparameterized"), PIWAE(1, 2)):
        with pytest.raises(ValueError, match="one group of latent variables"):
            objective(two, HALF)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ELBO(gradient="score-function"), "particles must be at least 2, not 1"),
        (lambda: IWAE(1, "score-function"), "particles must be at least 2"),
        (lambda: ELBO(free_bits=0.1, gradient="sticking-the-landing"), "free_bits needs the pathwise gradient"),
        (lambda: MIWAE(0, 3), "groups must be at least 1"),
        (lambda: PIWAE(3, 0), "particles_per_group must be at least 1"),
        (lambda: CIWAE(3, 1.2), "mixture must be between 0 and 1"),
        (lambda: Renyi(3, math.inf), "order must be a finite number"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()

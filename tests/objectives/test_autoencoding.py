"""Losses that are not bounds, against loops over the papers' formulas."""

from __future__ import annotations

import math

import pytest
import torch

from lowerbound.likelihoods import Bernoulli, Gaussian
from lowerbound.models import VAE, VQVAE
from lowerbound.nn import MLP, Conditional
from lowerbound.objectives import ELBO, GradientPenalty, VectorQuantization, WeightPenalty
from lowerbound.posteriors import Deterministic, DiagonalGaussian, VectorQuantized
from lowerbound.priors import AutoregressiveCategorical, ExPostMixture, GaussianMixture, StandardNormal

LATENTS, BATCH = 3, 4
HALF = torch.tensor(0.5)
STEP = 1e-5


def autoencoder(dims=5, head=Deterministic, prior=ExPostMixture, likelihood=Gaussian):
    """A small one in float64, with weights that are not small."""
    torch.manual_seed(0)
    q, p = head(LATENTS), likelihood((dims,))
    model = VAE(
        Conditional(MLP((dims,), q.parameter_shape, hidden=(6,), activation="tanh"), q),
        Conditional(MLP((LATENTS,), p.parameter_shape, hidden=(6,), activation="tanh"), p),
        prior(LATENTS),
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model, torch.randn(BATCH, dims, dtype=torch.float64)


def rae_loss(model, x, beta):
    """Distortion and ½ β ‖z‖², in a loop over the data."""
    distortion, size = 0.0, 0.0
    for datum in x:
        z = model.encoder(datum.unsqueeze(0)).mean[0]
        distortion -= model.decoder(z).log_prob(datum).item() / len(x)
        size += 0.5 * beta * sum(entry.item() ** 2 for entry in z) / len(x)
    return distortion, size


def squared_jacobian(model, x):
    """‖∂ E[x | z] / ∂z‖² of each datum, by central differences in every direction."""
    z = model.encoder(x).mean.detach()
    total = torch.zeros(len(x), dtype=torch.float64)
    for i in range(LATENTS):
        move = STEP * torch.eye(LATENTS, dtype=torch.float64)[i]
        slope = (model.decoder(z + move).mean - model.decoder(z - move).mean) / (2 * STEP)
        total += slope.square().sum(-1).detach()
    return total


def test_the_vq_vae_s_loss_is_that_of_the_paper():
    torch.manual_seed(0)
    head, p = VectorQuantized(6, categories=3, code_dim=2), Gaussian((5,))
    model = VQVAE(
        Conditional(MLP((5,), head.parameter_shape, hidden=(6,)), head),
        Conditional(MLP(head.code_shape, p.parameter_shape, hidden=(6,)), p),
        AutoregressiveCategorical(6, categories=3, hidden=(4,)),
    ).eval()
    x, codes = torch.randn(BATCH, 5), head.codebook.codes.tolist()
    distortion, rate, commitment = 0.0, 0.0, 0.0
    for datum in x:
        features = model.encoder.network(datum.unsqueeze(0))[0].tolist()
        which = [min(range(3), key=lambda c: math.dist(e, codes[c])) for e in features]
        distortion -= model.decoder(torch.tensor([codes[c] for c in which])).log_prob(datum).item() / BATCH
        z = torch.tensor([float(c == chosen) for chosen in which for c in range(3)])
        rate -= model.prior().log_prob(z).item() / BATCH
        commitment += sum(math.dist(e, codes[c]) ** 2 for e, c in zip(features, which, strict=True)) / BATCH
    value = VectorQuantization(commitment=0.3)(model.trace(x, pathwise=False), HALF)
    assert value.loss.item() == pytest.approx(distortion + rate + 0.3 * commitment, rel=1e-5)
    assert (value.distortion.item(), value.rate.item()) == pytest.approx((distortion, rate), rel=1e-5)


def test_rae_l2_s_loss_is_that_of_the_paper():
    model, x = autoencoder()
    distortion, size = rae_loss(model, x, beta=0.4)
    weights = sum(entry**2 for parameter in model.decoder.parameters() for entry in parameter.flatten().tolist())
    value = WeightPenalty(0.4, 0.2, decoder=model.decoder)(model.trace(x), HALF)
    assert value.loss.item() == pytest.approx(distortion + size + 0.2 * weights)
    assert value.distortion.item() == pytest.approx(distortion)
    assert value.rate.item() == math.inf


@pytest.mark.parametrize("likelihood", [Gaussian, Bernoulli])
def test_rae_gp_s_loss_is_that_of_the_paper_where_x_has_one_entry(likelihood):
    """A sign in front of a single slope changes nothing: no error but that of the differences."""
    model, x = autoencoder(dims=1, likelihood=likelihood)
    distortion, size = rae_loss(model, x, beta=0.4)
    value = GradientPenalty(0.4, 0.2)(model.trace(x), HALF)
    assert value.loss.item() == pytest.approx(distortion + size + 0.2 * squared_jacobian(model, x).mean().item())
    assert value.distortion.item() == pytest.approx(distortion)
    assert value.rate.item() == math.inf


def test_the_gradient_penalty_is_the_jacobian_on_average():
    """Five entries of x, 4,000 draws of the signs, within 5 standard errors of central differences, seed 1."""
    model, x = autoencoder()
    exact = squared_jacobian(model, x).mean().item()
    torch.manual_seed(1)
    draws = torch.stack([GradientPenalty().roughness(model.trace(x)).detach() for _ in range(4_000)])
    assert abs(draws.mean().item() - exact) < 5 * draws.std().item() / math.sqrt(4_000)
    assert draws.std() > 0


def test_the_gradient_of_the_penalty_is_that_of_finite_differences():
    """Of every weight of encoder and decoder, for an x of one entry."""
    model, x = autoencoder(dims=1)
    GradientPenalty().roughness(model.trace(x)).backward()
    for parameter in model.parameters():
        for i in range(parameter.numel()):
            with torch.no_grad():
                entry = parameter.view(-1)[i : i + 1]
                kept = entry.clone()
                values = []
                for move in (STEP, -STEP):
                    entry.copy_(kept + move)
                    with torch.enable_grad():
                        values.append(GradientPenalty().roughness(model.trace(x)).item())
                entry.copy_(kept)
            slope = 0.0 if parameter.grad is None else parameter.grad.view(-1)[i].item()
            assert slope == pytest.approx((values[0] - values[1]) / (2 * STEP), abs=1e-6)


@pytest.mark.parametrize("make", [VectorQuantization, WeightPenalty, GradientPenalty])
def test_their_weights_must_not_be_negative(make):
    given = {"decoder": None} if make is WeightPenalty else {}
    for name in ("commitment",) if make is VectorQuantization else ("beta", "weight"):
        with pytest.raises(ValueError, match=f"{name} must be a number that is not negative, it is -1"):
            make(**{name: -1.0}, **given)


@pytest.mark.parametrize(
    ("make", "settings", "words"),
    [
        (VectorQuantization, {}, "The objective vq-vae is for the posterior vector-quantized"),
        (GradientPenalty, {"head": DiagonalGaussian}, "are for the posterior deterministic"),
        (GradientPenalty, {"prior": GaussianMixture}, "does not train a prior: choose one without parameters, such as"),
        (ELBO, {"prior": StandardNormal}, "a point without a density, so that there is neither a bound nor"),
    ],
)
def test_models_that_they_do_not_train_are_refused_in_words(make, settings, words):
    model, x = autoencoder(**settings)
    with pytest.raises(ValueError, match=words):
        make()(model.trace(x), HALF)

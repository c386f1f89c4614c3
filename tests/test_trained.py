"""A trained model over stored values: what goes in is prepared, what comes out is in the data's own units."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from lowerbound import trained as module
from lowerbound.data import Identity, Standardise
from lowerbound.trained import Trained
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)


@pytest.fixture
def exact():
    """The linear-Gaussian model at its exact posterior, in float32, over data that is shifted and scaled."""
    shift, scale = torch.tensor([1.0, -2.0, 0.0, 3.0, 10.0]), torch.tensor([2.0, 0.1, 1.0, 5.0, 0.5])
    return Trained(ORACLE.model().float(), Standardise(shift, scale), (5,)), shift.numpy(), scale.numpy()


def test_scores_are_densities_in_the_units_of_the_data(exact):
    """log p(v) = log p(x) − Σ log scale, which is exact at the exact posterior."""
    trained, shift, scale = exact
    x = ORACLE.sample(7)
    stored = (x.numpy() * scale + shift).astype(np.float32)
    covariance = ORACLE.weight @ ORACLE.weight.T + ORACLE.sigma**2 * torch.eye(5, dtype=torch.float64)
    s, m = torch.from_numpy(scale).double(), torch.from_numpy(shift).double()
    density = MultivariateNormal(ORACLE.bias * s + m, covariance * s[:, None] * s)
    expected = density.log_prob(torch.from_numpy(stored).double())
    found = trained.score(stored, 3)
    np.testing.assert_allclose(found.log_likelihood, expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.effective_sample_size, 3, atol=1e-3)
    assert trained.log_volume == pytest.approx(-math.fsum(np.log(scale)), abs=1e-6)


def test_codes_and_reconstructions_are_exact_and_in_the_units_of_the_data(exact):
    trained, shift, scale = exact
    x = ORACLE.sample(7)
    stored = (x.numpy() * scale + shift).astype(np.float32)
    codes = trained.encode(stored)
    np.testing.assert_allclose(codes, ORACLE.posterior_mean(x).numpy(), atol=1e-4)
    mean = (ORACLE.posterior_mean(x) @ ORACLE.weight.T + ORACLE.bias).numpy() * scale + shift
    np.testing.assert_allclose(trained.reconstruct(stored), mean, atol=1e-3)
    np.testing.assert_allclose(trained.decode(codes), mean, atol=1e-3)


def test_samples_have_the_moments_of_the_model(exact):
    """Mean and covariance within 5 standard errors, 40,000 draws, seed 3."""
    trained, shift, scale = exact
    drawn = (trained.sample(40_000, seed=3) - shift) / scale
    covariance = (ORACLE.weight @ ORACLE.weight.T).numpy() + ORACLE.sigma**2 * np.eye(5)
    error = np.sqrt(np.diag(covariance) / 40_000)
    assert (np.abs(drawn.mean(0) - ORACLE.bias.numpy()) < 5 * error).all()
    spread = np.sqrt(2) * np.outer(*[np.sqrt(np.diag(covariance))] * 2) / np.sqrt(40_000)
    assert (np.abs(np.cov(drawn.T) - covariance) < 5 * spread).all()


def test_the_means_of_samples_lack_the_noise(exact):
    trained, *_ = exact
    trained = Trained(trained.model, Identity(), (5,))
    means = trained.sample(2000, mean=True, seed=0)
    off = (means - ORACLE.bias.numpy()) @ np.linalg.svd(ORACLE.weight.numpy())[0][:, 2:]
    assert np.abs(off).max() < 1e-4


def test_a_temperature_of_zero_is_the_middle_of_the_prior(exact):
    trained, shift, scale = exact
    cold = trained.sample(3, mean=True, temperature=0.0)
    np.testing.assert_allclose(cold, np.tile(ORACLE.bias.numpy() * scale + shift, (3, 1)), atol=1e-4)


def test_seeds_repeat_and_the_caller_s_generator_is_left_alone(exact):
    trained, *_ = exact
    before = torch.get_rng_state()
    one, again, other = (trained.sample(5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_chunks_change_nothing(exact, monkeypatch):
    trained, shift, scale = exact
    stored = (ORACLE.sample(11).numpy() * scale + shift).astype(np.float32)
    whole = trained.encode(stored), trained.reconstruct(stored)
    monkeypatch.setattr(module, "_CHUNK", 4)
    for one, other in zip(whole, (trained.encode(stored), trained.reconstruct(stored)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert trained.sample(11).shape == (11, 5)

"""The trace of a variational autoencoder against the linear-Gaussian model, whose every term is exact."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal

from lowerbound.likelihoods import Gaussian
from lowerbound.models import VAE, Latent, Trace
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)


def test_shapes_are_particles_batch_event():
    trace = ORACLE.model().trace(ORACLE.sample(4), 3)
    (latent,) = trace.latents
    assert latent.z.shape == (3, 4, 2)
    assert trace.likelihood.batch_shape == (3, 4)
    for value in (trace.log_likelihood(), trace.kl(), trace.log_weight(), latent.log_prior() - latent.log_posterior()):
        assert value.shape == (3, 4)
    assert latent.kl_per_dimension().shape == (4, 2)


def test_at_the_exact_posterior_every_weight_is_the_evidence():
    x = ORACLE.sample(6)
    trace = ORACLE.model().trace(x, 7)
    torch.testing.assert_close(trace.log_weight(), ORACLE.log_prob(x).expand(7, 6), atol=1e-10, rtol=0)


def test_closed_form_kl_is_the_mean_of_its_estimates():
    """Within 4 standard errors, 100,000 draws, seed 0."""
    torch.manual_seed(0)
    x = ORACLE.sample(3)
    trace = ORACLE.model(spread=1.3, shift=0.2).trace(x, 100_000)
    draws = trace.log_posterior() - trace.log_prior()
    error = (draws.mean(0) - trace.kl()[0]).abs() / (draws.std(0) / math.sqrt(100_000))
    assert (error < 4).all()
    torch.testing.assert_close(trace.latents[0].kl_per_dimension().sum(-1), trace.kl()[0])


def test_several_latents_add_up():
    x = torch.zeros(2, 1)
    prior = Independent(Normal(torch.zeros(1), torch.ones(1)), 1)
    latents = tuple(
        Latent(torch.full((3, 2, 1), value), Independent(Normal(torch.full((2, 1), value), torch.ones(2, 1)), 1), prior)
        for value in (1.0, 2.0)
    )
    trace = Trace(x, Independent(Normal(torch.zeros(3, 2, 1), torch.ones(3, 2, 1)), 1), latents)
    torch.testing.assert_close(trace.kl(), torch.full((3, 2), 0.5 + 2.0))
    unit = -0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(trace.log_weight(), torch.full((3, 2), unit - 0.5 - 2.0))


def test_a_mask_leaves_the_unobserved_out():
    """With the second half of x masked, log p(x | z) is that of the first half alone."""
    x = ORACLE.sample(4)
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[:, :3] = True
    trace = ORACLE.model().trace(x, 3, mask=mask)
    mean = trace.likelihood.mean[..., :3]
    expected = Normal(mean, ORACLE.sigma).log_prob(x[:, :3]).sum(-1)
    torch.testing.assert_close(trace.log_likelihood(), expected)


def test_a_mask_hides_values_that_are_not_numbers():
    x = ORACLE.sample(4)
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[0, 1] = False
    model = ORACLE.model()
    trace = model.trace(x, 2, mask=mask)
    hidden = trace._replace(x=x.masked_fill(~mask, math.nan))
    torch.testing.assert_close(hidden.log_likelihood(), trace.log_likelihood())
    hidden.log_likelihood().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.decoder.parameters())


def test_a_mask_needs_independent_entries():
    dependent = MultivariateNormal(torch.zeros(2), torch.eye(2)).expand((1, 1))
    with pytest.raises(ValueError, match="not independent"):
        Trace(torch.zeros(1, 2), dependent, (), torch.ones(1, 2, dtype=torch.bool)).log_likelihood()


def test_gradients_reach_the_encoder_only_through_pathwise_draws():
    model = ORACLE.model()
    x = ORACLE.sample(4)
    for pathwise in (True, False):
        z = model.trace(x, 2, pathwise=pathwise).latents[0].z
        assert z.requires_grad is pathwise


def test_a_posterior_without_reparameterization_is_refused_in_words():
    model = VAE(lambda x: Independent(Bernoulli(logits=x), 1), lambda z: Independent(Normal(z, 1.0), 1), lambda: None)
    with pytest.raises(ValueError, match="cannot be reparameterized"):
        model.trace(torch.zeros(2, 3))


def test_embedding_reconstruction_and_generation():
    """Generated data has the model's mean and covariance (20,000 draws, 5 standard errors, seed 0)."""
    model, x = ORACLE.model(), ORACLE.sample(4)
    codes = ORACLE.posterior_mean(x)
    torch.testing.assert_close(model.embed(x), codes)
    torch.testing.assert_close(model.reconstruct(x).mean, codes @ ORACLE.weight.T + ORACLE.bias)
    torch.manual_seed(0)
    drawn = model.generate(20_000).sample()
    exact = ORACLE.weight @ ORACLE.weight.T + ORACLE.sigma**2 * torch.eye(5, dtype=torch.float64)
    deviation = (drawn.mean(0) - ORACLE.bias).abs() / (exact.diagonal() / 20_000).sqrt()
    assert (deviation < 5).all()
    spread = torch.cov(drawn.T) - exact
    bound = 5 * ((exact**2 + exact.diagonal().outer(exact.diagonal())) / 20_000).sqrt()
    assert (spread.abs() < bound).all()


def test_temperature_scales_the_prior_s_spread():
    torch.manual_seed(0)
    model = ORACLE.model()
    cold = model.generate(5, temperature=0.0).mean
    torch.testing.assert_close(cold, ORACLE.bias.expand(5, 5))
    torch.manual_seed(1)
    half = model.generate(5, temperature=0.5).mean - ORACLE.bias
    torch.manual_seed(1)
    torch.testing.assert_close(model.generate(5).mean - ORACLE.bias, 2 * half)


def test_a_conditional_model_is_the_same_model_with_a_context():
    """x | z, c ~ N(W z + b + c, σ²): with the context subtracted it is the model without one."""

    class Shifted(nn.Module):
        def __init__(self, network, sign):
            super().__init__()
            self.network, self.sign = network, sign

        def forward(self, x, context):
            return self.network(x - context) if self.sign < 0 else self.network(x) + context

    plain = ORACLE.model()
    model = VAE(
        Conditional(Shifted(plain.encoder.network, -1), plain.encoder.head),
        Conditional(Shifted(plain.decoder.network, +1), plain.decoder.head),
        plain.prior,
    )
    x = ORACLE.sample(4)
    context = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    weights = model.trace(x + context, 3, context=context).log_weight()
    torch.testing.assert_close(weights, ORACLE.log_prob(x).expand(3, 4), atol=1e-10, rtol=0)
    torch.testing.assert_close(model.embed(x + context, context=context), plain.embed(x))
    torch.testing.assert_close(
        model.reconstruct(x + context, context=context).mean, plain.reconstruct(x).mean + context
    )
    assert model.generate(4, context=context).mean.shape == (4, 5)


def test_published_weights_give_the_published_numbers():
    """A 6-5-4-2 softplus network loaded from plain matrices is its formula, written out in NumPy's style."""
    g = torch.Generator().manual_seed(0)

    def layer(before, after):
        return torch.randn(after, before, generator=g) / before**0.5, torch.randn(after, generator=g)

    encoder, decoder = [layer(6, 5), layer(5, 4), layer(4, 4)], [layer(2, 4), layer(4, 5), layer(5, 6)]
    model = VAE(
        Conditional(MLP((6,), (4,), (5, 4), "softplus"), DiagonalGaussian(2)),
        Conditional(MLP((2,), (1, 6), (4, 5), "softplus"), Gaussian((6,), variance="fixed")),
        StandardNormal(2),
    )
    for network, weights in ((model.encoder.network, encoder), (model.decoder.network, decoder)):
        for place, (weight, bias) in zip(network.layers[::2], weights, strict=True):
            place.load_state_dict({"weight": weight, "bias": bias})

    def forward(x, weights):
        for weight, bias in weights[:-1]:
            x = torch.log1p(torch.exp(x @ weight.T + bias))
        return x @ weights[-1][0].T + weights[-1][1]

    x = torch.rand(3, 6, generator=g)
    mean, log_variance = forward(x, encoder).chunk(2, -1)
    trace = model.trace(x)
    (latent,) = trace.latents
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)
    torch.testing.assert_close(trace.kl()[0], kl)
    log_likelihood = -0.5 * ((x - forward(latent.z[0], decoder)) ** 2 + math.log(2 * math.pi)).sum(-1)
    torch.testing.assert_close(trace.log_likelihood()[0], log_likelihood)

"""DRAW against a loop in NumPy, a plain variational autoencoder, and what its distributions promise."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from lowerbound.errors import UserError
from lowerbound.evaluation import Annealing, annealed_importance_sampling, bound, diagnostics, importance_sampling
from lowerbound.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Gaussian,
    Poisson,
)
from lowerbound.models import DRAW, VAE
from lowerbound.models.context import label_context
from lowerbound.nn import Conditional
from lowerbound.objectives import ELBO, IWAE
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.training import TrainingSettings, fit

# Windows and none, and both kinds of one.
EYES = [{"read": 2, "write": 3}, {"read": None, "write": None}, {"read": None, "write": 3}, {"read": 2, "write": None}]


def images(count=4, shape=(1, 5, 7), seed=0):
    return (torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed)) < 0.4).double()


def tiny(likelihood=None, *, seed=0, **settings):
    """A model of a few units whose weights, windows and starting states are anywhere."""
    likelihood = likelihood or Bernoulli((1, 5, 7))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = {"latent_dim": 3, "steps": 4, "units": 6, "read": 2, "write": 3, **settings}
        model = DRAW(likelihood, mean=torch.full(likelihood.event_shape, 0.3), **settings).double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.3 * torch.randn_like(parameter)
    return model


class Paper:
    """The equations of Gregor et al. 2015 in NumPy, for one binary image at a time and a tiny DRAW's weights."""

    def __init__(self, model):
        self.weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
        self.shape = model.likelihood.event_shape[1:]
        self.sizes = {
            "read": getattr(model.reader.attention, "size", None),
            "write": getattr(model.writer.attention, "size", None),
        }

    @staticmethod
    def sigmoid(value):
        return 1 / (1 + np.exp(-value))

    def lstm(self, name, inputs, state):
        gates = self.weights[f"{name}.gates.weight"] @ np.concatenate([inputs, state[0]])
        i, f, o, g = np.split(gates + self.weights[f"{name}.gates.bias"], 4)
        cell = self.sigmoid(f) * state[1] + self.sigmoid(i) * np.tanh(g)
        return self.sigmoid(o) * np.tanh(cell), cell

    def filters(self, numbers, size):
        """F_X, F_Y and γ (equations 19 to 26)."""
        height, width = self.shape
        g_x, g_y = (width + 1) / 2 * (numbers[0] + 1), (height + 1) / 2 * (numbers[1] + 1)
        variance = math.exp(numbers[2])
        stride = (max(height, width) - 1) / (size - 1) * math.exp(numbers[3])
        banks = []
        for centre, length in ((g_x, width), (g_y, height)):
            bank = np.empty((size, length))
            for i in range(1, size + 1):
                mu = centre + (i - size / 2 - 0.5) * stride
                for a in range(1, length + 1):
                    bank[i - 1, a - 1] = math.exp(-((a - mu) ** 2) / (2 * variance))
                bank[i - 1] /= bank[i - 1].sum()
            banks.append(bank)
        return *banks, math.exp(numbers[4])

    def run(self, x, z):
        """Canvas logits and KL after each step, for given latent variables [T, Z]."""
        weights, height_and_width = self.weights, self.shape
        encoded, decoded = (weights["states"][0], weights["states"][1]), (weights["states"][2], weights["states"][3])
        canvas, canvases, kl = weights["canvas"].reshape(height_and_width), [], []
        means, deviations = [], []
        for each in z:
            numbers = weights["to_canvas.weight"] @ decoded[0] + weights["to_canvas.bias"]
            error = x - self.sigmoid(canvas)
            if self.sizes["read"]:
                f_x, f_y, gamma = self.filters(numbers[:5], self.sizes["read"])
                r = [gamma * f_y @ image @ f_x.T for image in (x, error)]
                encoded = self.lstm("encoder", np.concatenate([*map(np.ravel, r), decoded[0]]), encoded)
            else:
                # The weights of x stand apart from those of the error and of the states.
                bias = weights["encoder.gates.bias"]
                self.weights["encoder.gates.bias"] = bias + weights["encoder_constant.weight"] @ x.ravel()
                encoded = self.lstm("encoder", np.concatenate([error.ravel(), decoded[0]]), encoded)
                self.weights["encoder.gates.bias"] = bias
            features = weights["to_posterior.weight"] @ encoded[0] + weights["to_posterior.bias"]
            mean, log_variance = np.split(features, 2)
            means.append(mean)
            deviations.append(np.exp(log_variance / 2))
            kl.append(0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance))
            decoded = self.lstm("decoder", each, decoded)
            numbers = weights["to_canvas.weight"] @ decoded[0] + weights["to_canvas.bias"]
            numbers = numbers[5:] if self.sizes["read"] else numbers
            if self.sizes["write"]:
                f_x, f_y, gamma = self.filters(numbers[:5], self.sizes["write"])
                canvas = canvas + f_y.T @ numbers[5:].reshape(self.sizes["write"], -1) @ f_x / gamma
            else:
                canvas = canvas + numbers.reshape(height_and_width)
            canvases.append(canvas)
        return np.stack(canvases), np.array(kl), np.stack(means), np.stack(deviations)


@pytest.mark.parametrize("eyes", EYES)
def test_canvas_kl_and_bound_are_those_of_a_loop_in_numpy(eyes):
    model, x = tiny(**eyes), images()
    trace = model.trace(x, 2)
    (latent,) = trace.latents
    per_step, paper = model.kl_per_step(trace), Paper(model)
    assert per_step.shape == (2, 4, 4)
    for k in range(2):
        for b in range(4):
            pixels, z = x[b, 0].numpy(), latent.z[k, b].detach().reshape(4, 3).numpy()
            canvases, kl, means, deviations = paper.run(pixels, z)
            logits = canvases[-1]
            distortion = np.sum(np.logaddexp(0, logits) - pixels * logits)
            log_q = np.sum(-((z - means) ** 2) / (2 * deviations**2) - np.log(deviations) - 0.5 * np.log(2 * np.pi))
            np.testing.assert_allclose(trace.likelihood.base_dist.logits[k, b, 0].detach(), logits, atol=1e-9)
            np.testing.assert_allclose(per_step[k, b].detach(), kl, atol=1e-9)
            np.testing.assert_allclose(trace.kl()[k, b].item(), kl.sum())
            np.testing.assert_allclose(trace.log_likelihood()[k, b].item(), -distortion)
            np.testing.assert_allclose(latent.log_posterior()[k, b].item(), log_q)
    loss = ELBO()(trace, torch.zeros(())).loss
    torch.testing.assert_close(loss, (trace.kl() - trace.log_likelihood()).mean())


@pytest.mark.parametrize("eyes", EYES)
def test_gradients_are_finite_differences(eyes):
    """Of the bound, along a direction through all weights, with the same draws."""
    model, x = tiny(**eyes), images()

    def loss():
        torch.manual_seed(1)
        return ELBO()(model.trace(x, 2), torch.zeros(())).loss

    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(), parameters)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    torch.manual_seed(2)
    direction = [torch.randn_like(parameter) for parameter in parameters]
    slope = sum((g * d).sum().item() for g, d in zip(gradients, direction, strict=True))
    values = []
    for sign in (-1, 1, 1):
        values.append(loss().item())
        with torch.no_grad():
            for parameter, d in zip(parameters, direction, strict=True):
                parameter += sign * 1e-6 * d
    assert (loss().item() - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-5)


def test_one_step_without_windows_is_a_plain_variational_autoencoder():
    """Whose encoder and decoder are the LSTM's formula at its starting state, with the weights copied in."""
    model, x = tiny(steps=1, read=None, write=None), images()

    def output(gates, cell):
        i, f, o, g = gates.chunk(4, 1)
        return torch.sigmoid(o) * torch.tanh(torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g))

    class Encoder(nn.Module):
        def forward(self, x):
            h_enc, c_enc, h_dec, _ = model.states.expand(len(x), 4, -1).unbind(1)
            error = (x - torch.sigmoid(model.canvas)).flatten(1)
            gates = torch.cat([error, h_dec, h_enc], 1) @ model.encoder.gates.weight.T + model.encoder.gates.bias
            h = output(gates + x.flatten(1) @ model.encoder_constant.weight.T, c_enc)
            return h @ model.to_posterior.weight.T + model.to_posterior.bias

    class Decoder(nn.Module):
        def forward(self, z):
            _, _, h_dec, c_dec = model.states.expand(len(z), 4, -1).unbind(1)
            h = output(torch.cat([z, h_dec], 1) @ model.decoder.gates.weight.T + model.decoder.gates.bias, c_dec)
            return (h @ model.to_canvas.weight.T + model.to_canvas.bias).reshape(-1, 1, 1, 5, 7) + model.canvas

    vae = VAE(
        Conditional(Encoder(), DiagonalGaussian(3), in_shape=(1, 5, 7)),
        Conditional(Decoder(), Bernoulli((1, 5, 7))),
        StandardNormal(3).double(),
    )
    trace = model.trace(x, 3)
    z = trace.latents[0].z
    q, likelihood = vae.posterior(x), vae.decode(z)
    torch.testing.assert_close(trace.log_likelihood(), likelihood.log_prob(x))
    torch.testing.assert_close(trace.log_posterior(), q.log_prob(z))
    torch.testing.assert_close(trace.kl(), vae.trace(x, 3).kl())
    torch.testing.assert_close(trace.log_weight(), likelihood.log_prob(x) + vae.prior().log_prob(z) - q.log_prob(z))
    torch.testing.assert_close(model.embed(x), vae.embed(x))
    torch.testing.assert_close(model.reconstruct(x).mean, vae.reconstruct(x).mean)


@pytest.mark.parametrize("eyes", EYES[:2])
def test_the_posterior_of_a_trajectory_knows_its_density_everywhere(eyes):
    """At a trace's draws it is the trace's; as a function of the last step's z alone it is that step's Gaussian."""
    model, x = tiny(**eyes), images()
    trace, q = model.trace(x, 2), model.posterior(x)
    z = trace.latents[0].z
    torch.testing.assert_close(q.log_prob(z), trace.log_posterior())
    other = z.detach().clone()
    other[..., -3:] += 0.7
    change = trace.latents[0].posterior.log_prob(other) - trace.log_posterior()
    torch.testing.assert_close(q.log_prob(other) - q.log_prob(z), change)
    other[..., :3] += 0.7
    assert not torch.allclose(q.log_prob(other), trace.latents[0].posterior.log_prob(other), atol=1e-3)
    assert q.rsample((5, 2)).shape == (5, 2, 4, 12)
    torch.testing.assert_close(q.mean, model.embed(x))


def test_importance_sampling_finds_the_evidence():
    """log p(x) of two steps of one latent variable each, against a quadrature, within 4 standard errors (seed 0)."""
    model, x = tiny(latent_dim=1, steps=2), images(3)
    with torch.no_grad():
        grid = torch.linspace(-6, 6, 121, dtype=torch.float64)
        z = torch.cartesian_prod(grid, grid).unsqueeze(1)
        log_joint = model.decode(z.expand(-1, 3, -1)).log_prob(x) + model.prior().log_prob(z)
        exact = log_joint.logsumexp(0) + 2 * math.log(0.1)
    estimate = importance_sampling(model, x, 4000, seed=0)
    error = (1 / estimate.effective_sample_size - 1 / 4000).sqrt()
    assert (error < 0.1).all()
    assert ((estimate.log_likelihood - exact).abs() < 4 * error).all()
    assert (bound(model, x, passes=200).rate > 0).all()
    annealed = annealed_importance_sampling(model, x, Annealing(chains=64, temperatures=50), seed=0)
    assert ((annealed.log_likelihood - exact).abs() < 4 * annealed.error + 0.01).all()


def test_what_was_drawn_decodes_to_what_the_trace_saw():
    model, x = tiny(), images()
    trace = model.trace(x, 2)
    decoded = model.decode(trace.latents[0].z)
    torch.testing.assert_close(decoded.log_prob(x), trace.log_likelihood())
    torch.testing.assert_close(model.reconstruct(x).mean, model.likelihood(model.repaint(x).canvas[-1]).mean)
    torch.testing.assert_close(model.decode(torch.zeros(12).double()).mean, model.generate(3, temperature=0).mean[1])


def test_draws_are_constants_for_the_score_function():
    model, x = tiny(), images()
    for pathwise in (True, False):
        (latent,) = model.trace(x, 2, pathwise=pathwise).latents
        assert latent.z.requires_grad is pathwise
        assert latent.log_posterior().requires_grad


@pytest.mark.parametrize("eyes", EYES)
def test_what_a_mask_hides_changes_nothing(eyes):
    model, x = tiny(**eyes), images()
    mask = torch.rand(x.shape, generator=torch.Generator().manual_seed(3)) < 0.6
    weights = []
    for hidden in (0.0, 1.0, math.nan):
        torch.manual_seed(0)
        trace = model.trace(x.where(mask, hidden), 2, mask=mask)
        weights.append(trace.log_weight())
    torch.testing.assert_close(weights[0], weights[1])
    torch.testing.assert_close(weights[0], weights[2])
    gradients = torch.autograd.grad(weights[2].sum(), list(model.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_temperature_scales_the_draws():
    model = tiny()
    torch.manual_seed(0)
    cool = model.paint(3, temperature=0.5).canvas
    torch.manual_seed(0)
    z = torch.randn(4, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(model.decode(0.5 * z.transpose(0, 1).flatten(1)).base_dist.logits, cool[-1][:, 0])


def test_fewer_steps_stop_the_same_painting_earlier():
    model = tiny()
    torch.manual_seed(0)
    whole = model.paint(3)
    torch.manual_seed(0)
    part = model.paint(3, steps=2)
    assert (whole.canvas.shape, part.canvas.shape) == ((4, 3, 1, 1, 5, 7), (2, 3, 1, 1, 5, 7))
    torch.testing.assert_close(part.canvas, whole.canvas[:2])
    z = torch.randn(2, 6, dtype=torch.float64)
    longer = torch.cat([z, torch.randn(2, 6, dtype=torch.float64)], 1)
    painted = model.decode(z).base_dist.logits
    model.steps = 2
    torch.testing.assert_close(model.decode(z).base_dist.logits, painted)
    assert (model.steps, model.code_size, model.embed(images()).shape) == (2, 6, (4, 6))
    model.steps = 4
    assert not torch.allclose(model.decode(longer).base_dist.logits, painted)


def test_a_painting_shows_where_was_read_and_written():
    """With the output's weights at zero, every window lies where the biases put it."""
    model, x = tiny(Bernoulli((1, 9, 5))), images(shape=(1, 9, 5))
    numbers = torch.tensor([0.2, -0.4, math.log(4.0), math.log(0.5), math.log(3.0)])
    with torch.no_grad():
        model.to_canvas.weight.zero_()
        model.to_canvas.bias[:5] = model.to_canvas.bias[5:10] = numbers
    painting = model.repaint(x)
    for window, size in ((painting.read, 2), (painting.write, 3)):
        values = [3 * 1.2, 5 * 0.6, 8 / (size - 1) * 0.5, 5.0, 2.0, 3.0]
        for value, expected in zip(window, values, strict=True):
            torch.testing.assert_close(value, torch.full((4, 4), expected, dtype=torch.float64))
    assert model.paint(2).read is None
    assert model.paint(2).write.x.shape == (4, 2)
    whole = tiny(read=None, write=None).repaint(images())
    assert (whole.read, whole.write) == (None, None)


def test_the_canvas_starts_at_the_mean_of_the_data():
    mean = torch.rand(1, 6, 4, generator=torch.Generator().manual_seed(0)).clamp(0.01, 0.99)
    model = DRAW(Bernoulli((1, 6, 4)), 2, 3, 4, read=2, write=2, mean=mean)
    torch.testing.assert_close(model.likelihood(model.canvas).mean, mean)
    assert isinstance(model.states, nn.Parameter)


def test_starting_states_need_not_be_learned():
    model = tiny(learned_start=False)
    assert {"states", "canvas"}.isdisjoint(dict(model.named_parameters()))
    assert {"states", "canvas"} <= set(model.state_dict())
    assert (model.states == 0).all()


LIKELIHOODS = [
    Gaussian((3, 5, 4)),
    ContinuousBernoulli((3, 5, 4)),
    DiscretizedLogistic((3, 5, 4), levels=16),
    DiscretizedLogisticMixture((1, 6, 6), levels=16, components=2),
    Categorical((2, 4, 6, 3)),
    Poisson((1, 4, 4)),
]


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda likelihood: type(likelihood).__name__)
def test_every_pixel_likelihood_can_be_painted(likelihood, eyes):
    """The canvas holds its parameters, and moves where the writer writes; every weight has a gradient."""
    model = tiny(likelihood.double(), **eyes)
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 3, (4, *likelihood.event_shape), generator=g).double()
    if isinstance(likelihood, Categorical):
        x = nn.functional.one_hot(x[..., 0].long(), 3).double()
    elif not isinstance(likelihood, Poisson):
        x = x / 15
    trace = model.trace(x, 2)
    assert trace.likelihood.event_shape == likelihood.event_shape
    assert trace.log_likelihood().shape == (2, 4)
    loss = IWAE(2)(trace, torch.zeros(())).loss
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert all(torch.isfinite(gradient).all() and (gradient != 0).any() for gradient in gradients)


def test_a_window_writes_the_same_place_of_every_channel_and_category():
    """A sharp window of one filter changes one pixel, of all channels, categories and parameters."""
    model = tiny(Categorical((2, 4, 6, 3)), steps=1, write=1)
    with torch.no_grad():
        model.to_canvas.weight.zero_()
        model.to_canvas.bias[5:10] = torch.tensor([2 * 5 / 7 - 1, 2 * 3 / 5 - 1, -20.0, 0.0, 0.0])
        model.to_canvas.bias[10:] = torch.arange(1.0, 7.0)
    change = model.paint(1).canvas[0, 0] - model.canvas
    torch.testing.assert_close(change[0, :, 2, 4], torch.arange(1.0, 7.0).reshape(2, 3).double())
    change[0, :, 2, 4] = 0
    torch.testing.assert_close(change, torch.zeros_like(change))


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("extreme", ["intensity", "narrow", "far"])
def test_a_step_of_extreme_data_and_windows_is_finite(value, extreme):
    """All black and all white, T = 200, float32."""
    likelihood = Bernoulli((1, 12, 12))
    torch.manual_seed(0)
    model = DRAW(likelihood, 4, 200, 8, read=2, write=3, mean=torch.full((1, 12, 12), value))
    with torch.no_grad():
        for first in (0, 5):
            change = {"intensity": (4, 50.0), "narrow": (2, -50.0), "far": (0, 50.0)}[extreme]
            model.to_canvas.bias[first + change[0]] = change[1]
    value = ELBO()(model.trace(torch.full((3, 1, 12, 12), value)), torch.zeros(()))
    value.loss.backward()
    assert torch.isfinite(value.loss)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


def test_a_label_reaches_encoder_and_decoder():
    model, x = tiny(context_dim=3), images()
    labels = torch.tensor([0, 1, 2, 1])
    context = label_context(labels, 3).double()
    trace = model.trace(x, 2, context=context)
    z = trace.latents[0].z
    torch.testing.assert_close(model.decode(z, context=context).log_prob(x), trace.log_likelihood())
    torch.testing.assert_close(model.posterior(x, context=context).log_prob(z), trace.log_posterior())
    others = context.roll(1, 0)
    assert (model.decode(z, context=others).log_prob(x) != trace.log_likelihood()).all()
    assert (model.embed(x, context=others) != model.embed(x, context=context)).all()
    assert model.generate(4, context=context).mean.shape == (4, 1, 5, 7)
    gradients = torch.autograd.grad(trace.log_weight().sum(), list(model.parameters()))
    assert all((gradient != 0).any() for gradient in gradients)


def test_active_units_and_collapse_are_seen():
    """Every latent variable of every step is a dimension; with an encoder that sees nothing none is active."""
    model, x = tiny(), images(20)
    with torch.no_grad():
        model.to_posterior.weight.zero_()
        model.to_posterior.bias.zero_()
    seen = diagnostics(model, x)
    assert (len(seen.active), len(seen.kl_per_dimension), int(seen.active.sum())) == (12, 12, 0)
    torch.testing.assert_close(seen.kl_per_dimension, torch.zeros(12, dtype=torch.float64))


def test_it_learns_to_paint_digits():
    """From 24.6 nats of independent pixels to below 21 on digits that it did not see, in seconds (seed 0)."""
    pixels = torch.from_numpy((load_digits().images > 7.5).astype(np.float32)).unsqueeze(1)
    train, test = pixels[:1500], pixels[1500:]
    mean = train.mean(0)
    independent = -Bernoulli((1, 8, 8))(Bernoulli((1, 8, 8)).initial_parameters(mean)).log_prob(test).mean().item()
    torch.manual_seed(0)
    model = DRAW(Bernoulli((1, 8, 8)), 8, 4, 64, read=4, write=4, mean=mean)
    settings = TrainingSettings(epochs=40, batch_size=50, learning_rate=5e-3, clip=100, compile="never")
    fit(model, ELBO(), train, None, settings, seed=0)
    reached = bound(model, test)
    assert independent > 24
    assert (reached.distortion + reached.rate).mean() < 21


@pytest.mark.parametrize("likelihood", [Bernoulli((1, 60, 40)), Gaussian((3, 60, 40))], ids=["grey", "colour"])
def test_large_and_rectangular_images_are_painted_where_they_should_be(likelihood):
    """The canvas moves at a sharp window's pixels, by the patch, in every channel and nowhere else."""
    channels = likelihood.event_shape[0]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DRAW(likelihood, 3, 2, 8, read=4, write=3)
    x = (torch.rand(4, channels, 60, 40, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    value = ELBO()(model.trace(x, 2), torch.zeros(()))
    gradients = torch.autograd.grad(value.loss, list(model.parameters()))
    assert all(torch.isfinite(gradient).all() and (gradient != 0).any() for gradient in gradients)
    patch = torch.arange(1.0, 1 + model.writer.patch)
    with torch.no_grad():
        model.steps = 1
        model.to_canvas.weight.zero_()
        place = [2 * 33 / 41 - 1, 2 * 52 / 61 - 1, -20.0, -math.log(59 / 2), 0.0]
        model.to_canvas.bias[5:10] = torch.tensor(place)
        model.to_canvas.bias[10:] = patch
    change = model.paint(1).canvas[0, 0] - model.canvas
    # Rows of the window first, then channels, then columns.
    written = patch.reshape(3, -1, channels, 3).movedim(0, 2)
    torch.testing.assert_close(change[:, :, 50:53, 31:34], written, atol=1e-4, rtol=1e-4)
    change[:, :, 50:53, 31:34] = 0
    assert change.abs().max() < 1e-4


@pytest.mark.parametrize("eyes", EYES)
def test_gradients_reach_data_and_codes(eyes):
    """Of the bound with respect to x, with a mask, and of p(x | z) with respect to z, against finite differences."""
    model, x = tiny(Gaussian((1, 5, 7)), steps=2, **eyes), images(2)
    mask = torch.rand(x.shape, generator=torch.Generator().manual_seed(3)) < 0.7
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def weight(x):
        torch.manual_seed(1)
        return model.trace(x, 2, mask=mask).log_weight()

    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert torch.autograd.gradcheck(weight, (x.clone().requires_grad_(),))
    assert torch.autograd.gradcheck(lambda z: model.decode(z).log_prob(x), (z.requires_grad_(),))
    assert torch.autograd.gradcheck(lambda z: model.posterior(x).log_prob(z), (z,))


def test_a_graph_may_be_gone_through_twice():
    model, x = tiny(), images()
    trace = model.trace(x)
    first, second = (
        torch.autograd.grad(trace.log_weight().sum(), list(model.parameters()), retain_graph=True) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("eyes", EYES[:2])
def test_compiled_steps_are_the_same_and_serve_for_any_number_of_them(eyes):
    """Loss and gradient in float32, to its rounding; two functions are compiled, for seven steps as for three."""
    from torch._dynamo.utils import counters

    model, x = tiny(steps=7, **eyes).float(), images().float()
    torch.compiler.reset()
    counters.clear()
    graphs = []
    for steps in (3, 7):
        model.steps, results = steps, []
        for model.compiled in (False, True):
            torch.manual_seed(0)
            loss = ELBO()(model.trace(x, 2), torch.zeros(())).loss
            results.append((loss, torch.autograd.grad(loss, list(model.parameters()))))
        (loss, gradients), (compiled_loss, compiled_gradients) = results
        torch.testing.assert_close(compiled_loss, loss)
        for one, other in zip(compiled_gradients, gradients, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs == [2, 2]


@pytest.mark.parametrize("name", ["steps", "units", "latent_dim"])
def test_a_number_that_makes_no_sense_is_refused(name):
    with pytest.raises(UserError, match=rf"^{name} = 0 makes no sense for DRAW: choose a number from 1"):
        tiny(**{name: 0})


@pytest.mark.parametrize("which", ["read", "write"])
def test_windows_on_vectors_are_refused(which):
    eyes = {"read": None, "write": None, which: 2}
    with pytest.raises(UserError, match=rf"A window needs images .* leave the setting {which} of DRAW at none, as"):
        tiny(Gaussian((9,)), **eyes)


def test_vectors_are_painted_without_windows():
    model = tiny(Gaussian((9,)), read=None, write=None)
    trace = model.trace(torch.zeros(4, 9).double(), 2)
    assert trace.likelihood.mean.shape == (2, 4, 9)


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(UserError, match="9 × 9 filters makes no sense on an image of 5 × 7 pixels"):
        tiny(write=9)


def test_more_steps_than_there_are_are_refused():
    model = tiny()
    for steps in (0, 5):
        with pytest.raises(UserError, match=f"takes from 1 to 4 steps, not {steps}"):
            model.generate(1, steps=steps)
        with pytest.raises(UserError, match=f"takes from 1 to 4 steps, not {steps}"):
            model.steps = steps
    with pytest.raises(ValueError, match="3 entries for each of up to 4 steps, not 13"):
        model.decode(torch.zeros(2, 13).double())


def test_weights_of_another_number_of_steps_are_refused():
    model, weights = tiny(steps=4), tiny(steps=3).state_dict()
    with pytest.raises(UserError, match=r"are of a DRAW of 3 steps, and this one has 4"):
        model.load_state_dict(weights)
    weights = tiny(seed=1).state_dict()
    model.load_state_dict(weights)
    torch.testing.assert_close(model.states, weights["states"])


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_there_is_not_is_refused(label):
    with pytest.raises(UserError, match=rf"no label {label}: .* 0 to 2, choose one\.$"):
        label_context(torch.tensor([0, label]), 3)


def test_a_context_that_is_missing_or_too_much_is_refused():
    with pytest.raises(ValueError, match="takes a context of 3 entries, and none was given"):
        tiny(context_dim=3).trace(images())
    with pytest.raises(ValueError, match="takes a context of 0 entries, and one of 2 was given"):
        tiny().trace(images(), context=torch.zeros(4, 2).double())

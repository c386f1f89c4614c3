"""Plain PyTorch, as tutorials have it: float32, a DataLoader, `torch.bernoulli`, Adam, the loss read at every step."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contenders.networks import count, intensities, load_linear, networks
from benchmarks.contenders.plain_draw import PlainDRAW
from benchmarks.racing.track import Track, take_part


def negative_elbo(encoder: nn.Module, decoder: nn.Module, x: Tensor) -> Tensor:
    mean, log_variance = encoder(x).chunk(2, dim=1)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
    reconstruction = binary_cross_entropy_with_logits(decoder(z), x.flatten(1), reduction="sum")
    kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
    return (reconstruction + kl) / len(x)


def log_weights(encoder: nn.Module, decoder: nn.Module, x: Tensor, particles: int) -> Tensor:
    """log p(x, z) − log q(z | x) [K, B]."""
    mean, log_variance = encoder(x).chunk(2, dim=1)
    noise = torch.randn(particles, *mean.shape)
    z = mean + torch.exp(0.5 * log_variance) * noise
    logits = decoder(z.flatten(0, 1)).unflatten(0, (particles, len(x)))
    target = x.flatten(1).expand_as(logits)
    log_likelihood = -binary_cross_entropy_with_logits(logits, target, reduction="none").sum(2)
    return log_likelihood + 0.5 * (noise.pow(2) + log_variance - z.pow(2)).sum(2)


def train(track: Track) -> None:
    settings = track.settings
    encoder, decoder = networks(settings)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=settings["learning_rate"])
    batch, particles = settings["batch"], settings["particles"]
    loader = DataLoader(TensorDataset(intensities(settings)), batch_size=batch, shuffle=True)
    track.ready(weights=count(encoder, decoder), precision="float32")
    for _ in range(settings["turns"]):
        total = 0.0
        for (images,) in loader:
            x = torch.bernoulli(images)
            if particles == 1:
                loss = negative_elbo(encoder, decoder, x)
            else:
                weights = log_weights(encoder, decoder, x, particles)
                loss = -(weights.logsumexp(0) - math.log(particles)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        track.lap(loss=total / len(loader))


@torch.no_grad()
def nll(track: Track) -> None:
    settings = track.settings
    encoder, decoder = networks(settings)
    with np.load(settings["weights"]) as weights:
        load_linear(encoder, weights, "encoder")
        load_linear(decoder, weights, "decoder")
    x, particles = torch.from_numpy(np.load(settings["x"]))[: settings["images"]], settings["particles"]
    track.ready(precision="float32")
    for _ in range(settings["turns"]):
        values = [log_weights(encoder, decoder, image[None], particles).logsumexp(0).item() for image in x]
        compared = values[: settings["compared"]]
        track.lap(nll=math.log(particles) - sum(compared) / len(compared))


def draw(track: Track) -> None:
    settings = track.settings
    sizes = settings["sizes"]
    with np.load(settings["weights"]) as weights:
        model = PlainDRAW(**sizes)
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in model.state_dict()})
        x, noise = torch.from_numpy(weights["x"]), torch.from_numpy(weights["noise"])
    with torch.no_grad():
        loss = model(x, noise).item()
    optimizer = torch.optim.Adam(model.parameters(), settings["learning_rate"])
    loader = DataLoader(TensorDataset(intensities(settings)), batch_size=settings["batch"], shuffle=True)
    track.ready(weights=count(model), precision="float32", first_loss=loss)
    for _ in range(settings["turns"]):
        total = 0.0
        for (images,) in loader:
            x = torch.bernoulli(images)[:, 0]
            loss = model(x, torch.randn(sizes["steps"], len(x), sizes["latents"]))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), settings["clip"])
            optimizer.step()
            total += loss.item()
        track.lap(loss=total / len(loader))


if __name__ == "__main__":
    take_part({"train": train, "nll": nll, "draw": draw})

"""Pyro, as its tutorial on VAEs has it: SVI with Trace_ELBO, a DataLoader, no validation of the distributions."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contenders.networks import count, intensities, networks
from benchmarks.racing.track import Track, take_part


class VAE(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module, latents: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.latents = encoder, decoder, latents

    def model(self, x: Tensor) -> None:
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", len(x)):
            zeros = x.new_zeros(len(x), self.latents)
            z = pyro.sample("latent", dist.Normal(zeros, torch.ones_like(zeros)).to_event(1))
            pyro.sample("obs", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x.flatten(1))

    def guide(self, x: Tensor) -> None:
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", len(x)):
            mean, log_variance = self.encoder(x).chunk(2, dim=1)
            pyro.sample("latent", dist.Normal(mean, torch.exp(0.5 * log_variance)).to_event(1))


def train(track: Track) -> None:
    settings = track.settings
    pyro.enable_validation(False)
    vae = VAE(*networks(settings), settings["latents"])
    svi = SVI(vae.model, vae.guide, Adam({"lr": settings["learning_rate"]}), loss=Trace_ELBO())
    images = intensities(settings)
    loader = DataLoader(TensorDataset(images), batch_size=settings["batch"], shuffle=True)
    track.ready(weights=count(vae), precision="float32")
    for _ in range(settings["turns"]):
        total = sum(float(svi.step(torch.bernoulli(batch))) for (batch,) in loader)
        track.lap(loss=total / len(images))


if __name__ == "__main__":
    take_part({"train": train})

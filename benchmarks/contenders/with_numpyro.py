"""NumPyro, as its example on VAEs has it: networks of stax, SVI, and a whole turn in one jitted scan over batches."""

from __future__ import annotations

import jax
import numpyro
import numpyro.distributions as dist
from jax import Array, lax
from jax import numpy as jnp
from jax.example_libraries import stax
from numpyro.infer import SVI, Trace_ELBO

from benchmarks.contenders.plain_jax import batches_of, count
from benchmarks.racing.track import Track, take_part


def mlp(sizes: list[int], activation: str):
    """Layers of stax, as a pair of functions: to make the weights, and to apply them."""
    nonlinear = {"tanh": stax.Tanh, "silu": stax.elementwise(jax.nn.silu)}[activation]
    layers = []
    for size in sizes:
        layers += [stax.Dense(size), nonlinear]
    return stax.serial(*layers[:-1])


def train(track: Track) -> None:
    settings = track.settings
    hidden, latents, activation = settings["hidden"], settings["latents"], settings["activation"]
    images, shuffled = batches_of(settings)
    pixels = images.shape[1]

    def model(x: Array) -> None:
        decoder = numpyro.module("decoder", mlp([*reversed(hidden), pixels], activation), (len(x), latents))
        with numpyro.plate("batch", len(x)):
            z = numpyro.sample("z", dist.Normal(0, 1).expand([latents]).to_event(1))
            numpyro.sample("obs", dist.Bernoulli(logits=decoder(z)).to_event(1), obs=x)

    def guide(x: Array) -> None:
        encoder = numpyro.module("encoder", mlp([*hidden, 2 * latents], activation), (len(x), pixels))
        mean, log_variance = jnp.split(encoder(x), 2, axis=1)
        with numpyro.plate("batch", len(x)):
            numpyro.sample("z", dist.Normal(mean, jnp.exp(0.5 * log_variance)).to_event(1))

    svi = SVI(model, guide, numpyro.optim.Adam(settings["learning_rate"]), Trace_ELBO())
    key = jax.random.key(0)
    state = svi.init(key, jnp.zeros((settings["batch"], pixels)))

    @jax.jit
    def epoch(state, key: Array):
        order, binarise = jax.random.split(key)

        def step(state, each):
            batch, key = each
            return svi.update(state, jax.random.bernoulli(key, batch).astype(jnp.float32))

        batches = shuffled(order)
        return lax.scan(step, state, (batches, jax.random.split(binarise, len(batches))))

    track.ready(weights=count(svi.get_params(state)), precision="float32")
    for turn in range(settings["turns"]):
        state, losses = epoch(state, jax.random.fold_in(key, turn))
        track.lap(loss=float(losses.mean()) / settings["batch"])


if __name__ == "__main__":
    take_part({"train": train})

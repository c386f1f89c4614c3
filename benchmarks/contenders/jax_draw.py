"""DRAW in JAX: the mathematics of `plain_draw`, with one `lax.scan` over the steps inside the scan over the batches."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
from jax import Array, lax
from jax import numpy as jnp

from benchmarks.contenders.plain_jax import batches_of, bernoulli_cross_entropy, run_epochs
from benchmarks.racing.track import Track, take_part

SIDE = 28


def filters(numbers: Array, size: int) -> tuple[Array, Array, Array]:
    """F_X, F_Y and γ (Gregor et al. 2015, equations 21 to 26)."""
    g_x, g_y, log_variance, log_stride, log_gamma = jnp.split(numbers, 5, axis=1)
    stride = (SIDE - 1) / (size - 1) * jnp.exp(log_stride)
    grid = jnp.arange(1, size + 1) - size / 2 - 0.5
    pixels = jnp.arange(1.0, SIDE + 1)
    banks = []
    for centre in (g_x, g_y):
        mu = ((SIDE + 1) / 2 * (centre + 1) + grid * stride)[:, :, None]
        bank = jnp.exp(-((pixels - mu) ** 2) / (2 * jnp.exp(log_variance)[:, :, None]))
        banks.append(bank / (bank.sum(2, keepdims=True) + 1e-8))
    return banks[0], banks[1], jnp.exp(log_gamma)


def linear(weights: dict[str, Array], name: str, x: Array) -> Array:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def lstm(weights: dict[str, Array], name: str, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """`nn.LSTMCell`, with one bias."""
    gates = x @ weights[f"{name}.weight_ih"].T + h @ weights[f"{name}.weight_hh"].T + weights[f"{name}.bias_ih"]
    i, f, g, o = jnp.split(gates, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def negative_elbo(weights: dict[str, Array], x: Array, noise: Array, read: int, write: int) -> Array:
    """−ELBO of images [B, 28, 28], averaged, for noise [T, B, Z]."""
    batch = len(x)

    def step(carry: tuple[Array, ...], noise: Array) -> tuple[tuple[Array, ...], Array]:
        h_enc, c_enc, h_dec, c_dec, canvas = carry
        error = x - jax.nn.sigmoid(canvas)
        f_x, f_y, gamma = filters(linear(weights, "read_window", h_dec), read)
        glimpses = [(f_y @ image @ f_x.swapaxes(1, 2)).reshape(batch, -1) for image in (x, error)]
        r = gamma * jnp.concatenate(glimpses, 1)
        h_enc, c_enc = lstm(weights, "encoder", jnp.concatenate([r, h_dec], 1), h_enc, c_enc)
        mean, log_variance = linear(weights, "mean", h_enc), linear(weights, "log_variance", h_enc)
        z = mean + jnp.exp(0.5 * log_variance) * noise
        kl = 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum(1)
        h_dec, c_dec = lstm(weights, "decoder", z, h_dec, c_dec)
        f_x, f_y, gamma = filters(linear(weights, "write_window", h_dec), write)
        patch = linear(weights, "patch", h_dec).reshape(batch, write, write)
        canvas = canvas + f_y.swapaxes(1, 2) @ patch @ f_x / gamma[:, :, None]
        return (h_enc, c_enc, h_dec, c_dec, canvas), kl

    states = [jnp.broadcast_to(state, (batch, len(state))) for state in weights["states"]]
    start = (*states, jnp.broadcast_to(weights["canvas"], (batch, SIDE, SIDE)))
    (*_, canvas), kl = lax.scan(step, start, noise)
    return (bernoulli_cross_entropy(canvas.reshape(batch, -1), x.reshape(batch, -1)) + kl.sum(0)).mean()


def draw(track: Track) -> None:
    settings = track.settings
    sizes = settings["sizes"]
    windows = (sizes["read"], sizes["write"])
    with np.load(settings["weights"]) as file:
        given: dict[str, Any] = {name: jnp.asarray(file[name]) for name in file.files}
    x, noise = given.pop("x"), given.pop("noise")
    # The second bias of an LSTMCell is not needed.
    weights = {name: value for name, value in given.items() if not name.endswith("bias_hh")}
    first = float(jax.jit(negative_elbo, static_argnums=(3, 4))(weights, x, noise, *windows))
    _, shuffled = batches_of(settings)

    def loss_of(weights: dict[str, Array], x: Array, key: Array) -> Array:
        noise = jax.random.normal(key, (sizes["steps"], len(x), sizes["latents"]))
        return negative_elbo(weights, x.reshape(-1, SIDE, SIDE), noise, *windows)

    clip = optax.clip_by_global_norm(settings["clip"])
    optimizer = optax.chain(clip, optax.adam(settings["learning_rate"]))
    run_epochs(track, loss_of, weights, shuffled, optimizer, first_loss=first)


if __name__ == "__main__":
    take_part({"draw": draw})

"""Plain JAX: float32, a whole turn in one jitted scan over batches, Adam of optax; convolutions have channels last."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import optax
from jax import Array, lax
from jax import numpy as jnp

from benchmarks.racing.track import Track, take_part

ACTIVATIONS = {"tanh": jnp.tanh, "silu": jax.nn.silu}
Network = Callable[[Any, Array], Array]


def batches_of(settings: Mapping[str, Any]) -> tuple[Array, Callable[[Array], Array]]:
    """The images of the race in [0, 1], flat, and what shuffles them into batches [steps, B, pixels]."""
    images = np.load(settings["rows"])
    if "channels" in settings:
        images = np.moveaxis(images, 1, -1)
    images = jnp.asarray(images.reshape(len(images), -1)) / 255
    steps = len(images) // settings["batch"]

    def shuffled(key: Array) -> Array:
        rows = jax.random.permutation(key, len(images))[: steps * settings["batch"]]
        return images[rows].reshape(steps, settings["batch"], -1)

    return images, shuffled


def count(parameters: Any) -> int:
    """How many weights there are."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


def linear(key: Array, before: int, after: int) -> dict[str, Array]:
    """Weights as PyTorch begins with them."""
    scale = before**-0.5
    w, b = jax.random.split(key)
    return {
        "w": jax.random.uniform(w, (before, after), minval=-scale, maxval=scale),
        "b": jax.random.uniform(b, (after,), minval=-scale, maxval=scale),
    }


def mlp(key: Array, sizes: list[int], activation: str) -> tuple[list[dict[str, Array]], Network]:
    act = ACTIVATIONS[activation]
    keys = jax.random.split(key, len(sizes))

    def apply(layers: list[dict[str, Array]], h: Array) -> Array:
        for i, layer in enumerate(layers):
            h = (act(h) if i else h) @ layer["w"] + layer["b"]
        return h

    return [linear(*each) for each in zip(keys, sizes[:-1], sizes[1:], strict=False)], apply


def kernel(key: Array, before: int, after: int, *, zero: bool = False) -> dict[str, Array]:
    scale = 0.0 if zero else (9 * before) ** -0.5
    w = jax.random.uniform(key, (3, 3, before, after), minval=-1, maxval=1) * scale
    return {"w": w, "b": jnp.zeros(after)}


def convolve(layer: Mapping[str, Array], h: Array, stride: int = 1) -> Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    out = lax.conv_general_dilated(h, layer["w"], (stride, stride), ((1, 1), (1, 1)), dimension_numbers=numbers)
    return out + layer["b"] if "b" in layer else out


def residual_networks(key: Array, settings: Mapping[str, Any]) -> tuple[dict[str, Any], Network, Network]:
    """The same layers as `networks.conv_encoder` and `networks.ConvDecoder`."""
    act, channels, latents = ACTIVATIONS[settings["activation"]], settings["channels"], settings["latents"]
    planes, *side = settings["shape"]
    sizes = [tuple(side)]
    for _ in channels:
        sizes.append(tuple(math.ceil(length / 2) for length in sizes[-1]))
    smallest = (*sizes[-1], channels[-1])
    keys = iter(jax.random.split(key, 8 * len(channels) + 8))

    def block(size: int) -> list[dict[str, Array]]:
        return [kernel(next(keys), size, size), kernel(next(keys), size, size, zero=True)]

    def residual(layers: list[dict[str, Array]], h: Array) -> Array:
        return h + convolve(layers[1], act(convolve(layers[0], act(h))))

    def stages(pairs: Any, *, block_first: bool) -> list[tuple[dict[str, Array], list[dict[str, Array]]]]:
        return [(kernel(next(keys), a, b), block(a if block_first else b)) for a, b in pairs]

    outer = (*reversed(channels[:-1]), channels[0])
    parameters = {
        "down": stages(zip([planes, *channels[:-1]], channels, strict=True), block_first=False),
        "code": linear(next(keys), math.prod(smallest), 2 * latents),
        "input": linear(next(keys), latents, math.prod(smallest)),
        "up": stages(zip(reversed(channels), outer, strict=True), block_first=True),
        "output": {"w": kernel(next(keys), channels[0], planes)["w"]},
        "bias": jnp.zeros((*side, planes)),
    }

    def encoder(parameters: Any, x: Array) -> Array:
        h = x.reshape(len(x), *side, planes)
        for down, layers in parameters["down"]:
            h = residual(layers, convolve(down, h, 2))
        return act(h).reshape(len(x), -1) @ parameters["code"]["w"] + parameters["code"]["b"]

    def decoder(parameters: Any, z: Array) -> Array:
        h = (z @ parameters["input"]["w"] + parameters["input"]["b"]).reshape(len(z), *smallest)
        for (widen, layers), size in zip(parameters["up"], sizes[-2::-1], strict=True):
            h = residual(layers, h)
            h = jax.image.resize(h, (len(h), *size, h.shape[-1]), "nearest")
            h = convolve(widen, h)
        return (convolve(parameters["output"], act(h)) + parameters["bias"]).reshape(len(z), -1)

    return parameters, encoder, decoder


def perceptrons(key: Array, settings: Mapping[str, Any], pixels: int) -> tuple[dict[str, Any], Network, Network]:
    hidden, latents, activation = settings["hidden"], settings["latents"], settings["activation"]
    first, second = jax.random.split(key)
    encoder_weights, apply_encoder = mlp(first, [pixels, *hidden, 2 * latents], activation)
    decoder_weights, apply_decoder = mlp(second, [latents, *reversed(hidden), pixels], activation)
    return (
        {"encoder": encoder_weights, "decoder": decoder_weights},
        lambda parameters, x: apply_encoder(parameters["encoder"], x),
        lambda parameters, z: apply_decoder(parameters["decoder"], z),
    )


def bernoulli_cross_entropy(logits: Array, x: Array) -> Array:
    return optax.sigmoid_binary_cross_entropy(logits, x).sum(-1)


def train(track: Track) -> None:
    settings = track.settings
    particles = settings["particles"]
    key = jax.random.key(0)
    images, shuffled = batches_of(settings)
    if "channels" in settings:
        parameters, encoder, decoder = residual_networks(key, settings)
    else:
        parameters, encoder, decoder = perceptrons(key, settings, images.shape[1])

    def loss_of(parameters: Any, x: Array, key: Array) -> Array:
        mean, log_variance = jnp.split(encoder(parameters, x), 2, axis=1)
        noise = jax.random.normal(key, (particles, *mean.shape))
        z = mean + jnp.exp(0.5 * log_variance) * noise
        logits = decoder(parameters, z.reshape(-1, z.shape[-1])).reshape(particles, *x.shape)
        distortion = bernoulli_cross_entropy(logits, x)
        if particles == 1:
            kl = -0.5 * (1 + log_variance - mean**2 - jnp.exp(log_variance)).sum(1)
            return (distortion[0] + kl).mean()
        log_w = -distortion + 0.5 * (noise**2 + log_variance - z**2).sum(2)
        return -(jax.nn.logsumexp(log_w, axis=0) - math.log(particles)).mean()

    run_epochs(track, loss_of, parameters, shuffled, optax.adam(settings["learning_rate"]))


def run_epochs(
    track: Track,
    loss_of: Callable[[Any, Array, Array], Array],
    parameters: Any,
    shuffled: Callable[[Array], Array],
    optimizer: optax.GradientTransformation,
    **facts: Any,
) -> None:
    """Turn after turn, each one scan over its batches, which are binarised inside.

    Convolutions are run batch by batch instead, in case XLA does not spread them over the cores inside of a scan.
    """

    def step(carry: Any, each: tuple[Array, Array]) -> tuple[Any, Array]:
        (parameters, state), (batch, key) = carry, each
        binarise, draws = jax.random.split(key)
        x = jax.random.bernoulli(binarise, batch).astype(jnp.float32)
        loss, gradient = jax.value_and_grad(loss_of)(parameters, x, draws)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(parameters, updates), state), loss

    def scanned(carry: Any, key: Array) -> tuple[Any, Array]:
        order, steps = jax.random.split(key)
        batches = shuffled(order)
        return lax.scan(step, carry, (batches, jax.random.split(steps, len(batches))))

    def looped(carry: Any, key: Array) -> tuple[Any, Array]:
        order, steps = jax.random.split(key)
        batches, losses = jitted_shuffle(order), []
        for batch, each in zip(batches, jax.random.split(steps, len(batches)), strict=True):
            carry, loss = jitted_step(carry, (batch, each))
            losses.append(loss)
        return carry, jnp.stack(losses)

    jitted_step, jitted_shuffle = jax.jit(step), jax.jit(shuffled)
    epoch = looped if "channels" in track.settings else jax.jit(scanned)
    carry = (parameters, optimizer.init(parameters))
    track.ready(weights=count(parameters), precision="float32", **facts)
    for turn in range(track.settings["turns"]):
        carry, losses = epoch(carry, jax.random.key(turn))
        track.lap(loss=float(losses.mean()))


if __name__ == "__main__":
    take_part({"train": train})

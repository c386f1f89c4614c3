"""One step of DRAW, forwards and backwards, as functions of tensors.

A step is a few dozen small operations around four matrix products, of which automatic differentiation would record and
unwind several times as many: its derivative is written out. Since every step is the same function, a compiler that has
seen one has seen all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lowerbound.distributions.gaussian import LOG_VARIANCE_BOUND, bounded
from lowerbound.likelihoods import Likelihood
from lowerbound.models.draw.eyes import (
    WholeReader,
    WholeWriter,
    WindowReader,
    WindowWriter,
    expectation,
    expectation_back,
)
from lowerbound.nn.attention import Glimpse, Stroke
from lowerbound.nn.recurrent import LSTMStep, Memory, linear, linear_back, lstm, lstm_back


class Layers(NamedTuple):
    """The layers of the recurrence, or one thing for each of them."""

    encoder: Any
    to_posterior: Any
    decoder: Any
    to_canvas: Any


class Parts(NamedTuple):
    """What takes part in a step besides the layers."""

    likelihood: Likelihood
    reader: WholeReader | WindowReader
    writer: WholeWriter | WindowWriter

    @property
    def sizes(self) -> list[int]:
        """What the decoder's output is made of: the numbers of the next reading, those of the writing, the patch."""
        return [self.reader.numbers, self.writer.numbers, self.writer.patch]


class Data(NamedTuple):
    """What is observed."""

    x: Float[Tensor, "R *event"]
    mask: Bool[Tensor, "R *event"] | None

    def error(self, expected: Float[Tensor, "R *event"]) -> Float[Tensor, "R *event"]:
        """x̂; what is hidden is not missed."""
        return self.seen(self.x - expected)

    def seen(self, values: Float[Tensor, "R *event"]) -> Float[Tensor, "R *event"]:
        """The values, zero where nothing was observed."""
        return values if self.mask is None else values.where(self.mask, 0.0)


class State(NamedTuple):
    """Where the recurrence is between two steps, or the gradient with respect to that."""

    encoded: Memory
    decoded: Memory
    reading: Float[Tensor, "R n"]
    """The numbers that place the window of the next reading."""
    canvas: Float[Tensor, "R P *event"]


class Choice(NamedTuple):
    """The latent variables of a step and what they were drawn with, or the gradient with respect to them."""

    z: Float[Tensor, "R Z"]
    mean: Float[Tensor, "R Z"] | None
    scale: Float[Tensor, "R Z"] | None


class Look(NamedTuple):
    """What the way back needs of a look at the data."""

    expected: Float[Tensor, "R *event"]
    """The expectation of x before the step."""
    glimpse: Glimpse | None
    encoding: LSTMStep
    encoded: Float[Tensor, "R units"]
    """The encoder's output, as the product saw it."""
    log_variance: Float[Tensor, "R Z"]
    scale: Float[Tensor, "R Z"]


class Step(NamedTuple):
    """What a step did, and what the way back needs of it."""

    choice: Choice
    look: Look | None
    decoding: LSTMStep
    decoded: Float[Tensor, "R units"]
    """The decoder's output, as the product saw it."""
    stroke: Stroke | None
    writing: Float[Tensor, "R m"]
    """The numbers that place the window that was written through."""


class Back(NamedTuple):
    """What a step gives on the way back."""

    of_state: State
    """The gradient with respect to the state before it."""
    of_z: Float[Tensor, "R Z"]
    of_x: Float[Tensor, "R *event"] | None
    pairs: Layers
    """For each layer that was used its x and the gradient with respect to its result."""


def forwards(
    parts: Parts,
    layers: Layers,
    state: State,
    data: Data | None,
    noise: Tensor | None,
    given: Tensor | None,
) -> tuple[Step, State]:
    """A step (equations 3 to 8)."""
    look = mean = scale = None
    z, encoded = given, state.encoded
    if data is not None:
        expected = expectation(parts.likelihood, state.canvas)
        features, glimpse = parts.reader(data.x, data.error(expected), state.reading)
        encoded, encoding = lstm(layers.encoder, [features, state.decoded.output], encoded)
        parameters, seen = linear(layers.to_posterior, [encoded.output])
        mean, log_variance = parameters.chunk(2, 1)
        scale = torch.exp(0.5 * bounded(log_variance))
        look = Look(expected, glimpse, encoding, seen, log_variance, scale)
        if z is None:
            z = mean if noise is None else torch.addcmul(mean, scale, noise)
    assert z is not None
    decoded, decoding = lstm(layers.decoder, [z], state.decoded)
    outputs, seen = linear(layers.to_canvas, [decoded.output])
    coming, writing, patch = outputs.split(parts.sizes, 1)
    change, stroke = parts.writer(patch, writing)
    step = Step(Choice(z, mean, scale), look, decoding, seen, stroke, writing)
    return step, State(encoded, decoded, coming, state.canvas + change)


def backwards(
    parts: Parts,
    layers: Layers,
    canvas: Tensor,
    data: Data | None,
    step: Step,
    noise: Tensor | None,
    of_choice: Choice,
    of: State,
    through: bool,
    wanted: bool,
) -> Back:
    """A step backwards.

    Args:
        parts: Likelihood, reader and writer.
        layers: The layers.
        canvas: Before the step.
        data: What is observed.
        step: What the step did.
        noise: Of its z.
        of_choice: The gradient with respect to z, its mean and its scale from elsewhere.
        of: The gradient with respect to the state after the step.
        through: Whether it reaches mean and scale through z.
        wanted: Whether that with respect to x is wanted.
    """
    to_canvas = torch.cat([of.reading, *parts.writer.back(step.stroke, of.canvas)], 1)
    of_memory = Memory(of.decoded.output + linear_back(layers.to_canvas, to_canvas), of.decoded.cell)
    of_z, of_decoded, decoder = lstm_back(layers.decoder, step.decoding, of_memory)
    ours = (step.decoding.x, decoder), (step.decoded, to_canvas)
    if data is None or step.look is None:
        return Back(of._replace(decoded=of_decoded), of_z, None, Layers(None, None, *ours))
    look = step.look
    of_mean, of_scale = of_choice.mean, of_choice.scale
    assert of_mean is not None
    assert of_scale is not None
    if through:
        of_z = of_z + of_choice.z
        of_mean = of_mean + of_z
        of_scale = of_scale if noise is None else torch.addcmul(of_scale, of_z, noise)
    within = look.log_variance.abs() <= LOG_VARIANCE_BOUND
    to_posterior = torch.cat([of_mean, of_scale * look.scale * (0.5 * within)], 1)
    of_memory = Memory(of.encoded.output + linear_back(layers.to_posterior, to_posterior), of.encoded.cell)
    of_seen, of_encoded, encoder = lstm_back(layers.encoder, look.encoding, of_memory)
    of_features, of_output = of_seen.tensor_split([-of_encoded.output.shape[1]], 1)
    of_decoded = Memory(of_decoded.output + of_output, of_decoded.cell)
    error = data.error(look.expected)
    of_reading, of_error, of_x = parts.reader.back(data.x, error, look.glimpse, of_features, wanted)
    of_error = data.seen(of_error)
    of_canvas = of.canvas - expectation_back(parts.likelihood, canvas, look.expected, of_error)
    theirs = (look.encoding.x, encoder), (look.encoded, to_posterior)
    state = State(of_encoded, of_decoded, of_reading, of_canvas)
    return Back(state, of_z, None if of_x is None else of_error + of_x, Layers(*theirs, *ours))


@cache
def compiled() -> tuple[Callable[..., tuple[Step, State]], Callable[..., Back]]:
    """The two functions, each compiled once for all steps."""
    return tuple(torch.compile(each, fullgraph=True, dynamic=False) for each in (forwards, backwards))  # pyright: ignore[reportReturnType]

"""The recurrence of DRAW: all of its steps as one function, and its gradient."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.distributions import Distribution, Independent, Normal

from lowerbound.models.draw.step import Choice, Data, Layers, Parts, State, Step, backwards, compiled, forwards
from lowerbound.nn.recurrent import Layer, LayerGradient, Memory, linear, linear_back


class Course(NamedTuple):
    """What T steps did, for R rows of data."""

    z: Float[Tensor, "R T Z"]
    mean: Float[Tensor, "R T Z"] | None
    """Of q(z_t | x, z_<t); None where nothing is observed."""
    scale: Float[Tensor, "R T Z"] | None
    """Its standard deviation."""
    canvas: Float[Tensor, "R P *event"]
    """Parameters of the likelihood, after the last step."""

    def along(self, particles: int) -> Distribution:
        """q with the parameters of the course, batch shape [K, B], event shape [T·Z]."""
        assert self.mean is not None
        assert self.scale is not None
        mean, scale = (part.flatten(1).unflatten(0, (particles, -1)) for part in (self.mean, self.scale))
        return Independent(Normal(mean, scale, validate_args=False), 1, validate_args=False)


class Moment(NamedTuple):
    """What there is to see of a step."""

    canvas: Float[Tensor, "R P *event"]
    """Parameters of the likelihood, after the step."""
    read: Float[Tensor, "R n"] | None
    """The numbers that place the window that was read through; None where nothing is observed."""
    write: Float[Tensor, "R m"]
    """The same for the window that was written through."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What the recurrence does."""

    parts: Parts
    steps: int
    """T."""
    rows: int
    """R."""
    mask: Bool[Tensor, "R *event"] | None = None
    """True where x was observed."""
    noise: Float[Tensor, "T R Z"] | None = None
    """ε of z_t = μ_t + σ_t ε_t, where z is not given; None: z_t = μ_t."""
    pathwise: bool = True
    """Whether gradients reach μ and σ through z."""
    compiled: bool = False
    """Whether the steps are compiled, where there is a way back."""
    moments: list[Moment] | None = None
    """Where to put what there is to see of each step; None: nowhere."""


def run(
    plan: Plan,
    states: Float[Tensor, "4 units"],
    canvas: Float[Tensor, "P *event"],
    layers: Layers,
    x: Float[Tensor, "R *event"] | None,
    given: Float[Tensor, "R T Z"] | None,
) -> Course:
    """Take all steps.

    Args:
        plan: What is done.
        states: Where output and cell begin, of the encoder and of the decoder.
        canvas: Where the canvas begins.
        layers: A `Layer` for each.
        x: What is observed and read, and finite where a mask hides it; None: nothing.
        given: The latent variables; None: they are chosen as the plan says.
    """
    # What is not a product with a weight is in the precision of the weights.
    with torch.autocast(states.device.type, enabled=False):
        if not torch.is_grad_enabled():
            return _Run(plan, layers, x, given, keep=False).forward(states, canvas)
        weights = [part for layer in layers for part in layer]
        return Course(*_Differentiable.apply(plan, x, given, states, canvas, *weights))  # pyright: ignore[reportGeneralTypeIssues]


class _Differentiable(torch.autograd.Function):
    """A run as one function of the data, the latent variables that are given, where it begins, and the weights."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, x: Any, given: Any, states: Tensor, canvas: Tensor, *weights: Tensor) -> Any:
        ctx.run = _Run(plan, Layers(*map(Layer, weights[::2], weights[1::2])), x, given, keep=True)
        course = ctx.run.forward(states, canvas)
        if given is not None or not plan.pathwise:
            ctx.mark_non_differentiable(course.z)
        return tuple(course)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        _, of_x, of_given, _, _, *of_weights = ctx.needs_input_grad
        return None, *ctx.run.back(Course(*gradients), of_x, of_given, of_weights[::2])


class _Run:
    """The steps forwards, and backwards if what that needs is kept."""

    def __init__(self, plan: Plan, layers: Layers, x: Tensor | None, given: Tensor | None, *, keep: bool) -> None:
        self.plan, self.layers, self.given, self.keep = plan, layers, given, keep
        self.data = None if x is None else Data(x, plan.mask)
        self.kept: list[tuple[Tensor, Step]] = []
        self.first: Tensor | None = None
        self.forwards, self.backwards = compiled() if plan.compiled and keep else (forwards, backwards)

    def forward(self, states: Tensor, canvas: Tensor) -> Course:
        """Take all steps."""
        plan, rows = self.plan, self.plan.rows
        starts = [each.repeat(rows, 1) for each in states]
        reading = canvas.new_empty(rows, 0)
        if self.data is not None:
            # Where to read first.
            outputs, self.first = linear(self.layers.to_canvas, [starts[2]])
            reading = outputs[:, : plan.parts.sizes[0]]
        state = State(Memory(*starts[:2]), Memory(*starts[2:]), reading, canvas.repeat(rows, *[1] * canvas.ndim))
        choices: list[Choice] = []
        with closing(self._times()) as times:
            for t in times:
                step, after = self.forwards(plan.parts, self.layers, state, self.data, *self._chosen(t))
                choices.append(step.choice)
                if self.keep:
                    self.kept.append((state.canvas, step))
                if plan.moments is not None:
                    read = None if self.data is None else state.reading
                    plan.moments.append(Moment(after.canvas, read, step.writing))
                state = after
        z, mean, scale = (None if each[0] is None else torch.stack(each, 1) for each in zip(*choices, strict=True))
        assert z is not None
        return Course(z, mean, scale, state.canvas)

    def back(
        self, of: Course, of_x: bool, of_given: bool, of_weights: list[bool]
    ) -> tuple[Tensor | None, Tensor | None, Tensor, Tensor, *tuple[Tensor | None, ...]]:
        """From the gradients of the course to those of x, of what is given, of the start, and of the layers.

        Args:
            of: The gradient with respect to the course.
            of_x: Whether that with respect to x is wanted.
            of_given: Whether that with respect to the given latent variables is.
            of_weights: Of which layers that with respect to the weight is.
        """
        plan = self.plan
        gradients = Layers(*map(LayerGradient, self.layers, of_weights))
        units = self.kept[0][1].decoding.before.shape[1]
        # Each of its own: for a compiler, one tensor in two places would be another function.
        nothing = [of.canvas.new_zeros(plan.rows, units) for _ in range(4)]
        reading = of.canvas.new_zeros(plan.rows, plan.parts.sizes[0])
        # In one piece, which is laid out alike whatever the loss and the number of steps.
        state = State(Memory(*nothing[:2]), Memory(*nothing[2:]), reading, of.canvas.contiguous())
        of_choices = [None if each is None else each.transpose(0, 1).contiguous() for each in of[:3]]
        into_x, into_given = None, []
        through = self.given is None and plan.pathwise
        with closing(self._times(back=True)) as times:
            for t in times:
                canvas, step = self.kept[t]
                of_choice = Choice(*(None if each is None else each[t] for each in of_choices))  # pyright: ignore[reportArgumentType]
                way = through, of_x
                chosen = self._chosen(t)[0]
                back = self.backwards(plan.parts, self.layers, canvas, self.data, step, chosen, of_choice, state, *way)
                state = back.of_state
                for gradient, pair in zip(gradients, back.pairs, strict=True):
                    if pair is not None:
                        gradient.add(*pair)
                if of_given:
                    into_given.append(back.of_z)
                if back.of_x is not None:
                    into_x = back.of_x if into_x is None else into_x + back.of_x
        encoded, decoded = state.encoded, state.decoded
        if self.first is not None:
            slope = torch.cat([state.reading, reading.new_zeros(plan.rows, sum(plan.parts.sizes[1:]))], 1)
            decoded = decoded._replace(output=decoded.output + linear_back(self.layers.to_canvas, slope))
            gradients.to_canvas.add(self.first, slope)
        of_states = torch.stack([each.sum(0) for each in (*encoded, *decoded)])
        of_layers = [part for gradient in gradients for part in gradient.finish()]
        of_z = torch.stack(into_given[::-1], 1) if of_given else None
        return into_x, of_z, of_states, state.canvas.sum(0), *of_layers

    def _times(self, *, back: bool = False) -> Generator[int]:
        """The steps in their order.

        Where they are compiled, the first one and the second, whose state has come out of a step, are checked against
        what the compiler has seen, and the others are taken to be like the second: the check of some hundred tensors
        costs a twentieth of the training.
        """
        with ExitStack() as from_the_third:
            for i in range(self.plan.steps):
                yield self.plan.steps - 1 - i if back else i
                if i == 1 and self.plan.compiled and self.keep:
                    from_the_third.enter_context(torch.compiler.set_stance(skip_guard_eval_unsafe=True))

    def _chosen(self, t: int) -> tuple[Tensor | None, Tensor | None]:
        """The noise of a step, and the latent variables that are given."""
        noise, given = self.plan.noise, self.given
        return None if noise is None else noise[t], None if given is None else given[:, t]

"""Recurrent networks whose weights get their gradients from one product over all steps.

    y_t = W x_t + b,   ∂L/∂W = Σ_t (∂L/∂y_t) x_tᵀ = [∂L/∂y_1 … ∂L/∂y_T] [x_1 … x_T]ᵀ

The one product is several times as fast as the sum of T small ones, each of which reads and writes all of ∂L/∂W.

References:
    Hochreiter and Schmidhuber, Long short-term memory, 1997.
    Gers, Schmidhuber and Cummins, Learning to forget, 2000 (the forget gate).
    Jozefowicz, Zaremba and Sutskever, An empirical exploration of recurrent network architectures, 2015 (its bias, 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lowerbound.nn.conditional import check_shape


class RepeatedLinear(nn.Module):
    """A linear layer for all steps of a recurrence.

    Args:
        inputs: Entries of an input.
        outputs: Entries of an output.

    Raises:
        ValueError: A size below one.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        check_shape((inputs, outputs), "linear layer")
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def repeated(
        self, uses: int, rows: int, constant: Float[Tensor, "rows out"] | None = None
    ) -> Callable[[Float[Tensor, "rows in"]], Float[Tensor, "rows out"]]:
        """The map from x to W x + b + constant, within one graph.

        Under autocast the products are in its precision, and the results in the layer's own.

        Args:
            uses: How often it will be called, at most.
            rows: Of every x.
            constant: What every result contains besides, such as the part of an input that is the same at every step.
        """
        device = self.weight.device.type
        lower = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.weight.dtype
        weight, added = self.weight.to(lower), self.bias if constant is None else self.bias + constant
        if not torch.is_grad_enabled():
            return lambda x: _affine(x.to(lower), weight, added)
        inputs: list[Tensor] = []
        slots = iter(_Slots.apply(weight, added, inputs, uses, rows))  # pyright: ignore[reportArgumentType]
        weight, added = weight.detach(), added.detach()

        def use(x: Tensor) -> Tensor:
            x = x.to(lower)
            inputs.append(x.detach())
            return _Use.apply(x, weight, added, next(slots))  # pyright: ignore[reportReturnType]

        return use


def _affine(x: Tensor, weight: Tensor, added: Tensor) -> Tensor:
    if weight.dtype == added.dtype:
        return torch.addmm(added, x, weight.T)
    return added + x @ weight.T


class _Slots(torch.autograd.Function):
    """For each use of a weight an output without content, whose gradient is that of the use's result.

    What the weight was multiplied with is in `inputs` by the time of the backward pass, in the order of the uses.
    """

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, added: Tensor, inputs: list[Tensor], uses: int, rows: int
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.inputs, ctx.dtype, ctx.shared = inputs, weight.dtype, added.ndim == 1
        return tuple(added.new_empty(1, 1).expand(rows, len(weight)) for _ in range(uses))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        pairs = [(x, slope) for x, slope in zip(ctx.inputs, gradients, strict=False) if slope is not None]
        if not pairs:
            return None, None, None, None, None
        x, slope = torch.cat([x for x, _ in pairs]), torch.stack([slope for _, slope in pairs])
        of_weight = slope.flatten(0, 1).to(ctx.dtype).T @ x
        return of_weight, slope.sum((0, 1) if ctx.shared else 0), None, None, None


class _Use(torch.autograd.Function):
    """One use of a weight, whose gradient goes to the slot."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, added: Tensor, slot: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return _affine(x, weight, added)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (slope,), (weight,) = gradients, ctx.saved_tensors
        return slope.to(weight.dtype) @ weight if ctx.needs_input_grad[0] else None, None, None, slope


class LSTM(nn.Module):
    """A long short-term memory that is called step by step; its forget gate starts open.

    Args:
        inputs: Entries of an input.
        units: Entries of the state.

    Raises:
        ValueError: A size below one.
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.gates = RepeatedLinear(inputs + units, 4 * units)
        nn.init.uniform_(self.gates.weight, -1 / math.sqrt(units), 1 / math.sqrt(units))
        with torch.no_grad():
            self.gates.bias[units : 2 * units] = 1.0

    def repeated(
        self, uses: int, rows: int, constant: Float[Tensor, "rows gates"] | None = None
    ) -> Callable[..., tuple[Float[Tensor, "rows units"], Float[Tensor, "rows units"]]]:
        """The step (inputs, (output, cell)) → (output, cell), within one graph (see `RepeatedLinear.repeated`)."""
        gates = self.gates.repeated(uses, rows, constant)

        def step(inputs: list[Tensor], state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return _Cell.apply(gates(torch.cat([*inputs, state[0]], 1)), state[1])  # pyright: ignore[reportReturnType]

        return step


class _Cell(torch.autograd.Function):
    """c' = σ(f) c + σ(i) tanh(g),   h = σ(o) tanh(c'), from the gates i, f, o and g side by side.

    The derivative is written out, for automatic differentiation takes twice as many passes over the gates.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        units = cell.shape[1]
        active = torch.empty_like(gates)
        torch.sigmoid(gates[:, : 3 * units], out=active[:, : 3 * units])
        torch.tanh(gates[:, 3 * units :], out=active[:, 3 * units :])
        enter, keep, leave, new = active.split(units, 1)
        after = torch.addcmul(keep * cell, enter, new)
        squashed = torch.tanh(after)
        ctx.save_for_backward(active, cell, squashed)
        return leave * squashed, after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        of_output, of_cell = gradients
        active, cell, squashed = ctx.saved_tensors
        units = cell.shape[1]
        enter, keep, leave, new = active.split(units, 1)
        of_after = torch.ops.aten.tanh_backward(of_output * leave, squashed).add_(of_cell)
        of_gates = torch.empty_like(active)
        pieces = of_gates.split(units, 1)
        torch.mul(of_after, new, out=pieces[0])
        torch.mul(of_after, cell, out=pieces[1])
        torch.mul(of_output, squashed, out=pieces[2])
        sigmoids = of_gates[:, : 3 * units]
        torch.ops.aten.sigmoid_backward(sigmoids, active[:, : 3 * units], grad_input=sigmoids)
        torch.ops.aten.tanh_backward(of_after * enter, new, grad_input=pieces[3])
        return of_gates, of_after.mul_(keep)

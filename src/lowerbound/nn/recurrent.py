"""Recurrent layers with their derivatives written out, for a recurrence that goes forwards and then backwards.

    y_t = W x_t + b,   ∂L/∂W = Σ_t (∂L/∂y_t) x_tᵀ

References:
    Hochreiter and Schmidhuber, Long short-term memory, 1997.
    Gers, Schmidhuber and Cummins, Learning to forget, 2000 (the forget gate).
    Jozefowicz, Zaremba and Sutskever, An empirical exploration of recurrent network architectures, 2015 (its bias, 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lowerbound.nn.conditional import check_shape

# Rows of x that are multiplied together for ∂L/∂W, at least.
_TOGETHER = 128


class Layer(NamedTuple):
    """W and b of a linear layer as one recurrence sees them."""

    weight: Float[Tensor, "out in"]
    """In the precision of the products."""
    added: Float[Tensor, "out"] | Float[Tensor, "rows out"]
    """b, and what every result contains besides; in the precision of the results."""


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

    def layer(self, constant: Float[Tensor, "rows out"] | None = None) -> Layer:
        """The layer for one recurrence.

        Under autocast the products are in its precision, and the results in the layer's own.

        Args:
            constant: What every result contains besides, such as the part of an input that is the same at every step.
        """
        device = self.weight.device.type
        lower = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.weight.dtype
        return Layer(self.weight.to(lower), self.bias if constant is None else self.bias + constant)


class LSTM(nn.Module):
    """A long short-term memory; its forget gate starts open.

        c_t = σ(f) c_{t−1} + σ(i) tanh(g),   h_t = σ(o) tanh(c_t)

    from the gates i, f, o and g side by side, which are linear in the input and h_{t−1}.

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


def linear(
    layer: Layer, parts: Sequence[Float[Tensor, "rows some"]]
) -> tuple[Float[Tensor, "rows out"], Float[Tensor, "rows in"]]:
    """W x + b for an x in parts, and x as the product saw it."""
    x = (parts[0] if len(parts) == 1 else torch.cat(list(parts), 1)).to(layer.weight.dtype)
    if layer.weight.dtype == layer.added.dtype:
        return torch.addmm(layer.added, x, layer.weight.T), x
    return layer.added + x @ layer.weight.T, x


def linear_back(layer: Layer, slope: Float[Tensor, "rows out"]) -> Float[Tensor, "rows in"]:
    """From the gradient with respect to a result to that with respect to its x."""
    return (slope.to(layer.weight.dtype) @ layer.weight).to(layer.added.dtype)


class LayerGradient:
    """∂L/∂W and ∂L/∂b of a layer, gathered while the recurrence goes backwards.

    Several steps are taken together where a batch is small: with fewer products, all of ∂L/∂W is read and written less
    often. In a lower precision there is one product only, which is rounded once.

    Args:
        layer: The layer.
        wanted: Whether ∂L/∂W is.
    """

    def __init__(self, layer: Layer, wanted: bool = True) -> None:
        self.layer, self.wanted = layer, wanted
        self.of_weight: Tensor | None = torch.zeros_like(layer.weight) if wanted else None
        self.of_added = torch.zeros_like(layer.added)
        self.waiting: list[tuple[Tensor, Tensor]] = []
        self.patient = layer.weight.dtype != layer.added.dtype

    def add(self, x: Float[Tensor, "rows in"], slope: Float[Tensor, "rows out"]) -> None:
        """Add one step."""
        self.of_added += slope.sum(0) if self.of_added.ndim == 1 else slope
        if self.wanted:
            self.waiting.append((x, slope.to(x.dtype)))
            if not self.patient and len(self.waiting) * len(x) >= _TOGETHER:
                self._multiply()

    def _multiply(self) -> None:
        assert self.of_weight is not None
        together = self.waiting
        x, slope = together[0] if len(together) == 1 else (torch.cat(parts) for parts in zip(*together, strict=True))
        self.of_weight.addmm_(slope.T, x)
        self.waiting.clear()

    def finish(self) -> tuple[Tensor | None, Tensor]:
        """The gradients of all steps."""
        if self.waiting:
            self._multiply()
        return self.of_weight, self.of_added


class Memory(NamedTuple):
    """The state of an LSTM, or the gradient with respect to it."""

    output: Float[Tensor, "rows units"]
    cell: Float[Tensor, "rows units"]


class LSTMStep(NamedTuple):
    """What the way back needs of a step of an LSTM."""

    x: Float[Tensor, "rows in"]
    """Input and output before, as the product saw them."""
    gates: Float[Tensor, "rows units*3"]
    """σ(i), σ(f) and σ(o)."""
    new: Float[Tensor, "rows units"]
    """tanh(g)."""
    before: Float[Tensor, "rows units"]
    """The cell before the step."""
    squashed: Float[Tensor, "rows units"]
    """tanh of the cell after it."""


def lstm(layer: Layer, parts: Sequence[Float[Tensor, "rows some"]], memory: Memory) -> tuple[Memory, LSTMStep]:
    """One step with an input in parts, and what the way back needs."""
    linears, x = linear(layer, [*parts, memory.output])
    units = memory.cell.shape[1]
    gates, new = linears[:, : 3 * units].sigmoid(), linears[:, 3 * units :].tanh()
    enter, keep, leave = gates.split(units, 1)
    cell = torch.addcmul(keep * memory.cell, enter, new)
    squashed = cell.tanh()
    return Memory(leave * squashed, cell), LSTMStep(x, gates, new, memory.cell, squashed)


def lstm_back(
    layer: Layer, step: LSTMStep, of: Memory
) -> tuple[Float[Tensor, "rows some"], Memory, Float[Tensor, "rows gates"]]:
    """From the gradient of the state after a step to those of its input, of the state before, and of the products."""
    units = step.before.shape[1]
    enter, keep, leave = step.gates.split(units, 1)
    tanh_back, sigmoid_back = torch.ops.aten.tanh_backward, torch.ops.aten.sigmoid_backward
    of_cell = tanh_back(of.output * leave, step.squashed) + of.cell
    of_gates = torch.cat([of_cell * step.new, of_cell * step.before, of.output * step.squashed], 1)
    slope = torch.cat([sigmoid_back(of_gates, step.gates), tanh_back(of_cell * enter, step.new)], 1)
    of_parts, of_output = linear_back(layer, slope).tensor_split([-units], 1)
    # In one piece, as the gradient was that came in: for a compiler, another layout would be another function.
    return of_parts, Memory(of_output.contiguous(), of_cell * keep), slope

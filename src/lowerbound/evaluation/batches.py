"""Running a model over all data for its numbers alone, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lowerbound.models import LatentModel, Trace
from lowerbound.nn.memory import freed_memory_kept
from lowerbound.nn.subnormals import subnormals_flushed

# Bytes of activations that may be alive at once. A processor is fastest where they stay near its cache.
_ACTIVATIONS = {"cpu": 2**26}
_ACTIVATIONS_ON_ACCELERATORS = 2**28
# How many tensors as large as the largest one are alive at once: a density and its temporaries need the most.
_ALIVE = 8

Precision = Literal["float32", "bfloat16"]
"""What the networks compute in; densities are computed in the model's own type whatever it is."""


class Data(NamedTuple):
    """What a model is evaluated on."""

    x: Float[Tensor, "N *event"]
    context: Float[Tensor, "N C"] | None = None
    mask: Bool[Tensor, "N *event"] | None = None

    def rows(self, which: slice | list[int]) -> Data:
        """Some of the data."""
        return Data(*(None if part is None else part[which] for part in self))  # pyright: ignore[reportArgumentType]

    def trace(self, model: LatentModel, particles: int, precision: Precision = "float32") -> Trace:
        """Run the model; no gradient is wanted, so that z need not be reparameterized."""
        with torch.autocast(self.x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return model.trace(self.x, particles, pathwise=False, context=self.context, mask=self.mask)


def for_each_batch(
    model: LatentModel,
    data: Data,
    particles: int,
    reduce: Callable[[Data, Iterator[Trace]], Float[Tensor, "B S"]],
    *,
    seed: int,
    precision: Precision = "float32",
    on_progress: Callable[[float], None] | None = None,
) -> Float[Tensor, "N S"]:
    """Run the model on all data, a few at a time, and reduce each batch to S numbers for each datum.

    A batch has few data and many particles, so that running the encoder again for each chunk of its particles costs
    next to nothing.

    Args:
        model: In any mode.
        data: On the model's device.
        particles: Draws of z for each datum.
        reduce: From a batch, and its traces whose particles add up to `particles`, to S numbers for each datum.
        seed: Of the draws.
        precision: What the networks compute in. The reduction is outside of the autocast.
        on_progress: Called after each batch with the share that is done, 0 … 1.

    Raises:
        ValueError: No data, fewer than one particle, or an unknown precision.
    """
    count = len(data.x)
    if count == 0:
        raise ValueError("There are no data to evaluate: x is empty.")
    if particles < 1:
        raise ValueError(f"At least one draw of z is needed for each datum, not {particles}.")
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be 'float32' or 'bfloat16', not {precision!r}.")
    results: Tensor | None = None
    with _evaluating(model, data.x.device, seed):
        pairs = _pairs_at_once(model, data)
        size = max(1, pairs // particles)
        for start in range(0, count, size):
            batch = data.rows(slice(start, start + size))
            reduced = reduce(batch, (batch.trace(model, k, precision) for k in _chunks(particles, pairs)))
            # All results lie in one place: a small one of each batch, put where a large tensor has just been, would
            # keep the next one from fitting there, and memory would grow with the data.
            results = reduced.new_empty(count, *reduced.shape[1:]) if results is None else results
            results[start : start + size] = reduced
            if on_progress is not None:
                on_progress(min(1.0, (start + size) / count))
    assert results is not None
    return results.clone()  # which, unlike tensors of inference mode, can be used in any computation


def has_bound(model: LatentModel, data: Data) -> bool:
    """Whether the model has a lower bound, which one with a deterministic encoder has not (`Trace.has_bound`)."""
    with _evaluating(model, data.x.device, seed=0):
        return data.rows(slice(1)).trace(model, 1).has_bound


def _chunks(particles: int, most: int) -> list[int]:
    """The particles in as few and as equal chunks as there can be."""
    count = math.ceil(particles / most)
    return [particles // count + (i < particles % count) for i in range(count)]


@contextmanager
def _evaluating(model: LatentModel, device: torch.device, seed: int) -> Iterator[None]:
    """No graph, no dropout, no reduced precision, and random numbers of its own.

    On leaving, the mode of every module and the caller's random numbers are as they were.
    """
    training = [module for module in model.modules() if module.training]
    generators = [torch.default_generator]
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    before = [generator.get_state() for generator in generators]
    try:
        model.eval()
        for generator in generators:
            generator.manual_seed(seed)
        with (
            torch.autocast(device.type, enabled=False),
            torch.inference_mode(),
            freed_memory_kept(),
            subnormals_flushed(),
        ):
            yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)
        for module in training:
            module.training = True


@contextmanager
def fixed(model: LatentModel, device: torch.device, seed: int) -> Iterator[None]:
    """The model as a fixed density, for computations that need a gradient with respect to something else.

    Inside it is in evaluation mode, no gradient reaches its weights, and torch's random numbers are seeded; on leaving,
    everything is as it was.

    Args:
        model: The model.
        device: Where it computes.
        seed: Of every draw.
    """
    training = [module for module in model.modules() if module.training]
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        model.eval().requires_grad_(False)
        forked = torch.random.fork_rng([device] if device.type == "cuda" else [])
        with forked, freed_memory_kept(), subnormals_flushed():
            torch.manual_seed(seed)
            yield
    finally:
        for module in training:
            module.training = True
        for parameter in wanted:
            parameter.requires_grad_(True)


class _Sizes(TorchFunctionMode):
    """Notes how many bytes each tensor has that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[int] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.bytes.append(result.nbytes)
        return result


def _pairs_at_once(model: LatentModel, data: Data) -> int:
    """How many pairs of a datum and a draw of z the model can be run on at once.

    What the largest tensor needs for one pair is measured, not guessed: the hidden layers of a convolutional network
    are many times as large as the data. A tensor that does not grow with the data is a weight.
    """
    sizes = []
    for rows in ([0], [0, 0]):
        with _Sizes() as noted:
            trace = data.rows(rows).trace(model, 1)
            trace.log_weight() if trace.has_bound else trace.log_likelihood()
        sizes.append(noted.bytes)
    growth = max(two - one for one, two in zip(*sizes, strict=False))
    memory = _ACTIVATIONS.get(data.x.device.type, _ACTIVATIONS_ON_ACCELERATORS)
    return max(1, memory // (_ALIVE * growth))

"""From stored values to what a model sees, and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from lowerbound.data.dataset import Dataset
from lowerbound.data.rows import blocks, rows_at_once
from lowerbound.errors import UserError
from lowerbound.names import unknown


class Preparation(nn.Module, ABC):
    """Stored values → x, float32. What it learned from the training rows is kept in buffers, and saved with a model.

    A preparation is made again from its name, its `settings` and its buffers: each is an argument of its constructor.
    """

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def learned(cls, dataset: Dataset, rows: np.ndarray) -> Self:
        """The preparation that suits these training rows.

        Raises:
            UserError: The data is not of the kind that it prepares.
        """

    @abstractmethod
    def forward(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """What the model sees; where it is random, drawn anew from torch's default generator."""

    def expected(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """The expectation of `forward`, which is deterministic."""
        return self(stored)

    def frozen(self, stored: Shaped[Tensor, "B *stored"], seed: int) -> Float[Tensor, "B *event"]:
        """What the model sees, drawn once with a seed; the caller's generators are left as they were."""
        accelerators = [] if stored.device.type == "cpu" else [stored.device]
        with torch.random.fork_rng(accelerators, device_type=stored.device.type if accelerators else "cuda"):
            torch.manual_seed(seed)
            return self(stored)

    def restore(self, x: Float[Tensor, "*batch *event"]) -> Float[Tensor, "*batch *stored"]:
        """Values in the data's own units: of a mean, or of a draw."""
        return x

    def event_shape(self, stored_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one datum as the model sees it."""
        return stored_shape

    def log_volume(self, event_shape: tuple[int, ...]) -> float:
        """Nats to add to the log density of one x for the log density of the stored datum.

        For a probability mass, which has no units, nothing is to be added.
        """
        return 0.0

    def settings(self) -> dict[str, int | None]:
        """The arguments of the constructor that are no tensors."""
        return {}

    def check(self, dataset: Dataset) -> None:
        """Refuse data that this cannot prepare: what a trained model is given need not be like what it learned from.

        Raises:
            UserError: Such data, with what is wrong with it.
        """
        return


class Identity(Preparation):
    """The values as they are."""

    name = "identity"

    @classmethod
    def learned(cls, dataset: Dataset, rows: np.ndarray) -> Self:
        """Nothing is learned."""
        return cls()

    def forward(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """The values, as float32."""
        return stored.float()


class Rescale(Preparation):
    """v / maximum, in [0, 1]: level k of an integer scale becomes k / (levels − 1).

    Args:
        maximum: Largest level of the integer scale; None for real values that lie in [0, 1] already.
    """

    name = "rescale"

    def __init__(self, maximum: int | None) -> None:
        super().__init__()
        self.maximum = maximum

    @classmethod
    def learned(cls, dataset: Dataset, rows: np.ndarray) -> Self:
        """For the data's own scale.

        Raises:
            UserError: Real values outside [0, 1].
        """
        preparation = cls(scale_of(dataset))
        preparation.check(dataset)
        return preparation

    def forward(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """The values over the maximum."""
        return self._scaled(stored)

    def restore(self, x: Float[Tensor, "*batch *event"]) -> Float[Tensor, "*batch *stored"]:
        """On the data's scale."""
        return x * (self.maximum or 1)

    def log_volume(self, event_shape: tuple[int, ...]) -> float:
        """−log maximum for each entry."""
        return -math.prod(event_shape) * math.log(self.maximum or 1)

    def settings(self) -> dict[str, int | None]:
        """The scale."""
        return {"maximum": self.maximum}

    def check(self, dataset: Dataset) -> None:
        """Values on the scale, and not on a much shorter one.

        Raises:
            UserError: Values beyond the ends of the scale, or data that is all between 0 and 1 on a longer one.
        """
        low, high, top = dataset.values.min(), dataset.values.max(), self.maximum or 1
        found = f"{dataset.name} has values from {low:g} to {high:g}"
        if low < 0 or high > top:
            scale = "between 0 and 1, or 8-bit pixels" if self.maximum is None else f"from 0 to {top}"
            raise UserError(f"{found}: this likelihood needs values {scale}.")
        if top > 1 and 0 < high <= 1:
            raise UserError(f"{found}, on a scale that goes to {top}: multiply them by {top}.")

    def _scaled(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        return stored.float() if self.maximum in (None, 1) else stored / self.maximum


class Binarise(Rescale):
    """x ~ Bernoulli(v / maximum), drawn anew each time: dynamic binarisation. Data that is binary stays as it is.

    Args:
        maximum: Largest level of the integer scale; None for real values in [0, 1].

    References:
        Salakhutdinov and Murray, On the quantitative analysis of deep belief networks, 2008.
    """

    name = "binarise"

    def forward(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """Ones and zeros."""
        if self.maximum is None or stored.dtype != torch.uint8:
            scaled = self._scaled(stored)
            return (torch.rand_like(scaled) < scaled).float()
        if self.maximum == 1:
            return stored.float()
        # `torch.bernoulli` is a slow draw for each pixel on one thread: one 64-bit integer serves four pixels here.
        # P(r · maximum < v · 2¹⁶) is exact at both ends of the scale, and within 2⁻¹⁶ of v / maximum between them.
        bits = torch.empty(math.ceil(stored.numel() / 4), dtype=torch.int64, device=stored.device)
        bits = bits.random_(-(2**63), None).view(torch.int16)[: stored.numel()].view(stored.shape)
        r = bits.to(torch.int32).bitwise_and_(0xFFFF)
        return (r.mul_(self.maximum) < stored.to(torch.int32).mul_(1 << 16)).float()

    def expected(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """The probability of a one, v / maximum."""
        return self._scaled(stored)

    def log_volume(self, event_shape: tuple[int, ...]) -> float:
        """Nothing: ones and zeros have a probability."""
        return 0.0


class Standardise(Preparation):
    """(v − shift) / scale: for vectors column by column, for images with one shift and one scale.

    Args:
        shift: Mean of the training rows.
        scale: Their standard deviation.
    """

    name = "standardise"
    shift: Tensor
    scale: Tensor

    def __init__(self, shift: Float[Tensor, "..."], scale: Float[Tensor, "..."]) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)

    @classmethod
    def learned(cls, dataset: Dataset, rows: np.ndarray) -> Self:
        """From the training rows.

        Raises:
            UserError: A column, or all pixels, that do not vary.
        """
        shift, scale = _moments(dataset, rows)
        constant = np.flatnonzero(np.atleast_1d(scale) <= 1e-7 * np.abs(np.atleast_1d(shift)))
        if len(constant):
            names = [dataset.columns[i] if dataset.columns else str(i) for i in constant[:5]]
            which = f"the columns {', '.join(names)}{', …' if len(constant) > 5 else ''}"
            raise UserError(
                f"{dataset.name}: {which if dataset.kind == 'vector' else 'all pixels'} of the training rows do not "
                "vary, and a constant has no density: leave them out."
            )
        return cls(torch.as_tensor(shift, dtype=torch.float32), torch.as_tensor(scale, dtype=torch.float32))

    def forward(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """The standardised values."""
        return (stored - self.shift) / self.scale

    def restore(self, x: Float[Tensor, "*batch *event"]) -> Float[Tensor, "*batch *stored"]:
        """In the data's units."""
        return x * self.scale + self.shift

    def log_volume(self, event_shape: tuple[int, ...]) -> float:
        """−log scale for each entry."""
        return -self.scale.double().log().expand(event_shape).sum().item()

    def check(self, dataset: Dataset) -> None:
        """As many columns as there were.

        Raises:
            UserError: More columns, or fewer.
        """
        if self.shift.ndim and self.shift.shape != dataset.shape:
            raise UserError(f"{dataset.name} has {dataset.shape[0]:,} columns, the model needs {len(self.shift):,}.")


class OneHot(Preparation):
    """Integers 0 … C − 1 as unit vectors: an entry becomes C of them.

    Args:
        categories: C.
    """

    name = "onehot"

    def __init__(self, categories: int) -> None:
        super().__init__()
        self.categories = categories

    @classmethod
    def learned(cls, dataset: Dataset, rows: np.ndarray) -> Self:
        """For the largest integer that there is.

        Raises:
            UserError: Values that are not whole numbers from 0, or more than 1,000 categories.
        """
        preparation = cls(min(int(dataset.values.max()), 999) + 1)
        preparation.check(dataset)
        return preparation

    def forward(self, stored: Shaped[Tensor, "B *stored"]) -> Float[Tensor, "B *event"]:
        """Ones where the category is."""
        return nn.functional.one_hot(stored.long(), self.categories).float()

    def restore(self, x: Float[Tensor, "*batch *event"]) -> Float[Tensor, "*batch *stored"]:
        """The most probable category."""
        return x.argmax(-1).float()

    def event_shape(self, stored_shape: tuple[int, ...]) -> tuple[int, ...]:
        """An axis more."""
        return (*stored_shape, self.categories)

    def settings(self) -> dict[str, int | None]:
        """How many categories there are."""
        return {"categories": self.categories}

    def check(self, dataset: Dataset) -> None:
        """Whole numbers from 0 to C − 1.

        Raises:
            UserError: Fractions, or categories that there are not.
        """
        values, last = dataset.values, self.categories - 1
        fractions = values.dtype != np.uint8 and any((rows != np.rint(rows)).any() for rows in blocks(values))
        if values.min() < 0 or values.max() > last or fractions:
            raise UserError(
                f"{dataset.name}: this categorical likelihood needs whole numbers from 0 to {last}, and these run from "
                f"{values.min():g} to {values.max():g} or have fractions."
            )


PREPARATIONS: dict[str, type[Preparation]] = {
    preparation.name: preparation for preparation in (Identity, Binarise, Rescale, Standardise, OneHot)
}
"""By name, as a likelihood's `preparation` gives it."""


def preparation_for(name: str, dataset: Dataset, rows: np.ndarray) -> Preparation:
    """The preparation of that name, for these training rows.

    Raises:
        UserError: No such preparation, or data that is not of the kind that it prepares.
    """
    if name not in PREPARATIONS:
        raise unknown("preparation", name, PREPARATIONS)
    return PREPARATIONS[name].learned(dataset, rows)


def restored(name: str, settings: Mapping[str, int | None], tensors: Mapping[str, Tensor]) -> Preparation:
    """The preparation that was written down, made again without the data.

    Args:
        name: Its `name`.
        settings: Its `settings()`.
        tensors: Its buffers, by name.

    Raises:
        UserError: No such preparation, or settings and tensors that are not its own.
    """
    if name not in PREPARATIONS:
        raise unknown("preparation", name, PREPARATIONS)
    try:
        return PREPARATIONS[name](**settings, **tensors)
    except TypeError:
        given = ", ".join([*settings, *tensors]) or "nothing"
        raise UserError(
            f"The preparation {name} cannot be made again from {given}: another version wrote it."
        ) from None


def scale_of(dataset: Dataset) -> int | None:
    """The largest level of the data's integer scale, where it has one."""
    if dataset.maximum is not None:
        return dataset.maximum
    if dataset.values.dtype == np.uint8:
        return 255 if dataset.values.max() > 1 else 1
    return None


def _moments(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of some rows, of each column or of all pixels, in float64."""
    axes = (0,) if dataset.kind == "vector" else (0, 1, 2, 3)
    # In pieces: in float64 the whole would take eight times the memory.
    pieces = np.array_split(rows, max(1, math.ceil(len(rows) / rows_at_once(dataset.values))))
    count = len(rows) if dataset.kind == "vector" else len(rows) * math.prod(dataset.shape)
    shift = sum(dataset.values[piece].sum(axes, dtype=np.float64) for piece in pieces) / count
    square = sum(((dataset.values[piece] - shift) ** 2).sum(axes) for piece in pieces)
    return np.asarray(shift), np.sqrt(np.asarray(square) / count)

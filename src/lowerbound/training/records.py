"""What a training reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lowerbound.errors import UserError
from lowerbound.training.device import Decision


class TrainingError(UserError):
    """The loss or its gradient was not finite too often."""


def bound(distortion: float, rate: float) -> float:
    """The ELBO; where the encoder is deterministic and the rate infinite, −distortion, which can be compared."""
    return -distortion if rate == math.inf else -(distortion + rate)


@dataclass(frozen=True)
class EpochRecord:
    """One line of the learning curves; in nats per datum, averaged over the steps of the epoch."""

    epoch: int
    """From 1. After a resume, the epochs since the state was last saved are reported again."""
    step: int
    """Steps since the beginning of the training."""
    seconds: float
    """By the clock, since the beginning, without interruptions."""
    loss: float
    """NaN, as all means of the epoch are, where every step had to be skipped."""
    distortion: float
    rate: float
    """Infinite, as `validation_rate` is, where the encoder is deterministic."""
    validation_distortion: float | None
    """Of the averaged weights; None where this epoch was not validated."""
    validation_rate: float | None
    learning_rate: float
    """At the end of the epoch, as `beta` is."""
    gradient_norm: float
    """Before clipping."""
    beta: float
    """Weight of the KL term."""
    skipped: int
    """Steps since the beginning that were skipped, because their loss or gradient was not finite."""

    @property
    def validation_bound(self) -> float | None:
        """By which the best weights are chosen (see `bound`); None where this epoch was not validated."""
        if self.validation_distortion is None or self.validation_rate is None:
            return None
        return bound(self.validation_distortion, self.validation_rate)


@dataclass(frozen=True)
class Result:
    """How a training went."""

    epochs: int
    """Whole ones."""
    steps: int
    seconds: float
    """By the clock, without interruptions."""
    stopped: Literal["epochs", "minutes", "patience", "interrupted"]
    best_step: int | None
    """The step that the model's weights are from; None where nothing was validated, and they are the last ones."""
    best_bound: float | None
    """Their ELBO on the validation data, in nats per datum; where the encoder is deterministic, −distortion."""
    skipped: int
    """Steps that were skipped, because their loss or gradient was not finite."""
    decisions: tuple[Decision, ...]
    """Device, precision and compilation, each with its reason."""

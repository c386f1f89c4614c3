"""How much of the training is done, and what follows from that alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lowerbound.training.settings import TrainingSettings


@dataclass(frozen=True)
class Bounds:
    """The end of a training: a number of steps, a time, or whichever comes first."""

    steps: int | None
    seconds: float | None

    @classmethod
    def of(cls, settings: TrainingSettings, steps_per_epoch: int) -> Bounds:
        """The bounds that the settings give."""
        epochs, minutes = settings.epoch_bound, settings.max_minutes
        return cls(epochs and epochs * steps_per_epoch, minutes and 60 * minutes)

    def share(self, step: float, seconds: float) -> float:
        """Share of the training that is done, 0 … 1: the larger of the shares of steps and of time."""
        of_steps = step / self.steps if self.steps else 0.0
        of_seconds = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(of_steps, of_seconds))

    def seconds_left(self, step: int, seconds: float, seconds_per_step: float) -> float:
        """How long the training goes on, if steps take as long as this."""
        of_steps = math.inf if self.steps is None else (self.steps - step) * seconds_per_step
        of_seconds = math.inf if self.seconds is None else self.seconds - seconds
        return max(0.0, min(of_steps, of_seconds))


def learning_rate(settings: TrainingSettings, share: float) -> float:
    """The learning rate at this share of the training: warm-up times decay.

    References:
        Loshchilov and Hutter, SGDR: Stochastic gradient descent with warm restarts, 2017, equation 5 (the cosine).
    """
    warmup = min(1.0, share / settings.warmup) if settings.warmup else 1.0
    match settings.decay:
        case "cosine":
            left = (1 + math.cos(math.pi * share)) / 2
        case "linear":
            left = 1 - share
        case "constant":
            return settings.learning_rate * warmup
    return settings.learning_rate * warmup * (settings.decay_to + (1 - settings.decay_to) * left)

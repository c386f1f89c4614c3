"""The state of a training: everything that a resume needs to end in the very same weights.

One file, `training.safetensors`, written atomically: model, averaged and best weights, the optimizer's moments, the
generators, the log of the current epoch, and in its header the position, the decisions and the settings.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lowerbound.errors import UserError
from lowerbound.files import load_tensors, save_tensors
from lowerbound.models import LatentModel
from lowerbound.training.adam import Adam
from lowerbound.training.device import Decision

logger = logging.getLogger(__name__)

KIND = "training state"
VERSION = 1
NAME = "training.safetensors"


@dataclass
class Position:
    """How far the training has come."""

    step: int = 0
    seconds: float = 0.0
    """By the clock, summed over interruptions."""
    skipped: int = 0
    """Steps whose loss or gradient was not finite."""
    averaged: int = 0
    """The step at which the averaged weights were last brought up to date."""
    validated: int = 0
    """The step of the last validation."""
    stale: int = 0
    """Validations since the best one, not counting the warm-up of the KL term."""
    best_step: int | None = None
    best_bound: float | None = None
    """The highest ELBO on the validation data, in nats per datum."""


@dataclass
class TrainingState:
    """Everything that changes during a training."""

    model: LatentModel
    optimizer: Adam
    generators: dict[str, torch.Generator]
    log: Float[Tensor, "steps 4"]
    """Loss, distortion, rate and gradient norm of each step of the epoch."""
    averaging: bool
    position: Position = field(default_factory=Position)
    averaged: LatentModel = field(init=False)
    """The model with the averaged weights; the model itself where there is no averaging."""
    best: dict[str, Tensor] = field(init=False)
    """The averaged weights with the best validation bound."""

    def __post_init__(self) -> None:
        self.averaged = copy.deepcopy(self.model).requires_grad_(False).eval() if self.averaging else self.model
        self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Bring the averaged weights up to date.

        Args:
            decay: Per step; younger averages forget faster, by (1 + t) / (10 + t) at step t.
        """
        step = self.position.step
        steps = step - self.position.averaged
        self.position.averaged = step
        if self.averaging and steps:
            kept = min(decay, (1 + step) / (10 + step)) ** steps
            averaged: list[Tensor] = list(self.averaged.parameters())
            current: list[Tensor] = list(self.model.parameters())
            torch._foreach_lerp_(averaged, current, 1 - kept)  # pyright: ignore[reportPrivateImportUsage]
            for old, new in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
                old.copy_(new)

    @torch.no_grad()
    def keep_as_best(self) -> None:
        """Remember the averaged weights as the best."""
        for name, tensor in self.averaged.state_dict().items():
            self.best[name].copy_(tensor)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state but the generators', live, by its name in the file."""
        groups = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaging else {},
            "best": self.best,
            "means": dict(enumerate(self.optimizer.means)),
            "squares": dict(enumerate(self.optimizer.squares)),
        }
        named = {f"{group}.{name}": tensor for group, each in groups.items() for name, tensor in each.items()}
        return {**named, "count": self.optimizer.count, "log": self.log}

    def save(self, directory: Path, facts: dict[str, Any]) -> None:
        """Write the state, atomically.

        Args:
            directory: Where to; it is made if need be.
            facts: What else to keep, as JSON can hold it.

        Raises:
            UserError: It cannot be written.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"Cannot make the directory {directory} ({error.strerror}): choose another place."
            ) from error
        generators = {f"generator.{name}": g.get_state() for name, g in self.generators.items()}
        everything = {**facts, "position": asdict(self.position)}
        save_tensors(directory / NAME, {**self.tensors(), **generators}, everything, kind=KIND, version=VERSION)

    @torch.no_grad()
    def restore(self, saved: SavedState) -> None:
        """Put everything back as it was saved.

        Raises:
            UserError: The state is of another model.
        """
        live = self.tensors()
        names = {*live, *(f"generator.{name}" for name in self.generators)}
        different = sorted(names.symmetric_difference(saved.tensors)) or [
            name for name, tensor in live.items() if describe(tensor) != describe(saved.tensors[name])
        ]
        if different:
            raise UserError(
                f"The training state {saved.path} does not belong to this model and these settings ({different[0]} "
                "differs): resume with those that it was saved with."
            )
        for name, tensor in live.items():
            tensor.copy_(saved.tensors[name])
        for name, generator in self.generators.items():
            generator.set_state(saved.tensors[f"generator.{name}"])
        self.position = Position(**saved.facts["position"])


def describe(tensor: Tensor) -> str:
    """Shape and type of a tensor."""
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


@dataclass(frozen=True)
class SavedState:
    """A state as it lies in its file, complete and unchanged."""

    path: Path
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @classmethod
    def read(cls, directory: Path) -> SavedState | None:
        """The state in a directory; None where none was saved yet.

        Raises:
            UserError: It is truncated, was changed, or comes from a newer version of this library.
        """
        path = directory / NAME
        return cls(path, *load_tensors(path, kind=KIND, version=VERSION)) if path.exists() else None

    def check(self, identity: dict[str, Any], circumstances: dict[str, Any], settings: dict[str, Any]) -> None:
        """Compare what the resuming training is given with what the state was saved under.

        Args:
            identity: Facts that must be the same for the state to mean anything.
            circumstances: Facts on which the last digit of a sum may hang; a change is logged.
            settings: Settings that may have been changed on purpose; a change is logged.

        Raises:
            UserError: A fact that must be the same is not.
        """
        for name, value in identity.items():
            if self.facts[name] != value:
                raise UserError(
                    f"The training state {self.path} belongs to a training with {name} {self.facts[name]}, "
                    f"not {value}: resume with the data and the settings that it began with."
                )
        for name, value in circumstances.items():
            if self.facts["circumstances"][name] != value:
                before = self.facts["circumstances"][name]
                logger.warning("%s: %s before, %s now; the last digits of the weights may differ", name, before, value)
        for name, value in settings.items():
            before = self.facts["settings"].get(name, value)
            if before != value:
                logger.warning("training.%s: %s before, %s now", name, before, value)

    def decisions(self, settings: dict[str, Any]) -> dict[str, Decision]:
        """The decisions that were made, but for those whose setting was changed since."""
        made = {fact["what"]: Decision(**fact) for fact in self.facts["decisions"]}
        return {what: one for what, one in made.items() if settings[what] == self.facts["settings"][what]}

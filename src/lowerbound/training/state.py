"""The state of a training: everything that a resume needs to end in the very same weights.

One file, `training.safetensors`, written atomically: model, averaged and best weights, the objective's own network, the
optimizer's moments, the generators, the log of the current epoch, and in its header the position, the decisions and the
settings.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lowerbound.errors import UserError
from lowerbound.files import load_tensors, make_directory, save_tensors
from lowerbound.models import LatentModel
from lowerbound.training.adam import Adam
from lowerbound.training.device import Decision
from lowerbound.training.facts import Facts, describe
from lowerbound.training.records import EpochRecord

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

    @classmethod
    def after(cls, reported: Sequence[EpochRecord], steps_per_epoch: int) -> Self:
        """Where a training stands that reported this, at the end of its last whole epoch."""
        last = reported[-1]
        step = last.step - last.step % steps_per_epoch
        position = cls(step, last.seconds, last.skipped, averaged=step, validated=step)
        bounds = {record.step: bound for record in reported if (bound := record.validation_bound) is not None}
        if bounds:
            position.best_step, position.best_bound = max(bounds.items(), key=lambda pair: pair[1])
        return position


@dataclass
class TrainingState:
    """Everything that changes during a training."""

    model: LatentModel
    network: nn.Module | None
    """The objective's own."""
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
            averaged, current = _learned(self.averaged), _learned(self.model)
            torch._foreach_lerp_(averaged, current, 1 - kept)  # pyright: ignore[reportPrivateImportUsage]
            for old, new in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
                if not old.is_floating_point():
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
            "objective": self.network.state_dict() if self.network else {},
            "means": dict(enumerate(self.optimizer.means)),
            "squares": dict(enumerate(self.optimizer.squares)),
        }
        named = {f"{group}.{name}": tensor for group, each in groups.items() for name, tensor in each.items()}
        return {**named, "count": self.optimizer.count, "log": self.log}

    def save(self, directory: Path, facts: Facts, decisions: Iterable[Decision]) -> None:
        """Write the state, atomically.

        Args:
            directory: Where to; it is made if need be.
            facts: What the training was given.
            decisions: What was decided for it.

        Raises:
            UserError: It cannot be written.
        """
        make_directory(directory)
        generators = {f"generator.{name}": g.get_state() for name, g in self.generators.items()}
        everything = {
            "facts": asdict(facts),
            "decisions": [asdict(decision) for decision in decisions],
            "position": asdict(self.position),
        }
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
        self.position = saved.position


def _learned(model: nn.Module) -> list[Tensor]:
    """What a training changes: the parameters, and buffers that it moves, such as a codebook."""
    return [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]


@dataclass(frozen=True)
class SavedState:
    """A state as it lies in its file, complete and unchanged."""

    path: Path
    tensors: dict[str, Tensor]
    facts: Facts
    decisions: dict[str, Decision]
    """By what they decide."""
    position: Position

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """The state in a directory; None where none was saved yet.

        Raises:
            UserError: It is truncated, was changed, or comes from a newer version of this library.
        """
        path = directory / NAME
        if not path.exists():
            return None
        tensors, header = load_tensors(path, kind=KIND, version=VERSION)
        decisions = {fact["what"]: Decision(**fact) for fact in header["decisions"]}
        return cls(path, tensors, Facts(**header["facts"]), decisions, Position(**header["position"]))

    def standing_decisions(self, settings: dict[str, Any]) -> dict[str, Decision]:
        """The decisions that were made, but for those whose setting was changed since."""
        before = self.facts.settings
        return {
            what: decision
            for what, decision in self.decisions.items()
            if settings[f"training.{what}"] == before[f"training.{what}"]
        }

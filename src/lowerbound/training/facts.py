"""What a training was given, as far as a resume must or should be given the same."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from lowerbound.errors import UserError
from lowerbound.models import LatentModel
from lowerbound.objectives import Objective
from lowerbound.training.settings import TrainingSettings
from lowerbound.training.streaming import Rows, blocks

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """Facts about a training, as JSON gives them back."""

    identity: dict[str, Any]
    """What must be the same for the state to mean anything."""
    circumstances: dict[str, Any]
    """What the last digit of a sum may hang on."""
    settings: dict[str, Any]
    """What may be changed on purpose."""

    @classmethod
    def of(
        cls,
        model: LatentModel,
        objective: Objective,
        train: Shaped[Tensor, "N *stored"] | Rows,
        validation: Shaped[Tensor, "V *event"] | None,
        settings: TrainingSettings,
        seed: int,
        context: Float[Tensor, "N C"] | None = None,
    ) -> Self:
        """The facts about what `fit` is given."""
        identity = {
            "seed": seed,
            "batch_size": settings.batch_size,
            "training data": fingerprint(train),
            "validation data": fingerprint(validation),
            "contexts": fingerprint(context),
            "model": architecture(model),
        }
        circumstances = {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
        return cls(identity, circumstances, plain(settings, objective))

    def check(self, now: Facts, path: Path) -> None:
        """Compare these facts, which a state was saved under, with those of the training that resumes it.

        What was changed on purpose, or may change the last digits, is logged.

        Args:
            now: The facts of the resuming training.
            path: The state, for the error.

        Raises:
            UserError: A fact that must be the same is not.
        """
        for name, value in now.identity.items():
            if (before := self.identity.get(name, "none")) != value:
                raise UserError(
                    f"The training state {path} belongs to a training with the {name} {before}, not {value}: "
                    "resume with the model, the data and the settings that it began with."
                )
        for name, value in now.circumstances.items():
            if (before := self.circumstances[name]) != value:
                logger.warning("%s: %s before, %s now; the last digits of the weights may differ", name, before, value)
        for name, value in now.settings.items():
            if (before := self.settings.get(name, value)) != value:
                logger.warning("%s: %s before, %s now", name, before, value)


def plain(settings: TrainingSettings, objective: Objective) -> dict[str, Any]:
    """The settings of training and objective, as JSON gives them back."""
    named = {f"training.{name}": value for name, value in asdict(settings).items()}
    # The repr of an objective that is no dataclass holds its address, which is never twice the same.
    what = repr(objective) if is_dataclass(objective) else type(objective).__qualname__
    return json.loads(json.dumps({**named, "objective": what}))


def fingerprint(data: Tensor | Rows | None) -> str:
    """Shape, type and digest of data."""
    if data is None:
        return "none"
    digest = hashlib.sha256()
    for some in [data] if isinstance(data, Tensor) else blocks(data):
        digest.update(some.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return f"{describe(data)} {digest.hexdigest()[:12]}"


def architecture(model: nn.Module) -> str:
    """Name of a model, and a digest of the kinds of modules that it is made of; their sizes are told by the weights."""
    kinds = ", ".join(type(module).__name__ for module in model.modules())
    return f"{type(model).__name__} {hashlib.sha256(kinds.encode()).hexdigest()[:12]}"


def describe(data: Tensor | Rows) -> str:
    """Shape and type of data."""
    return f"{list(data.shape)} {str(data.dtype).removeprefix('torch.')}"

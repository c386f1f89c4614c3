"""A recipe of ours on MNIST, for a race against the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from lowerbound.assemble import Assembly, assemble, split_seed
from lowerbound.config import Config
from lowerbound.data import Dataset, open_data
from lowerbound.models import LatentModel
from lowerbound.trained import Trained
from lowerbound.training.state import SavedState


@dataclass(frozen=True)
class Recipe:
    """Data and parts of a training, the same in the process that trains and in the one that evaluates."""

    dataset: Dataset
    parts: Assembly

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Of a recipe's name or path, minutes and a seed."""
        bounds = {"training.max_minutes": settings["minutes"], "seed": settings["seed"]}
        dataset = open_data("mnist")
        return cls(dataset, assemble(dataset, Config.load(settings["recipe"], bounds)))

    def observed(self, rows: np.ndarray, seed: int) -> Tensor:
        """Some images, binarised once."""
        trained = Trained(self.parts.model, self.parts.preparation, self.dataset.shape)
        return trained.observe(self.dataset.values[rows], seed)

    def test(self, count: int) -> Tensor:
        """The first test images, binarised once with the seed that every evaluation of this library takes."""
        return self.observed(self.parts.splits.test, split_seed(self.parts.config))[:count]

    def train(
        self, fit: Callable[..., Any], state: Path, *, checkpoint_minutes: float, look: Callable[[float], None]
    ) -> None:
        """Train as the recipe has it, with the state saved now and then.

        Args:
            fit: `training.fit`.
            state: Directory of the training's state.
            checkpoint_minutes: From one saving to the next.
            look: Called about once a second.
        """
        parts, splits = self.parts, self.parts.splits
        fit(
            parts.model,
            parts.objective,
            torch.from_numpy(self.dataset.values[splits.train]),
            self.observed(splits.validation, split_seed(parts.config)) if len(splits.validation) else None,
            parts.config.overlaid({"training.checkpoint_minutes": checkpoint_minutes}).training,
            seed=parts.config.seed,
            prepare=parts.preparation,
            state_dir=state,
            on_progress=look,
        )

    def at(self, saved: SavedState) -> LatentModel:
        """The model with the averaged weights of a state, or with its own where none are averaged."""
        group = "averaged." if self.parts.config.training.average > 0 else "model."
        tensors = {name.removeprefix(group): value for name, value in saved.tensors.items() if name.startswith(group)}
        self.parts.model.load_state_dict(tensors)
        return self.parts.model.eval()

"""What a contender keeps of its training, and the NLL of it.

Trainings and NLLs stay in files, so that a benchmark that was interrupted continues.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.racing.contender import Contender, Worker
from benchmarks.racing.recipe import Recipe
from lowerbound.evaluation import importance_sampling
from lowerbound.files import write_text
from lowerbound.models import LatentModel
from lowerbound.training.state import SavedState


@dataclass
class Checkpoints:
    """What a contender has kept of its training."""

    seconds: list[float]
    """At which each was kept."""
    model: Callable[[int], LatentModel]
    nll_of_model: Callable[[LatentModel], float]
    path: Path
    """For the NLLs."""
    nlls: dict[int, float] = field(init=False)
    """Of those that have been evaluated."""

    def __post_init__(self) -> None:
        found = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.nlls = {int(index): nll for index, nll in found.items()}

    def nll(self, index: int) -> float:
        """The NLL of one."""
        if index not in self.nlls:
            self.nlls[index] = self.nll_of_model(self.model(index))
            write_text(self.path, json.dumps(self.nlls))
        return self.nlls[index]


def trained(contender: Contender, settings: Mapping[str, Any], logs: Path) -> Any:
    """What a contender answers after its training, which is not done again where it has been done with these settings.

    Args:
        contender: Who.
        settings: All of them; its weights go to their `directory`.
        logs: Directory for its log.
    """
    directory = Path(settings["directory"])
    path, told = directory / "training.json", json.loads(json.dumps(settings))
    if path.exists() and (found := json.loads(path.read_text()))["settings"] == told:
        return found["answer"]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    with Worker(contender, settings, logs) as worker:
        answer = worker.turn()[1]
    write_text(path, json.dumps({"settings": told, "answer": answer}))
    return answer


def nll_on(x: Tensor, particles: int) -> Callable[[LatentModel], float]:
    """What computes the mean NLL of some data by a model, with so many importance samples for each datum."""
    return lambda model: -importance_sampling(model, x, particles).log_likelihood.mean().item()


def ours(answer: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[list[float], Callable[[int], LatentModel]]:
    """Seconds of each checkpoint of ours, and what makes its model."""
    recipe, paths = Recipe.of(settings), answer["kept"]

    def state(index: int) -> SavedState:
        saved = SavedState.read(Path(paths[index]))
        assert saved
        return saved

    seconds = [state(index).position.seconds for index in range(len(paths))]
    return seconds, lambda index: recipe.at(state(index))

"""What a race is given, and where its results go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.racing.contender import Contender, Record, take_fresh_turns, take_turns
from benchmarks.racing.environments import versions
from benchmarks.racing.machine import machine, precisions
from benchmarks.racing.tables import duration, table, thousands
from lowerbound.data import open_data, split
from lowerbound.training.device import has_cpp_compiler

# What says which version of a contender ran.
PACKAGES = {
    "lowerbound": ("lowerbound", "torch"),
    "pythae": ("pythae", "torch"),
    "pyro": ("pyro-ppl", "torch"),
    "jax": ("jax", "numpyro", "optax"),
    "scikit-learn": ("scikit-learn",),
}


@dataclass(frozen=True)
class Course:
    """A run of races on this machine."""

    directory: Path
    """For the data that the contenders share, their logs, and their checkpoints."""
    turns: int
    """That count, for each contender."""
    quick: bool
    """Whether this is only a check that everything works: tiny, and of no meaning."""
    recipe: str
    """Of ours in the race to nats, by name or path."""
    minutes: tuple[float, ...]
    """Of each of our trainings in it; the peers train for the longest."""
    seed: int
    """Of these trainings."""

    def size(self, full: int, quick: int) -> int:
        """The first in a race, the second in a check."""
        return quick if self.quick else full

    def keep(self, name: str, values: np.ndarray) -> str:
        """Write an array for the contenders."""
        path = self.directory / f"{name}.npy"
        np.save(path, values)
        return str(path)

    def mnist(self, count: int) -> str:
        """Training images of MNIST [N, 1, 28, 28] uint8, as a file."""
        dataset = open_data("mnist")
        return self.keep("mnist", dataset.values[split(dataset, seed=0).train[:count]])

    def run(self, contenders: Sequence[Contender], settings: dict[str, Any], *, fresh: bool = False) -> list[Record]:
        """The contenders' turns, one after the other."""
        take = take_fresh_turns if fresh else take_turns
        return take(contenders, {**settings, "directory": str(self.directory)}, self.turns, self.directory)

    def described(self, contenders: Sequence[Contender]) -> str:
        """Machine and versions, for below a table."""
        found = {}
        for environment in dict.fromkeys(contender.environment for contender in contenders):
            found.update(versions(environment, PACKAGES[environment]))
        packages = ", ".join(f"{name} {version}" for name, version in found.items())
        return f"Medians of {self.turns} turns. {machine()}. {packages}."


def ours_and_compiled(work: float, **settings: Any) -> list[Contender]:
    """This library in each precision that is worth it, as it is, and compiled where there is a compiler."""
    choices = {"": "never", ", compiled": "always"} if has_cpp_compiler() else {"": "never"}
    both = len(precisions()) > 1
    return [
        Contender(
            f"lowerbound{f', {precision}' if both else ''}{compiled}",
            "with_lowerbound",
            "lowerbound",
            {**settings, "compile": choice, "precision": precision},
            work,
        )
        for precision in precisions()
        for compiled, choice in choices.items()
    ]


def speed_table(records: Sequence[Record], unit: str, extra: str | None = None) -> str:
    """Speeds, and how many times that of each other contender our best one has, in each precision.

    Args:
        records: Of one race.
        unit: Of the work.
        extra: A figure that shows that all did the same: its name among the records' figures.
    """
    best: dict[str, float] = {}
    for record in filter(_is_ours, records):
        precision = record.facts["precision"]
        best[precision] = max(record.speed, best.get(precision, 0.0))
    ratios = [f"ours in {precision} is" for precision in best] if len(best) > 1 else ["ours is"]
    header = ["contender", f"{unit} / s", "spread", *ratios, "precision", "first turn"]
    rows = []
    for record in sorted(records, key=lambda record: -record.speed):
        row = [
            record.contender.name,
            thousands(record.speed),
            f"± {record.spread:.0%}",
            *("" if _is_ours(record) else f"{speed / record.speed:.2f} ×" for speed in best.values()),
            record.facts.get("precision", ""),
            f"+ {duration(record.preparation)}",
        ]
        rows.append(row + ([f"{record.figures[extra]:.1f}"] if extra else []))
    return table(header + ([f"{extra}, nats"] if extra else []), rows)


def _is_ours(record: Record) -> bool:
    return record.contender.module == "with_lowerbound"

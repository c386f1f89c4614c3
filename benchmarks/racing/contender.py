"""The race's side: contenders as processes that take turns."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Self

from benchmarks.racing.environments import ROOT, python_of
from lowerbound.errors import UserError

# Turns before the ones that count: the first one is reported apart, since it compiles and fills the caches.
WARM_UP = 2


@dataclass(frozen=True)
class Contender:
    """Who takes part."""

    name: str
    """In the tables."""
    module: str
    """In `benchmarks.contenders`."""
    environment: str
    """One of `peers/`, or "lowerbound"."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of its own, on top of the race's."""
    work: float = 1.0
    """What it does in one turn, in the unit of the table: examples, importance samples."""


@dataclass
class Record:
    """How a contender did."""

    contender: Contender
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    """Of each turn, those that warm up among them."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Of the last turn."""

    @property
    def median(self) -> float:
        """Seconds of a turn."""
        return statistics.median(self.seconds[WARM_UP:])

    @property
    def speed(self) -> float:
        """Work per second, by the median turn."""
        return self.contender.work / self.median

    @property
    def spread(self) -> float:
        """Half of the range of the middle half of the turns, as a share of the median."""
        low, _, high = statistics.quantiles(self.seconds[WARM_UP:], n=4)
        return (high - low) / 2 / self.median

    @property
    def preparation(self) -> float:
        """Seconds by which the first turn was longer than the others: compiling, most of all."""
        return max(0.0, self.seconds[0] - self.median)


class Worker:
    """The process of a contender.

    Raises:
        UserError: It cannot take part; the message says where its log is.
    """

    def __init__(self, contender: Contender, settings: Mapping[str, Any], directory: Path) -> None:
        self.contender = contender
        self.log_path = directory / f"{re.sub(r'[^A-Za-z0-9]+', '-', contender.name)}.log"
        self.log: IO[str] = self.log_path.open("a")
        # What was compiled in an earlier race would make the first turn of this one look cheap.
        self.compiled = TemporaryDirectory()
        self.process = subprocess.Popen(
            [python_of(contender.environment), "-m", f"benchmarks.contenders.{contender.module}"],
            cwd=ROOT,
            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": self.compiled.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.facts: dict[str, Any] = self._ask({**settings, **contender.settings})["facts"]

    def turn(self) -> tuple[float, dict[str, Any]]:
        """Seconds and figures of the next turn."""
        answer = self._ask("go")
        return answer["seconds"], answer["figures"]

    def _ask(self, what: object) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        try:
            print(json.dumps(what), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        found = json.loads(answer) if answer else {"error": "its process ended"}
        if "error" in found:
            raise UserError(f"{self.contender.name} cannot go on ({found['error']}): see {self.log_path}.")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        self.log.close()
        self.compiled.cleanup()


def take_turns(
    contenders: Sequence[Contender], settings: Mapping[str, Any], turns: int, directory: Path
) -> list[Record]:
    """Let the contenders take turns, one at a time, in processes that stay.

    Args:
        contenders: Who takes part.
        settings: Of the race, for all of them.
        turns: How many count.
        directory: Where their logs go.

    Raises:
        UserError: One of them cannot go on.
    """
    workers: list[Worker] = []
    settings = {**settings, "turns": turns + WARM_UP}
    try:
        workers.extend(Worker(contender, settings, directory) for contender in contenders)
        records = [Record(worker.contender, worker.facts) for worker in workers]
        for _ in range(turns + WARM_UP):
            for worker, record in zip(workers, records, strict=True):
                seconds, record.figures = worker.turn()
                record.seconds.append(seconds)
    finally:
        for worker in workers:
            worker.__exit__()
    return records


def take_fresh_turns(
    contenders: Sequence[Contender], settings: Mapping[str, Any], turns: int, directory: Path
) -> list[Record]:
    """The same with a new process for each turn, so that importing the library is part of it."""
    records = [Record(contender) for contender in contenders]
    for _ in range(turns + WARM_UP):
        for record in records:
            with Worker(record.contender, {**settings, "turns": 1}, directory) as worker:
                seconds, record.figures = worker.turn()
                record.seconds.append(seconds)
    return records

"""What the commands print while they compute and when they have."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from lowerbound.evaluation import DistortionAlone, Evaluation
    from lowerbound.experiment import Outcome, Watch
    from lowerbound.run import Run
    from lowerbound.training import EpochRecord

out = Console(highlight=False, soft_wrap=True)
# Where nobody watches a bar, a line each time that this share of the training is done.
_LINE_SHARE = 0.1


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar with the time that is left, on a terminal; yields what to call with the share that is done."""
    with _bar() as bar:
        task = bar.add_task(what, total=1.0, note="")
        yield lambda share: bar.update(task, completed=share)


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left  {task.fields[note]}"),
    )
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


class FitDisplay:
    """Shows a fit: what was understood and decided, a bar with the bounds, and warnings as they come.

    On a terminal there is a bar; elsewhere a line for each tenth of the training.
    """

    def __init__(self) -> None:
        self._bar = _bar()
        self._task = None
        self._share = 0.0
        self._last_line = -_LINE_SHARE
        self._began = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """The bar stands while the context is entered; yields the callbacks."""
        from lowerbound.experiment import Watch

        logger = logging.getLogger("lowerbound")
        handler, level = _ToConsole(), logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            with self._bar:
                yield Watch(self._understood, self._begun, self._epoch, self._progress, self._evaluating)
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

    def _understood(self, line: str) -> None:
        out.print(escape(line))

    def _begun(self, run: Run) -> None:
        facts, settings = run.source, run.config.training
        bounds = [f"{settings.epoch_bound:,} epochs"] if settings.epoch_bound else []
        bounds += [f"{settings.max_minutes:g} minutes"] if settings.max_minutes else []
        out.print(
            f"Rows: {facts.train:,} to learn from, {facts.validation:,} for validation, {facts.test:,} for the test"
        )
        out.print(
            f"Training: recipe {escape(run.config.recipe)}, at most {' or '.join(bounds)}; the run is {run.directory}"
        )
        self._task = self._bar.add_task("Training  ", total=1.0, note="")

    def _epoch(self, record: EpochRecord) -> None:
        certain = record.rate == math.inf  # a deterministic encoder has no bound
        bound = f"distortion {record.distortion:.2f}" if certain else f"−ELBO {record.distortion + record.rate:.2f}"
        if record.validation_bound is not None:
            bound += f", validation {-record.validation_bound:.2f}"
        if self._task is not None:
            self._bar.update(self._task, note=f"epoch {record.epoch}: {bound}")
        if not out.is_terminal and self._share >= self._last_line + _LINE_SHARE:
            self._last_line = self._share
            out.print(f"{self._share:4.0%}  {time.monotonic() - self._began:6.0f} s  epoch {record.epoch}: {bound}")

    def _progress(self, share: float) -> None:
        self._share = share
        if self._task is not None:
            self._bar.update(self._task, completed=share)

    def _evaluating(self, share: float) -> None:
        if self._task is not None:
            self._bar.update(self._task, description="Evaluating", completed=share, note="")


class _ToConsole(logging.Handler):
    """Decisions as they are, warnings as warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        text = escape(record.getMessage())
        warning = record.levelno >= logging.WARNING
        out.print(f"[yellow]Warning:[/yellow] {text}" if warning else text[:1].upper() + text[1:])


def print_outcome(outcome: Outcome) -> None:
    """The summary at the end of a fit."""
    run, result = outcome.run, outcome.result
    if result.stopped == "interrupted":
        out.print(
            f"Interrupted after {result.epochs:,} epochs ({_duration(result.seconds)}), all is saved; go on with"
            f"\n  lowerbound fit --resume {run.directory}"
        )
        return
    why = {
        "epochs": "the epochs are over",
        "minutes": "the time is over",
        "patience": "the validation bound did not improve any more",
    }[result.stopped]
    out.print(f"\nTrained {result.epochs:,} epochs ({result.steps:,} steps) in {_duration(result.seconds)}: {why}.")
    if result.skipped:
        out.print(f"[yellow]Warning:[/yellow] {result.skipped} steps were not finite and were skipped.")
    if outcome.evaluation is not None:
        out.print(f"On the test data ({outcome.evaluation.examples:,} rows that were not learned from):")
        print_evaluation(outcome.evaluation)
    out.print(f"Time      {_duration(outcome.seconds)} in all")
    out.print(f"Run       {run.directory}")
    out.print(f"Pictures  {run.figures}: {', '.join(path.stem.replace('_', ' ') for path in outcome.pictures)}")
    out.print(f"Report    {outcome.report}")


def print_evaluation(evaluation: Evaluation | DistortionAlone) -> None:
    """The figures, one a line."""
    for line in evaluation.summary():
        name, colon, rest = line.partition(": ")
        warning = name == "Warning" and colon
        out.print(f"[yellow]Warning:[/yellow] {escape(rest)}" if warning else f"  {escape(line)}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"

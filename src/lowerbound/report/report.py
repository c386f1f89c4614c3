"""A page that tells one run: what was fitted to what, how well, and how to do it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lowerbound.files import write_text
from lowerbound.illustrate import Subject
from lowerbound.report import words
from lowerbound.report.citations import citations
from lowerbound.report.page import page
from lowerbound.report.pictures import picture
from lowerbound.report.reproduction import command, recipe_of
from lowerbound.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_report(subject: Subject, drawn: Mapping[str, Axes], path: str | Path | None = None) -> Path:
    """Write the report of a run: one file, which needs no other and no network.

    Args:
        subject: The run, its model and its data.
        drawn: Its figures, by name (see `illustrate.suited`).
        path: Where to; None: to `report.html` in the run.

    Raises:
        UserError: The run's evaluation is damaged, or the page cannot be written.
    """
    run, model = subject.run, subject.trained.model
    path = run.report if path is None else Path(path)
    evaluation, metrics = run.evaluation(), subject.metrics
    text = page(
        "report.html",
        title=f"{run.source.name}, {run.config.recipe}",
        run=run,
        described=_described(run),
        recipe=recipe_of(run.config),
        weights=sum(parameter.numel() for parameter in model.parameters()),
        last=metrics[-1] if metrics else None,
        duration=words.duration(metrics[-1]["seconds"]) if metrics else "",
        evaluation=evaluation,
        figures=[] if evaluation is None else words.explained(evaluation),
        standard_errors=words.STANDARD_ERRORS,
        doubts=words.doubts(evaluation, metrics),
        no_doubts=words.NO_DOUBTS,
        pictures=[picture(name, ax) for name, ax in drawn.items()],
        command=command(run),
        settings=run.config.to_toml(),
        citations=citations(run.config, model, subject.first, run.source.source),
    )
    write_text(path, text)
    return path


def _described(run: Run) -> str:
    """The model and the objective in one line."""
    model = run.config.model
    parts = [f"latent_dim {model.latent_dim:,}"]
    if model.family.name == "vae":
        parts += [f"posterior {model.posterior.name}", f"prior {model.prior.name}", f"network {model.network.name}"]
    return f"{model.family.name}: {', '.join([*parts, f'likelihood {model.likelihood.name}'])}"

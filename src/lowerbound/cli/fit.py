"""Commands that train a model and evaluate it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from lowerbound.cli.shared import Particles, RunPath
from lowerbound.console import out
from lowerbound.errors import UserError


def fit(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="Name of a data set (lowerbound datasets), or a path; with --resume none.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Name of a recipe (lowerbound recipes), or a TOML file.")] = "vae",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting, such as model.latent_dim=2; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="Directory of the run.", show_default="runs/DATA-RECIPE")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue the training of this run.", show_default=False)] = None,
    epochs: Annotated[int | None, typer.Option(help="Bound on the passes over the data.", show_default="100")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Bound on the time.", show_default="none")] = None,
    latent_dim: Annotated[int | None, typer.Option(help="Dimension of z.", show_default="the recipe's")] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="Of the data, p(x | z).", show_default="what suits the data")
    ] = None,
    resize: Annotated[
        str | None, typer.Option(metavar="HxW", help="Bring images to this height and width.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", show_default="0")] = None,
) -> None:
    """Train a model of DATA, evaluate it, and draw its pictures."""
    from lowerbound.config import Config

    overrides = list(settings or [])
    shortcuts = {
        "training.epochs": epochs,
        "training.max_minutes": max_minutes,
        "model.latent_dim": latent_dim,
        "model.likelihood": likelihood,
        "data.resize": None if resize is None else _size(resize),
        "seed": seed,
    }
    overrides += [f"{name}={value}" for name, value in shortcuts.items() if value is not None]
    if resume is not None and (data is not None or output is not None):
        raise UserError("--resume continues a run on its own data in its own directory: leave DATA and --out away.")
    if resume is None and data is None:
        raise UserError("There is nothing to fit: give the name of a data set (lowerbound datasets) or a path.")
    config = Config.load(recipe, overrides)  # a misspelt setting is found before torch is loaded

    from lowerbound.console import FitDisplay, print_outcome
    from lowerbound.experiment import fit_run, resume_run

    with FitDisplay().watching() as watch:
        if resume is not None:
            outcome = resume_run(resume, overrides, watch=watch)
        else:
            assert data is not None
            outcome = fit_run(data, config, output, watch=watch)
    print_outcome(outcome)
    if outcome.result.stopped == "interrupted":
        raise typer.Exit(130)


def evaluate(
    run: RunPath,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="Other data of the same shape.", show_default="the run's own"),
    ] = None,
    rows: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Which part of the run's own data.")
    ] = "test",
    particles: Particles = 1000,
    examples: Annotated[
        int | None, typer.Option(min=2, help="Importance-sample only the first so many.", show_default="all")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every draw.", show_default="the run's")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the figures to this .json too.", show_default=False)
    ] = None,
) -> None:
    """Compute −ELBO, NLL and how the latent variables are used, with standard errors."""
    from lowerbound.console import print_evaluation, progress
    from lowerbound.files import write_text
    from lowerbound.run import Run

    opened = Run.open(run)
    if output is not None and output.suffix.lower() != ".json":
        raise UserError(f"{output} must end in .json: the figures of an evaluation are written as JSON.")
    from lowerbound.experiment import evaluate_run

    with progress("Importance sampling") as on_progress:
        found = evaluate_run(
            opened, data, rows=rows, particles=particles, examples=examples, seed=seed, on_progress=on_progress
        )
    print_evaluation(found)
    out.print(f"Protocol: {escape(found.protocol)}")
    if output is not None:
        write_text(output, found.to_json())
        out.print(f"Figures: {output}")


def _size(text: str) -> str:
    height, times, width = text.lower().partition("x")
    if not (times and height.isdecimal() and width.isdecimal()):
        raise UserError(f"--resize takes height and width, such as 32x32, not '{text}'.")
    return f"[{height}, {width}]"

"""Commands that use a trained model: samples, codes, reconstructions, scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lowerbound.cli.shared import (
    ArraysPath,
    DataPath,
    Particles,
    RunPath,
    Seed,
    load_run,
    open_for_run,
    write_data,
)
from lowerbound.console import out
from lowerbound.errors import UserError
from lowerbound.outputs import ANIMATIONS, PICTURES, check_output

if TYPE_CHECKING:
    import numpy as np

    from lowerbound.run import Run
    from lowerbound.trained import Painted

# Data whose painting is shown, if no number is given, and the forms in which it can be.
_PAINTED, _FORMS = 16, (".npz", *PICTURES, *ANIMATIONS)

OutputPath = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="Where to: .npz, .parquet or .png, by its ending; with --steps .npz, .png, .gif or .apng.",
        show_default=False,
    ),
]
Steps = Annotated[
    bool,
    typer.Option(
        "--steps",
        help="Write what each step of a model makes that paints in steps (DRAW): a sheet (.png), an animation (.gif, "
        ".apng) or the canvases (.npz).",
    ),
]


def sample(
    run: RunPath,
    output: OutputPath,
    count: Annotated[
        int | None,
        typer.Option(
            "--count", "-n", min=1, max=1_000_000, help="How many.", show_default=f"64, with --steps {_PAINTED}"
        ),
    ] = None,
    means: Annotated[
        bool | None,
        typer.Option(
            "--means/--draws",
            help="The mean of p(x | z) for each z, or a draw from it.",
            show_default="means for pictures of images, else draws",
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Scale of the prior's spread.")] = 1.0,
    steps: Steps = False,
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="Take only so many of the model's steps.", show_default="all")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Of a model that was trained with labels, the one to draw.", show_default="all in turn"),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Sample from p(x)."""
    from lowerbound.data import class_number

    if steps:
        if means is False:
            raise UserError("--steps shows means: leave --draws out.")
        check_output(output, _FORMS)
    opened, trained = load_run(run, None if steps else output, picture=True)
    classes = opened.source.classes
    if label is not None and not classes:
        raise UserError(f"The model of {run} was trained without labels: leave --label {label} out.")
    number = None if label is None else class_number(label, classes)
    if steps:
        count = count or _PAINTED
        painted = trained.paint(count, temperature=temperature, stop_after=stop_after, label=number, seed=seed)
        _write_steps(opened, output, painted)
        return
    count = count or 64
    picture = output.suffix.lower() in PICTURES
    as_means = picture and opened.source.kind == "image" if means is None else means
    drawn = trained.sample(
        count, mean=as_means, temperature=temperature, stop_after=stop_after, label=number, seed=seed
    )
    if picture:
        from lowerbound import figures

        figures.save(figures.samples(drawn, columns=opened.source.columns or None, limits=opened.source.limits), output)
    else:
        write_data(opened, output, "samples", count, [drawn])
    given = "" if not classes else f", the labels {', '.join(classes)} in turn" if label is None else f", label {label}"
    what = "means of p(x | z), z ~ p(z)" if as_means else "draws from p(x)"
    out.print(f"{count:,} {what}{escape(given)}: {output}")


def encode(run: RunPath, data: DataPath, output: ArraysPath) -> None:
    """Write the code of each datum: the mean of q(z | x)."""
    from lowerbound.outputs import Blocks, write_arrays

    opened, trained = load_run(run, output, picture=False)
    dataset = open_for_run(opened, trained, data)
    dimensions = trained.encode(dataset.values[:1], dataset.labels_of(slice(1))).shape[1]
    codes = Blocks(len(dataset), trained.codes(dataset.values, dataset.labels))
    write_arrays(output, {"z": codes} if dataset.labels is None else {"z": codes, "label": dataset.labels})
    out.print(f"{len(dataset):,} codes of {dimensions:,} dimensions: {output}")


def reconstruct(
    run: RunPath,
    data: DataPath,
    output: OutputPath,
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            "-n",
            min=1,
            help="How many of the data, the first ones.",
            show_default=f"all; on a picture 50 images or 1000 rows; with --steps {_PAINTED}",
        ),
    ] = None,
    steps: Steps = False,
) -> None:
    """Write each datum as it comes back from its code; a picture shows the first ones beside their originals."""
    if steps:
        check_output(output, _FORMS)
    opened, trained = load_run(run, None if steps else output, picture=True)
    dataset = open_for_run(opened, trained, data)
    picture = output.suffix.lower() in PICTURES
    if count is None and (steps or picture):
        count = _PAINTED if steps else 50 if dataset.kind == "image" else 1000
    some, labels = dataset.part(slice(count)), dataset.labels_of(slice(count))
    if steps:
        shown = some[:]
        _write_steps(opened, output, trained.repaint(shown, labels), shown)
        return
    if picture:
        from lowerbound import figures

        shown = some[:]
        looks = {"columns": opened.source.columns or None, "limits": opened.source.limits}
        figures.save(figures.reconstructions(shown, trained.reconstruct(shown, labels), **looks), output)
    else:
        write_data(opened, output, "reconstructions", len(some), trained.reconstructions(some, labels))
    out.print(f"{len(some):,} reconstructions: {output}")


def score(
    run: RunPath,
    data: DataPath,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to: .npz or .parquet.", show_default=False)
    ] = None,
    particles: Particles = 100,
    seed: Seed = 0,
) -> None:
    """Estimate log p(x) of each datum in nats: low values are anomalies."""
    import numpy as np

    from lowerbound.console import progress
    from lowerbound.outputs import write_arrays

    opened, trained = load_run(run, output, picture=False)
    dataset = open_for_run(opened, trained, data)
    with progress("Importance sampling") as on_progress:
        scores = trained.score(dataset.values, particles, dataset.labels, seed=seed, on_progress=on_progress)
    values = scores.log_likelihood
    error = values.std(ddof=1) / np.sqrt(len(values))
    out.print(f"log p(x) of {len(values):,} rows: {values.mean():.2f} ± {error:.2f} nats on average, K = {particles:,}")
    lowest = np.argsort(values, kind="stable")[:5]
    out.print("Lowest, counted from 0: " + ", ".join(f"row {row} ({values[row]:.2f})" for row in lowest))
    if output is not None:
        write_arrays(output, scores._asdict())
        out.print(f"Scores: {output}")


def _write_steps(run: Run, output: Path, painted: Painted, originals: np.ndarray | None = None) -> None:
    """Write what each step made, in the form that the output's ending names.

    Raises:
        UserError: A picture of what are no images, or an output that cannot be written.
    """
    count, steps = painted.canvases.shape[:2]
    if output.suffix.lower() == ".npz":
        import numpy as np

        from lowerbound.outputs import write_arrays

        canvases = painted.canvases
        if run.source.kind == "image":
            canvases = canvases[:, :, 0] if canvases.shape[2] == 1 else np.moveaxis(canvases, 2, -1)
        windows = {"read": painted.read, "write": painted.write}
        placed = {name: np.stack(list(window), -1) for name, window in windows.items() if window is not None}
        write_arrays(output, {"canvases": canvases, **placed})
    elif run.source.kind != "image":
        raise UserError(f"Steps are shown of images, and the model is of {run.source.describe_shape()}: write a .npz.")
    else:
        from lowerbound import figures

        if output.suffix.lower() in ANIMATIONS:
            figures.animate(painted, output, originals, limits=run.source.limits)
        else:
            figures.save(figures.painting_sheet(painted, originals, limits=run.source.limits), output)
    out.print(f"{count:,} {'samples' if originals is None else 'reconstructions'} in {steps} steps: {output}")

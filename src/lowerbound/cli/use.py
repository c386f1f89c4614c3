"""Commands that use a trained model: samples, codes, reconstructions, scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.shared import (
    AnyPath,
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
from lowerbound.outputs import PICTURES


def sample(
    run: RunPath,
    output: AnyPath,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1_000_000, help="How many.")] = 64,
    means: Annotated[
        bool | None,
        typer.Option(
            "--means/--draws",
            help="The mean of p(x | z) for each z, or a draw from it.",
            show_default="means for pictures of images, else draws",
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Scale of the prior's spread.")] = 1.0,
    seed: Seed = 0,
) -> None:
    """Sample from p(x)."""
    opened, trained = load_run(run, output, picture=True)
    picture = output.suffix.lower() in PICTURES
    as_means = picture and opened.source.kind == "image" if means is None else means
    drawn = trained.sample(count, mean=as_means, temperature=temperature, seed=seed)
    if picture:
        from lowerbound import figures

        figures.save(figures.samples(drawn, columns=opened.source.columns or None, limits=opened.source.limits), output)
    else:
        write_data(opened, output, "samples", drawn)
    out.print(f"{count:,} {'means of p(x | z), z ~ p(z)' if as_means else 'draws from p(x)'}: {output}")


def encode(run: RunPath, data: DataPath, output: ArraysPath) -> None:
    """Write the code of each datum: the mean of q(z | x)."""
    from lowerbound.outputs import write_arrays

    opened, trained = load_run(run, output, picture=False)
    dataset = open_for_run(opened, trained, data)
    codes = trained.encode(dataset.values)
    write_arrays(output, {"z": codes} if dataset.labels is None else {"z": codes, "label": dataset.labels})
    out.print(f"{len(codes):,} codes of {codes.shape[1]:,} dimensions: {output}")


def reconstruct(run: RunPath, data: DataPath, output: AnyPath) -> None:
    """Write each datum as it comes back from its code; a .png shows the first ones beside their originals."""
    opened, trained = load_run(run, output, picture=True)
    dataset = open_for_run(opened, trained, data)
    if output.suffix.lower() in PICTURES:
        from lowerbound import figures

        shown = dataset.values[: 50 if dataset.kind == "image" else 1000]
        again = trained.reconstruct(shown)
        looks = {"columns": opened.source.columns or None, "limits": opened.source.limits}
        figures.save(figures.reconstructions(shown, again, **looks), output)
    else:
        again = trained.reconstruct(dataset.values)
        write_data(opened, output, "reconstructions", again)
    out.print(f"{len(again):,} reconstructions: {output}")


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
        scores = trained.score(dataset.values, particles, seed=seed, on_progress=on_progress)
    values = scores.log_likelihood
    error = values.std(ddof=1) / np.sqrt(len(values))
    out.print(f"log p(x) of {len(values):,} rows: {values.mean():.2f} ± {error:.2f} nats on average, K = {particles:,}")
    lowest = np.argsort(values, kind="stable")[:5]
    out.print("Lowest, counted from 0: " + ", ".join(f"row {row} ({values[row]:.2f})" for row in lowest))
    if output is not None:
        write_arrays(output, scores._asdict())
        out.print(f"Scores: {output}")

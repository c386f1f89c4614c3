"""The command that draws the figures of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.shared import RunPath
from lowerbound.console import out

_ENDINGS = (".png", ".svg", ".pdf")


def figure(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="samples, reconstructions, learning-curves, latent-space, manifold, traversals, interpolation, "
            "kl-per-latent, prior-and-posterior or painting.",
            show_default=False,
        ),
    ],
    run: RunPath,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to: .png, .svg or .pdf, by its ending.",
            show_default="the run's figures/NAME.png",
        ),
    ] = None,
    grid: Annotated[
        int | None, typer.Option(min=1, max=200, help="Images in each direction of a manifold.", show_default="20")
    ] = None,
    between: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="ROW ROW",
            help="Two rows of the data to interpolate between, counted from 0.",
            show_default="six pairs",
        ),
    ] = None,
) -> None:
    """Draw a figure of a run, for a paper or a screen."""
    from lowerbound.outputs import check_output
    from lowerbound.run import Run

    opened = Run.open(run)
    if output is not None:
        check_output(output, _ENDINGS)
    from lowerbound.experiment import subject_of
    from lowerbound.figures import save
    from lowerbound.illustrate import check_figure, draw, save_pictures

    options = {"grid": grid, "between": between}
    options = {option: value for option, value in options.items() if value is not None}
    check_figure(name, options)
    drawn = draw(subject_of(opened), name, **options)
    path = save_pictures(opened, {name: drawn})[0] if output is None else save(drawn, output)
    out.print(f"{name.replace('-', ' ').capitalize()}: {path}", markup=False)

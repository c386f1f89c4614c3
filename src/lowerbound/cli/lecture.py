"""The command that computes the lecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.console import out


def lecture(
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory of the page and its figures.")] = Path(
        "lecture"
    ),
) -> None:
    """Compute every figure of the lecture on variational autoencoders, as a page."""
    from lowerbound.console import progress
    from lowerbound.lecture import SLIDES, Workshop, write_lecture

    workshop = Workshop()
    with progress("Lecture") as on_progress:
        page = write_lecture(output, workshop, on_progress)
    missing = [exhibit.needs for slide in SLIDES for exhibit in slide.exhibits if not workshop.has(exhibit)]
    if missing:
        out.print(f"Left out, because their data is not here (lowerbound datasets): {', '.join(map(str, missing))}")
    out.print(f"The lecture: {page}")

"""What the commands share: the kinds of their arguments, and how a run and its data are opened."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowerbound.outputs import ARRAYS, PICTURES, check_output

if TYPE_CHECKING:
    import numpy as np

    from lowerbound.data import Dataset
    from lowerbound.run import Run
    from lowerbound.trained import Trained

RunPath = Annotated[str, typer.Argument(metavar="RUN", help="The directory of a run.", show_default=False)]
DataPath = Annotated[
    str, typer.Argument(metavar="DATA", help="Name of a data set (lowerbound datasets), or a path.", show_default=False)
]
ArraysPath = Annotated[
    Path, typer.Option("--output", "-o", help="Where to: .npz or .parquet, by its ending.", show_default=False)
]
AnyPath = Annotated[
    Path, typer.Option("--output", "-o", help="Where to: .npz, .parquet or .png, by its ending.", show_default=False)
]
Particles = Annotated[int, typer.Option(min=1, max=1_000_000, help="Importance samples for each datum, K.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every draw.")]


def load_run(run: str, output: Path | None, *, picture: bool) -> tuple[Run, Trained]:
    """The run and its model, once it is known that the output can be written."""
    from lowerbound.run import Run

    opened = Run.open(run)
    if output is not None:
        check_output(output, ARRAYS + PICTURES if picture else ARRAYS)
    from lowerbound.experiment import best_device

    return opened, opened.load(best_device())


def open_for_run(run: Run, trained: Trained, data: str) -> Dataset:
    """Data for a run's model: in the form of those that it was trained on."""
    from lowerbound.experiment import open_for

    return open_for(run, data, trained.preparation)


def write_data(run: Run, output: Path, name: str, count: int, parts: Iterable[np.ndarray]) -> None:
    """Write data in its own units, some rows after the other: images with the channels last, as most programs read."""
    from lowerbound.outputs import Blocks, write_arrays

    def laid_out(values: np.ndarray) -> np.ndarray:
        if run.source.kind == "image":
            return values[:, 0] if values.shape[1] == 1 else values.transpose(0, 2, 3, 1)
        return values

    write_arrays(output, {name: Blocks(count, map(laid_out, parts))}, {name: run.source.columns})

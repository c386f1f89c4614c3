"""The pictures of a run, drawn from its trained model and some of its data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lowerbound import figures
from lowerbound.data import Dataset
from lowerbound.errors import UserError
from lowerbound.run import Run
from lowerbound.trained import Trained

# Images on a sheet of samples, images above their reconstructions, vectors whose columns are compared, and images in
# each direction of a manifold.
_SHEET, _PAIRS, _VECTORS, _GRID = 100, 20, 1000, 20


def illustrate(run: Run, trained: Trained, dataset: Dataset, rows: np.ndarray) -> tuple[Path, ...]:
    """Draw samples, reconstructions, learning curves and, for two latent variables, the latent space.

    Args:
        run: The run; the pictures go to its `figures/`.
        trained: Its model.
        dataset: Its data.
        rows: Which of the data to show: those that it has not learned from.

    Raises:
        UserError: A picture cannot be written.
    """
    vectors = dataset.kind == "vector"
    limits = run.source.limits
    shown = dataset.values[rows[: _VECTORS if vectors else _PAIRS]]
    # Of images the mean is a picture; the mean of a vector's p(x | z) would hide the noise that the model knows of.
    drawn = trained.sample(len(shown) if vectors else _SHEET, mean=not vectors, seed=run.config.seed)
    again = trained.reconstruct(shown)
    axes = {
        "samples": figures.samples(drawn, shown if vectors else None, columns=dataset.columns, limits=limits),
        "reconstructions": figures.reconstructions(shown, again, columns=dataset.columns, limits=limits),
    }
    if metrics := run.metrics():
        axes["learning_curves"] = figures.learning_curves(metrics)
    if run.config.model.latent_dim == 2:
        codes = trained.encode(dataset.values[rows])
        axes["latent_space"] = figures.latent_scatter(codes, None if dataset.labels is None else dataset.labels[rows])
        if not vectors and run.config.model.prior.name == "standard-normal":
            restore = trained.preparation.restore
            axes["manifold"] = figures.manifold(
                trained.model, _GRID, restore=restore, limits=limits, device=trained.device
            )
    try:
        run.figures.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make {run.figures} ({error.strerror}): free some space.") from None
    return tuple(figures.save(ax, run.figures / f"{name}.png") for name, ax in axes.items())

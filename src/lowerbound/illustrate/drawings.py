"""The figures of a run by name: how each is drawn, and which suit it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lowerbound import figures
from lowerbound.errors import UserError
from lowerbound.files import make_directory
from lowerbound.illustrate.subject import Subject
from lowerbound.names import unknown
from lowerbound.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Images on a sheet of samples, images above their reconstructions, vectors whose columns are compared, and images in
# each direction of a manifold.
_SHEET, _PAIRS, _VECTORS, _GRID = 100, 20, 1000, 20
# Dimensions that are walked along, pairs that are walked between, dimensions whose distribution is shown, and images
# whose painting is.
_DIMENSIONS, _WAYS, _MARGINALS, _PAINTED = 10, 6, 12, 8


class Unsuited(UserError):
    """A figure makes no sense for a run."""


def _samples(subject: Subject) -> Axes:
    shown = subject.dataset.values[subject.rows[:_VECTORS]] if subject.vectors else None
    # Of images the mean is a picture; the mean of a vector's p(x | z) would hide the noise that the model knows of.
    count = _SHEET if shown is None else len(shown)
    drawn = subject.trained.sample(count, mean=shown is None, seed=subject.run.config.seed)
    return figures.samples(drawn, shown, **subject.looks)


def _reconstructions(subject: Subject) -> Axes:
    rows = subject.rows[: _VECTORS if subject.vectors else _PAIRS]
    shown = subject.dataset.values[rows]
    return figures.reconstructions(shown, subject.trained.reconstruct(shown, subject.told(rows)), **subject.looks)


def _learning_curves(subject: Subject) -> Axes:
    if not subject.metrics:
        raise Unsuited(f"The run {subject.run.directory} has no learning curves: its first epoch has not ended.")
    return figures.learning_curves(subject.metrics)


def _latent_space(subject: Subject) -> Axes:
    if subject.codes.shape[1] < 2:
        raise Unsuited("A picture of the latent space needs two dimensions, and this model has one: draw traversals.")
    return figures.latent_scatter(subject.codes, subject.labels, label_names=subject.dataset.label_names)


def _manifold(subject: Subject, grid: int = _GRID) -> Axes:
    dimension, prior = subject.codes.shape[1], subject.run.config.model.prior.name
    if subject.vectors:
        raise Unsuited("A manifold is a sheet of images, and this model is of rows of numbers: draw traversals.")
    if dimension != 2:
        raise Unsuited(
            f"A manifold needs a latent space of two dimensions, and this one has {dimension:,}: draw traversals, or "
            "fit a model with --latent-dim 2."
        )
    if prior != "standard-normal":
        raise Unsuited(
            f"A manifold is uniform in probability under a standard normal prior, and this model's is {prior}: "
            "draw latent-space or prior-and-posterior."
        )
    trained = subject.trained
    if trained.classes:
        raise Unsuited("This model is told labels, and has another manifold for each of them: draw traversals.")
    return figures.manifold(
        trained.model,
        grid,
        restore=trained.preparation.restore,
        limits=subject.run.source.limits,
        device=trained.device,
    )


def _traversals(subject: Subject) -> Axes:
    _check_walk(subject, "A traversal")
    usage, codes, told = subject.usage, subject.codes, subject.told(subject.coded)
    dimensions = [d for d in usage.order if usage.active[d]] or list(usage.order)
    dimensions = dimensions[:_DIMENSIONS]
    names = [f"$z_{{{d + 1}}}$" + ("" if usage.kl is None else f"\n{usage.kl[d]:.2f} nats") for d in dimensions]
    if told is not None:  # one label throughout
        codes = codes[told == told[0]]
    return figures.traversals(
        lambda z: subject.trained.decode(z, None if told is None else np.full(len(z), told[0])),
        codes,
        dimensions,
        names=names,
        space="sphere" if subject.space == "sphere" else "real",
        **subject.looks,
    )


def _interpolation(subject: Subject, between: tuple[int, int] | None = None) -> Axes:
    _check_walk(subject, "An interpolation")
    if between is None:
        rows = _pairs(subject.rows, subject.told(subject.rows))
    elif all(0 <= row < len(subject.dataset) for row in between):
        rows = np.array([between])
    else:
        raise UserError(
            f"--between takes two rows from 0 to {len(subject.dataset) - 1:,}, not {between[0]} and {between[1]}."
        )
    told = subject.told(rows)
    if told is not None and (told[:, 0] != told[:, 1]).any():
        raise UserError(
            "This model is told labels, and nothing lies between two of them: take rows with the same label."
        )
    data = subject.dataset.values[rows]
    flat = None if told is None else told.ravel()
    codes = subject.trained.encode(data.reshape(-1, *data.shape[2:]), flat).reshape(*rows.shape, -1)
    return figures.interpolation(
        lambda z: subject.trained.decode(z, None if told is None else np.repeat(told[:, 0], len(z) // len(told))),
        codes,
        data,
        space="sphere" if subject.space == "sphere" else "real",
        **subject.looks,
    )


def _pairs(rows: np.ndarray, told: np.ndarray | None) -> np.ndarray:
    """Pairs of rows from all over the data; where the model is told labels, each of one label."""
    if told is None:
        count = min(2 * _WAYS, len(rows) // 2 * 2)
        pairs = rows[np.linspace(0, len(rows) - 1, count).astype(int)].reshape(-1, 2)
    else:
        same = [rows[told == label][:2] for label in np.unique(told)]
        pairs = np.array([pair for pair in same if len(pair) == 2][:_WAYS]).reshape(-1, 2)
    if len(pairs) == 0:
        raise Unsuited(
            "An interpolation is between two data, and there are not two that were left out of the training."
        )
    return pairs


def _check_walk(subject: Subject, what: str) -> None:
    if subject.categories is not None:
        raise Unsuited(
            f"{what} goes from one code to another by way of those between, and this model's code is choices of "
            "categories, between which nothing lies: draw prior-and-posterior."
        )


def _kl_per_latent(subject: Subject) -> Axes:
    if not subject.first.has_bound:
        raise Unsuited(
            "The encoder of this model is deterministic, and a point has no KL divergence: draw latent-space."
        )
    usage = subject.usage
    if usage.kl is None:
        raise Unsuited(
            "Under the posterior or the prior of this model the latent dimensions depend on one another, so that only "
            "all together have a KL divergence: draw prior-and-posterior."
        )
    return figures.kl_per_latent(usage.kl, usage.active)


def _prior_and_posterior(subject: Subject) -> Axes:
    prior, drawn = subject.drawn
    if prior.batch_shape:
        raise Unsuited("The prior of this model is another one for each datum, and cannot be set against all of them.")
    return figures.prior_and_posterior(
        prior,
        drawn,
        None if subject.categories is not None else subject.usage.order[:_MARGINALS].tolist(),
        categories=subject.categories,
        seed=subject.run.config.seed,
    )


def _painting(subject: Subject) -> Axes:
    if subject.vectors or not hasattr(subject.trained.model, "paint"):
        raise Unsuited(
            "Painting is what models of images do that work in steps (DRAW), and this is none: draw samples."
        )
    painted = subject.trained.paint(_PAINTED, seed=subject.run.config.seed)
    return figures.painting_sheet(painted, limits=subject.run.source.limits)


FIGURES: dict[str, Callable[..., Axes]] = {
    "samples": _samples,
    "reconstructions": _reconstructions,
    "learning-curves": _learning_curves,
    "latent-space": _latent_space,
    "manifold": _manifold,
    "traversals": _traversals,
    "interpolation": _interpolation,
    "kl-per-latent": _kl_per_latent,
    "prior-and-posterior": _prior_and_posterior,
    "painting": _painting,
}
"""How each figure of a run is drawn, by its name; keyword arguments are its options."""


def draw(subject: Subject, name: str, **options: Any) -> Axes:
    """One figure of a run.

    Args:
        subject: What it is drawn from.
        name: One of `FIGURES`.
        **options: Of the figure: `grid` of the manifold, the two rows `between` which to interpolate.

    Raises:
        Unsuited: The figure makes no sense for the run.
        UserError: No such figure (the nearest names are given), or an option that it does not have.
    """
    check_figure(name, options)
    return FIGURES[name](subject, **options)


def check_figure(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a name that no figure bears, and options that it does not have.

    Raises:
        UserError: The one or the other.
    """
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    for option in options:
        if option not in inspect.signature(FIGURES[name]).parameters:
            whose = [other for other, make in FIGURES.items() if option in inspect.signature(make).parameters]
            raise UserError(f"--{option} is for the figure {' and '.join(whose)}, not for {name}: leave it out.")


def suited(subject: Subject) -> Iterator[tuple[str, Axes]]:
    """Every figure that suits a run, with its name."""
    for name in FIGURES:
        try:
            yield name, draw(subject, name)
        except Unsuited:
            continue


def save_pictures(run: Run, drawn: Mapping[str, Axes]) -> tuple[Path, ...]:
    """Write figures to the run's `figures/`, as `.png`.

    Raises:
        UserError: A picture cannot be written.
    """
    directory = make_directory(run.figures)
    return tuple(figures.save(ax, directory / f"{name.replace('-', '_')}.png") for name, ax in drawn.items())

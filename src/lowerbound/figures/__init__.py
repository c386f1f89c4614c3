"""Pictures: one function for each, drawn with matplotlib on an axis that is given or made.

matplotlib is imported with the first figure that is asked for, not before; `tile` does without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowerbound.figures.canvas import save
    from lowerbound.figures.curves import compared_curves, learning_curves
    from lowerbound.figures.data import reconstructions, samples
    from lowerbound.figures.latent import latent_scatter, manifold
    from lowerbound.figures.painting import animate, painting_sheet
    from lowerbound.figures.tiling import tile
    from lowerbound.figures.usage import kl_per_latent, prior_and_posterior
    from lowerbound.figures.walks import interpolation, traversals

__all__ = [
    "animate",
    "compared_curves",
    "interpolation",
    "kl_per_latent",
    "latent_scatter",
    "learning_curves",
    "manifold",
    "painting_sheet",
    "prior_and_posterior",
    "reconstructions",
    "samples",
    "save",
    "tile",
    "traversals",
]

_HOMES = {
    "animate": "painting",
    "compared_curves": "curves",
    "interpolation": "walks",
    "kl_per_latent": "usage",
    "latent_scatter": "latent",
    "learning_curves": "curves",
    "manifold": "latent",
    "painting_sheet": "painting",
    "prior_and_posterior": "usage",
    "reconstructions": "data",
    "samples": "data",
    "save": "canvas",
    "tile": "tiling",
    "traversals": "walks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

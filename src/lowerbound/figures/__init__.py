"""Pictures: one function for each, drawn with matplotlib on an axis that is given or made.

matplotlib is imported with the first figure that is asked for, not before; `tile` does without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowerbound.figures.canvas import save
    from lowerbound.figures.curves import learning_curves
    from lowerbound.figures.data import reconstructions, samples
    from lowerbound.figures.latent import latent_scatter, manifold
    from lowerbound.figures.tiling import tile

__all__ = ["latent_scatter", "learning_curves", "manifold", "reconstructions", "samples", "save", "tile"]

_HOMES = {
    "latent_scatter": "latent",
    "learning_curves": "curves",
    "manifold": "latent",
    "reconstructions": "data",
    "samples": "data",
    "save": "canvas",
    "tile": "tiling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

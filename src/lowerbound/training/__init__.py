"""Training: one loop, resumable to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lowerbound.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lowerbound.training.device import Decision
    from lowerbound.training.loop import fit
    from lowerbound.training.records import EpochRecord, Result, TrainingError

__all__ = ["Decision", "EpochRecord", "Result", "TrainingError", "TrainingSettings", "fit"]

_LOCATIONS = {
    "fit": "loop",
    "Decision": "device",
    **dict.fromkeys(("EpochRecord", "Result", "TrainingError"), "records"),
}


def __getattr__(name: str) -> Any:
    # The configuration reads the settings before anybody needs torch, which the rest imports.
    if name not in _LOCATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LOCATIONS[name]}"), name)

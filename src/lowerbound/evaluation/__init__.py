"""Figures that say how good a trained model is, with their errors and their protocol.

The disentanglement scores are imported when the first of them is asked for: scikit-learn's models take 150 MB.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lowerbound.evaluation.annealed import (
    AnnealedEstimate,
    Annealing,
    Sandwich,
    annealed_importance_sampling,
    bidirectional_monte_carlo,
)
from lowerbound.evaluation.diagnostics import Diagnostics, diagnostics
from lowerbound.evaluation.distortion import DistortionAlone
from lowerbound.evaluation.gaps import Gaps, gaps
from lowerbound.evaluation.information import Information, information
from lowerbound.evaluation.likelihood import BoundEstimate, ImportanceEstimate, bound, importance_sampling
from lowerbound.evaluation.protocol import evaluate
from lowerbound.evaluation.result import Evaluation

if TYPE_CHECKING:
    from lowerbound.evaluation.disentanglement import (
        DCI,
        dci,
        dci_from_importance,
        factor_vae_score,
        mutual_information_gap,
        separated_attribute_predictability,
    )

__all__ = [
    "DCI",
    "AnnealedEstimate",
    "Annealing",
    "BoundEstimate",
    "Diagnostics",
    "DistortionAlone",
    "Evaluation",
    "Gaps",
    "ImportanceEstimate",
    "Information",
    "Sandwich",
    "annealed_importance_sampling",
    "bidirectional_monte_carlo",
    "bound",
    "dci",
    "dci_from_importance",
    "diagnostics",
    "evaluate",
    "factor_vae_score",
    "gaps",
    "importance_sampling",
    "information",
    "mutual_information_gap",
    "separated_attribute_predictability",
]

_SCORES = (
    "DCI",
    "dci",
    "dci_from_importance",
    "factor_vae_score",
    "mutual_information_gap",
    "separated_attribute_predictability",
)


def __getattr__(name: str) -> Any:
    if name not in _SCORES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.disentanglement"), name)

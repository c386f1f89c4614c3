"""Figures that say how good a trained model is, with their errors and their protocol."""

from lowerbound.evaluation.annealed import (
    AnnealedEstimate,
    Annealing,
    Sandwich,
    annealed_importance_sampling,
    bidirectional_monte_carlo,
)
from lowerbound.evaluation.diagnostics import Diagnostics, diagnostics
from lowerbound.evaluation.likelihood import BoundEstimate, ImportanceEstimate, bound, importance_sampling
from lowerbound.evaluation.protocol import evaluate
from lowerbound.evaluation.result import Evaluation

__all__ = [
    "AnnealedEstimate",
    "Annealing",
    "BoundEstimate",
    "Diagnostics",
    "Evaluation",
    "ImportanceEstimate",
    "Sandwich",
    "annealed_importance_sampling",
    "bidirectional_monte_carlo",
    "bound",
    "diagnostics",
    "evaluate",
    "importance_sampling",
]

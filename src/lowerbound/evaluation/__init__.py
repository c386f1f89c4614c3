"""Figures that say how good a trained model is, with their errors and their protocol."""

from lowerbound.evaluation.diagnostics import Diagnostics, diagnostics
from lowerbound.evaluation.likelihood import BoundEstimate, ImportanceEstimate, bound, importance_sampling
from lowerbound.evaluation.protocol import evaluate
from lowerbound.evaluation.result import Evaluation

__all__ = [
    "BoundEstimate",
    "Diagnostics",
    "Evaluation",
    "ImportanceEstimate",
    "bound",
    "diagnostics",
    "evaluate",
    "importance_sampling",
]

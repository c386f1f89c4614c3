"""Figures that say how good a trained model is, with their errors and their protocol."""

from lowerbound.evaluation.annealed import (
    AnnealedEstimate,
    Annealing,
    Sandwich,
    annealed_importance_sampling,
    bidirectional_monte_carlo,
)
from lowerbound.evaluation.diagnostics import Diagnostics, diagnostics
from lowerbound.evaluation.disentanglement import (
    DCI,
    dci,
    dci_from_importance,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)
from lowerbound.evaluation.gaps import Gaps, gaps
from lowerbound.evaluation.information import Information, information
from lowerbound.evaluation.likelihood import BoundEstimate, ImportanceEstimate, bound, importance_sampling
from lowerbound.evaluation.protocol import evaluate
from lowerbound.evaluation.result import Evaluation

__all__ = [
    "DCI",
    "AnnealedEstimate",
    "Annealing",
    "BoundEstimate",
    "Diagnostics",
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

"""Objectives: pure functions of a trace and of the share of the training that is done."""

from lowerbound.objectives.elbo import ELBO
from lowerbound.objectives.importance import IWAE
from lowerbound.objectives.objective import Objective, Value

OBJECTIVES = {"elbo": ELBO, "iwae": IWAE}

__all__ = ["ELBO", "IWAE", "OBJECTIVES", "Objective", "Value"]

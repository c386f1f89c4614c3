"""Objectives: pure functions of a trace and of the share of the training that is done."""

from lowerbound.objectives.elbo import ELBO
from lowerbound.objectives.importance import CIWAE, IWAE, MIWAE, PIWAE, Renyi
from lowerbound.objectives.objective import Objective, Value

OBJECTIVES = {"elbo": ELBO, "iwae": IWAE, "miwae": MIWAE, "piwae": PIWAE, "ciwae": CIWAE, "renyi": Renyi}

__all__ = ["CIWAE", "ELBO", "IWAE", "MIWAE", "OBJECTIVES", "PIWAE", "Objective", "Renyi", "Value"]

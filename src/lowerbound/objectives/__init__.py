"""Objectives: functions of a trace and of the share of the training that is done."""

from lowerbound.objectives.adversarial import AdversarialAutoencoder, FactorVAE
from lowerbound.objectives.autoencoding import (
    GradientPenalty,
    RegularizedAutoencoder,
    VectorQuantization,
    WeightPenalty,
)
from lowerbound.objectives.discrepancy import InfoVAE, squared_mmd
from lowerbound.objectives.elbo import ELBO, Capacity
from lowerbound.objectives.importance import CIWAE, IWAE, MIWAE, PIWAE, Renyi
from lowerbound.objectives.moments import DIPVAE
from lowerbound.objectives.objective import Objective, Value
from lowerbound.objectives.total_correlation import BetaTCVAE, Decomposition, decompose

OBJECTIVES = {
    "elbo": ELBO,
    "capacity": Capacity,
    "iwae": IWAE,
    "miwae": MIWAE,
    "piwae": PIWAE,
    "ciwae": CIWAE,
    "renyi": Renyi,
    "info-vae": InfoVAE,
    "dip-vae": DIPVAE,
    "beta-tc-vae": BetaTCVAE,
    "factor-vae": FactorVAE,
    "adversarial-autoencoder": AdversarialAutoencoder,
    "vq-vae": VectorQuantization,
    "rae-l2": WeightPenalty,
    "rae-gp": GradientPenalty,
}
"""Objectives by the name that a configuration gives."""

__all__ = [
    "CIWAE",
    "DIPVAE",
    "ELBO",
    "IWAE",
    "MIWAE",
    "OBJECTIVES",
    "PIWAE",
    "AdversarialAutoencoder",
    "BetaTCVAE",
    "Capacity",
    "Decomposition",
    "FactorVAE",
    "GradientPenalty",
    "InfoVAE",
    "Objective",
    "RegularizedAutoencoder",
    "Renyi",
    "Value",
    "VectorQuantization",
    "WeightPenalty",
    "decompose",
    "squared_mmd",
]

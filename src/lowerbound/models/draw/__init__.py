"""DRAW: a variational autoencoder that paints step by step."""

from lowerbound.models.draw.model import DRAW
from lowerbound.models.draw.posterior import TrajectoryPosterior
from lowerbound.models.draw.steps import Painting

__all__ = ["DRAW", "Painting", "TrajectoryPosterior"]

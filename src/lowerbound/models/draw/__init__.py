"""DRAW: a variational autoencoder that paints step by step."""

from lowerbound.models.draw.model import DRAW
from lowerbound.models.draw.painting import Painting
from lowerbound.models.draw.posterior import TrajectoryPosterior

__all__ = ["DRAW", "Painting", "TrajectoryPosterior"]

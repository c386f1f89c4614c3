"""The figures of a run, by name: what is drawn from its model and some of its data, and which figures suit it."""

from lowerbound.illustrate.drawings import FIGURES, Unsuited, check_figure, draw, save_pictures, suited
from lowerbound.illustrate.subject import Subject, Usage

__all__ = ["FIGURES", "Subject", "Unsuited", "Usage", "check_figure", "draw", "save_pictures", "suited"]

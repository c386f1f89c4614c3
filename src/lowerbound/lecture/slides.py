"""The slides in their order."""

from __future__ import annotations

from lowerbound.lecture import bayes, divergence, graphical, manifolds, painting, reparameterization, variational

SLIDES = (
    graphical.SLIDE,
    divergence.SLIDE,
    bayes.SLIDE,
    variational.SLIDE,
    reparameterization.SLIDE,
    manifolds.SLIDE,
    painting.SLIDE,
)
"""Every slide of the lecture."""

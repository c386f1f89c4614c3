"""Training throughput of the importance weighted autoencoder with 50 particles."""

from __future__ import annotations

from benchmarks.races.mlp import MLP
from benchmarks.racing.course import Course
from benchmarks.racing.training import training_race

PEERS = ("plain PyTorch", "pythae", "plain JAX")
BATCH, PARTICLES = 128, 50


def race(course: Course) -> str:
    """Images per second."""
    steps = course.size(12, 1)
    images = BATCH * steps
    settings = {**MLP, "particles": PARTICLES, "batch": BATCH, "rows": course.mnist(images)}
    title = f"784–500–500–50, tanh, K = {PARTICLES}, batch {BATCH}, {steps} steps in a turn;"
    return training_race(course, title, PEERS, settings, images)

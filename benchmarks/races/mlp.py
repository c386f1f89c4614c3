"""Training throughput of the fully connected VAE, 784–500–500–50, tanh, Adam, dynamic binarisation."""

from __future__ import annotations

from benchmarks.racing.course import Course
from benchmarks.racing.training import training_race

PEERS = ("plain PyTorch", "pythae", "Pyro", "NumPyro", "plain JAX")
MLP = {"shape": [1, 28, 28], "hidden": [500, 500], "latents": 50, "activation": "tanh"}


def race(course: Course) -> str:
    """Images per second at two batch sizes."""
    parts = []
    for batch, steps in ((128, course.size(150, 4)), (512, course.size(60, 2))):
        images = batch * steps
        settings = {**MLP, "particles": 1, "batch": batch, "rows": course.mnist(images)}
        title = f"784–500–500–50, tanh, batch {batch}, {steps} steps in a turn;"
        parts.append(training_race(course, title, PEERS, settings, images))
    return "\n\n".join(parts)

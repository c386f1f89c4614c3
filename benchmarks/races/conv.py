"""Training throughput of a small residual convolutional VAE."""

from __future__ import annotations

import numpy as np

from benchmarks.racing.course import Course
from benchmarks.racing.training import training_race

PEERS = ("plain PyTorch", "pythae", "plain JAX")
BATCH = 128


def synthetic(count: int, side: int) -> np.ndarray:
    """Colour images of three soft discs each [N, 3, side, side], uint8: no speed depends on what they show."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    images = np.zeros((count, 3, side, side), dtype=np.float32)
    for _ in range(3):
        centre, colour = generator.random((2, count, 1, 1)), generator.random((count, 3, 1, 1))
        distance = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
        images += colour * np.exp(-distance / 0.02)[:, None]
    return (255 * images.clip(0, 1)).astype(np.uint8)


def race(course: Course) -> str:
    """Images per second, for MNIST and for colour images."""
    parts = []
    for side, steps in ((28, course.size(8, 1)), (64, course.size(2, 1))):
        batch = course.size(BATCH, 16)
        images = batch * steps
        rows = course.mnist(images) if side == 28 else course.keep("synthetic", synthetic(images, side))
        settings = {
            "shape": [1 if side == 28 else 3, side, side],
            "channels": [32, 64],
            "latents": 50,
            "activation": "silu",
            "particles": 1,
            "batch": batch,
            "rows": rows,
        }
        what = "MNIST" if side == 28 else "synthetic colour images, each channel binarised,"
        network = "residual convolutions of 32 and 64 channels, SiLU"
        title = f"{what} {side} × {side}, {network}, batch {batch}, {steps} steps in a turn;"
        parts.append(training_race(course, title, PEERS, settings, images))
    return "\n\n".join(parts)

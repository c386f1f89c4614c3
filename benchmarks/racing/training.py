"""A race of training throughput: the same model, batch and data for every contender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.racing.contender import Contender
from benchmarks.racing.course import Course, ours_and_compiled, speed_table
from lowerbound.errors import UserError

PEERS = {
    "plain PyTorch": ("plain_pytorch", "lowerbound"),
    "pythae": ("with_pythae", "pythae"),
    "Pyro": ("with_pyro", "pyro"),
    "NumPyro": ("with_numpyro", "jax"),
    "plain JAX": ("plain_jax", "jax"),
}


def peers(names: Sequence[str], work: float) -> list[Contender]:
    """Some of the peers, each with so much work in a turn."""
    return [Contender(name, *PEERS[name], work=work) for name in names]


def training_race(course: Course, title: str, names: Sequence[str], settings: dict[str, Any], images: int) -> str:
    """Race, and give the table under a title.

    Raises:
        UserError: Two contenders have models of different sizes, so that the race would mean nothing.
    """
    contenders = ours_and_compiled(images) + peers(names, images)
    records = course.run(contenders, {"contest": "train", "learning_rate": 1e-3, **settings})
    sizes = [record.facts["weights"] for record in records]
    if len(set(sizes)) > 1:
        raise UserError(f"The contenders have models of different sizes, {sizes} weights: make them the same.")
    return (
        f"{title} {sizes[0]:,} weights.\n\n{speed_table(records, 'images', 'loss')}\n\n{course.described(contenders)}"
    )

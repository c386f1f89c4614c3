"""Steps that had to be skipped, in words."""

from __future__ import annotations

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from lowerbound.training.step import DISTORTION, GRADIENT_NORM, LOSS, RATE

TERMS = {DISTORTION: "distortion (-log p(x|z))", RATE: "rate (KL)", LOSS: "loss", GRADIENT_NORM: "gradient"}


def what_happened(logged: Float[Tensor, "4"], step: int, epoch: int, rows: Int[Tensor, "B"]) -> str:
    """Which term of which step was not finite, on which data.

    Args:
        logged: The log of the step.
        step: Its number, from 1.
        epoch: The number of its epoch, from 1.
        rows: The rows of its batch.
    """
    term = next(name for column, name in TERMS.items() if not logged[column].isfinite())
    return f"the {term} of step {step} (epoch {epoch}, {_listed(rows)} of the training data) was not finite"


def what_to_do(batch: Shaped[Tensor, "B *stored"], rows: Int[Tensor, "B"]) -> str:
    """The likely remedy.

    Args:
        batch: The batch of the step, as it is stored.
        rows: Its rows.
    """
    broken = ~batch.isfinite().flatten(1).all(1)
    if broken.any():
        return f"{_listed(rows[broken])} of the training data hold values that are not finite, leave them out"
    return "lower training.learning_rate, or set training.clip"


def _listed(rows: Int[Tensor, "B"]) -> str:
    first = ", ".join(map(str, rows[:5].tolist()))
    return f"rows {first}, …" if len(rows) > 5 else f"rows {first}"

"""Weights that change during the training, as functions of the share of it that is done."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def check_share(share: float, name: str) -> None:
    """Refuse what is not a share of the training.

    Raises:
        ValueError: Not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(
            f"{name} = {share:g} is a share of the training, from 0 to 1: a warm-up longer than the training would end "
            "it with a weight below the one that was asked for."
        )


def warmed_up(progress: Float[Tensor, ""], share: float) -> Float[Tensor, ""]:
    """A weight that rises linearly from 0 to 1 over the first `share` of the training, and stays there."""
    if share == 0:
        return progress.new_ones(())
    return (progress / share).clamp(max=1)

"""Contexts: what a conditional model is told of each datum."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lowerbound.errors import UserError


def label_context(labels: Int[Tensor, "*batch"], classes: int) -> Float[Tensor, "*batch classes"]:
    """Labels as contexts, one-hot.

    Args:
        labels: From 0.
        classes: How many there are.

    Raises:
        UserError: A label that there is not.
    """
    odd = labels[(labels < 0) | (labels >= classes)]
    if len(odd):
        raise UserError(
            f"There is no label {int(odd[0])}: the model was trained with the labels 0 to {classes - 1}, choose one."
        )
    return torch.nn.functional.one_hot(labels.long(), classes).to(torch.get_default_dtype())

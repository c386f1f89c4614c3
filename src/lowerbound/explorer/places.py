"""Where the codes of a model live, and the nearest such place to any numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from lowerbound.models import LatentModel

Kind = Literal["real", "sphere", "simplex", "choices"]


@dataclass(frozen=True)
class Place:
    """What the codes of a model are."""

    kind: Kind
    """Vectors of real numbers, of length one, of probabilities, or of groups of one-hot choices."""
    groups: tuple[int, int] = (1, 1)
    """For probabilities and choices: how many groups there are, and categories in each."""

    @classmethod
    def of(cls, model: LatentModel) -> Place:
        """Where this model's codes live: its posterior says so, and one that does not speaks of real numbers."""
        head = getattr(getattr(model, "encoder", None), "head", None)
        space = getattr(head, "space", "real")
        if space == "sphere":
            return cls("sphere")
        if space in ("one-hot", "simplex"):
            # The mean of a categorical posterior lies on the simplex; only a quantized one is one-hot itself.
            groups, categories = head.groups  # pyright: ignore[reportOptionalMemberAccess]
            return cls("simplex" if getattr(head, "spreads", True) else "choices", (groups, categories))
        return cls("real")

    def nearest(self, codes: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
        """The codes themselves where they live there, and else their neighbours that do."""
        if self.kind == "real":
            return codes
        if self.kind == "sphere":
            length = np.linalg.norm(codes, axis=1, keepdims=True)
            pole = np.eye(1, codes.shape[1], dtype=codes.dtype)
            return np.where(length > 0, codes / np.where(length > 0, length, 1), pole)
        grouped = codes.reshape(len(codes), *self.groups)
        if self.kind == "choices":
            chosen = np.eye(self.groups[1], dtype=codes.dtype)[grouped.argmax(-1)]
            return chosen.reshape(codes.shape)
        positive = np.maximum(grouped, 0)
        total = positive.sum(-1, keepdims=True)
        shares = np.where(total > 0, positive / np.where(total > 0, total, 1), 1 / self.groups[1])
        return shares.reshape(codes.shape).astype(codes.dtype)

"""The one figure of a model whose encoder is deterministic: what its reconstructions cost."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from dataclasses import dataclass

from lowerbound.evaluation.batches import Data, for_each_batch
from lowerbound.models import LatentModel

WHY_ALONE = (
    "no −ELBO and no NLL, for the encoder says a point, whose KL divergence from a density over codes is infinite, "
    "and the distortion leaves out what the code costs"
)
"""Why there is no other figure, as a clause."""


@dataclass(frozen=True)
class DistortionAlone:
    """The figure of an autoencoder, in nats per datum. It has no likelihood, and this is no bound on one."""

    examples: int
    distortion: float
    """−log p(x | z) at the code of each datum."""
    distortion_error: float
    """Its standard error."""
    seconds: float
    """Time that it took."""
    protocol: str
    """What the figure means, in words."""

    def to_json(self) -> str:
        """JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def summary(self) -> list[str]:
        """The figure as lines for a person."""
        figure = f"{self.distortion:.2f} ± {self.distortion_error:.2f} nats"
        return [f"distortion  {figure}  {self.examples:,} examples", f"There is {WHY_ALONE}."]


def distortion_alone(model: LatentModel, data: Data, *, log_volume: float, what: str) -> DistortionAlone:
    """Compute the distortion.

    Args:
        model: In any mode.
        data: At least two.
        log_volume: Nats to add to log p(x | z) for a density in the data's own units.
        what: What the data is, for the protocol.
    """
    began = time.perf_counter()
    each = for_each_batch(model, data, 1, lambda _, traces: -next(traces).log_likelihood().double().T, seed=0)
    count = len(data.x)
    protocol = f"Data: {what or f'{count:,} examples'}; distortion: −log p(x | z) at the code z of each; {WHY_ALONE}"
    if log_volume:
        protocol += f"; densities in the data's own units, for which {log_volume:.3f} nats were added to log p(x | z)"
    return DistortionAlone(
        examples=count,
        distortion=each.mean().item() - log_volume,
        distortion_error=each.std().item() / math.sqrt(count),
        seconds=time.perf_counter() - began,
        protocol=f"{protocol}; ±: one standard error of the mean over the examples.",
    )

"""The bound on the validation data, by which the best weights are chosen."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lowerbound.models import LatentModel
from lowerbound.training.device import randomness

# A validated datum costs a forward pass, a third of a step; all of them together may cost this share of the training.
VALIDATION_SHARE = 0.05


def automatic_interval(validated: int, trained: int) -> int:
    """Epochs from one validation to the next, for so many data of each."""
    return max(1, math.ceil(validated / 3 / (VALIDATION_SHARE * trained)))


@torch.no_grad()
def validation_bound(
    model: LatentModel,
    x: Float[Tensor, "V *event"],
    *,
    batch_size: int,
    pathwise: bool,
    seed: int,
    context: Float[Tensor, "V C"] | None = None,
) -> tuple[float, float]:
    """Distortion and rate in nats per datum, in evaluation mode and with the same draws for the same seed.

    The rate of a model with a deterministic encoder is infinite.

    Args:
        model: Its mode is left as it was.
        x: The data, as the model sees it.
        batch_size: Data at a time.
        pathwise: Whether z is drawn reparameterized.
        seed: Of the draws; torch's generators are left as they were.
        context: A covariate of each datum.
    """
    training = model.training
    model.eval()
    sums = torch.zeros(2, device=x.device, dtype=torch.float64)
    with randomness(x.device, seed):
        for start in range(0, len(x), batch_size):
            rows = slice(start, start + batch_size)
            batch, given = x[rows], None if context is None else context[rows]
            trace = model.trace(batch, pathwise=pathwise, context=given)
            rate = trace.kl().mean() if trace.has_bound else sums.new_tensor(math.inf)
            sums += len(batch) * torch.stack((-trace.log_likelihood().mean(), rate))
    model.train(training)
    distortion, rate = (sums / len(x)).tolist()
    return distortion, rate

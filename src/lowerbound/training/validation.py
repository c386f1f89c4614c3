"""The bound on the validation data, by which the best weights are chosen."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lowerbound.models import LatentModel
from lowerbound.objectives import ELBO
from lowerbound.training.device import randomness

# A validated datum costs a forward pass, a third of a step; all of them together may cost this share of the training.
VALIDATION_SHARE = 0.05


def automatic_interval(validated: int, trained: int) -> int:
    """Epochs from one validation to the next, for so many data of each."""
    return max(1, math.ceil(validated / 3 / (VALIDATION_SHARE * trained)))


@torch.no_grad()
def validation_bound(
    model: LatentModel, x: Float[Tensor, "V *event"], *, batch_size: int, pathwise: bool, seed: int
) -> tuple[float, float]:
    """Distortion and rate in nats per datum, in evaluation mode and with the same draws for the same seed.

    Args:
        model: Its mode is left as it was.
        x: The data, as the model sees it.
        batch_size: Data at a time.
        pathwise: Whether z is drawn reparameterized.
        seed: Of the draws; torch's generators are left as they were.
    """
    training = model.training
    model.eval()
    sums = torch.zeros(2, device=x.device, dtype=torch.float64)
    with randomness(x.device, seed):
        for batch in x.split(batch_size):
            value = ELBO()(model.trace(batch, pathwise=pathwise), torch.ones((), device=x.device))
            sums += len(batch) * torch.stack((value.distortion, value.rate))
    model.train(training)
    distortion, rate = (sums / len(x)).tolist()
    return distortion, rate

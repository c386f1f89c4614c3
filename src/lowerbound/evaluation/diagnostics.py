"""Whether a model uses its latent variables, and which.

References:
    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, 2015, section 5 (active units).
    Bowman et al., Generating sentences from a continuous space, 2016 (the decoder that ignores z).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lowerbound.evaluation.batches import Data, for_each_batch
from lowerbound.models import Latent, LatentModel, Trace

# Burda et al. 2015: a unit is active if the variance of its posterior mean over the data is larger than this.
_ACTIVE = 0.01
# Nats of which nobody would notice that they are gone.
_NOTHING = 0.05


class Diagnostics(NamedTuple):
    """How a model uses its latent variables on some data."""

    active: Bool[Tensor, "D"]
    """Whether the code of each latent dimension varies with the data."""
    kl_per_dimension: Float[Tensor, "G"]
    """Mean KL of each latent dimension in nats; where a group's dimensions depend on one another, of the group."""
    sensitivity: float
    """Mean change of log p(x | z) in nats, from one draw of z from the prior to another."""

    @property
    def collapse(self) -> str | None:
        """What is wrong with the use of the latent variables, and what to try, in one sentence; None: nothing."""
        rate, dimensions = self.kl_per_dimension.sum().item(), len(self.active)
        active = int(self.active.sum())
        try_this = "try objective.kl_warmup or objective.free_bits, or a longer training."
        if self.sensitivity < _NOTHING:
            return f"The decoder ignores z: p(x | z) is the same for every draw from the prior; {try_this}"
        if rate < _NOTHING:
            return f"The posterior equals the prior (rate {rate:.3f} nats), so that z says nothing of x; {try_this}"
        if active == 0:
            return f"None of the {dimensions} latent dimensions is active: every datum has the same code; {try_this}"
        if active <= dimensions / 10:
            return f"Only {active} of {dimensions} latent dimensions are active: a smaller model.latent_dim would do."
        return None


def diagnostics(
    model: LatentModel,
    x: Float[Tensor, "N *event"],
    *,
    seed: int = 0,
    context: Float[Tensor, "N C"] | None = None,
    mask: Bool[Tensor, "N *event"] | None = None,
) -> Diagnostics:
    """Look for unused latent variables.

    Args:
        model: In any mode; its mode and the caller's random numbers are left as they were.
        x: The data, as the model sees it, on the model's device; a few hundred are enough.
        seed: Of the draws.
        context: A covariate of each datum.
        mask: True where x was observed.

    Raises:
        ValueError: Fewer than two data: nothing varies over one.
    """
    if len(x) < 2:
        raise ValueError(f"Diagnostics look at how codes vary over data: at least 2 are needed, not {len(x)}.")

    data = Data(x, context, mask)

    def codes(batch: Data, _: Iterator[Trace]) -> Float[Tensor, "B D"]:
        return model.embed(batch.x, context=batch.context).flatten(1).double()

    def change_and_kl(batch: Data, traces: Iterator[Trace]) -> Float[Tensor, "B S"]:
        (trace,) = traces
        one, other = (_likelihood_of_a_draw(model, trace, batch.context) for _ in range(2))
        return torch.cat([(one - other).abs(), *(_kl(latent) for latent in trace.latents)], -1).double()

    spread = for_each_batch(model, data, 1, codes, seed=seed).var(0)
    change, *kl = for_each_batch(model, data, 1, change_and_kl, seed=seed).mean(0)
    return Diagnostics(spread > _ACTIVE, torch.stack(kl), change.item())


def _likelihood_of_a_draw(model: LatentModel, trace: Trace, context: Tensor | None) -> Float[Tensor, "B 1"]:
    """log p(x | z) for z from the prior."""
    count = len(trace.x)
    generated = model.generate(count, context=context).expand(torch.Size((1, count)))
    return trace._replace(likelihood=generated).log_likelihood().T


def _kl(latent: Latent) -> Float[Tensor, "B G"]:
    """KL of each dimension of one draw for each datum, or of the group where there is no such thing."""
    try:
        each = latent.kl_per_dimension()
    except (ValueError, NotImplementedError):  # dependent dimensions, or no closed form
        return latent.kl().T
    return each.reshape(latent.z.shape[1], -1)

"""A discrete posterior without a spread: the nearest codes of a codebook, which follows the features.

    N_c ← γ N_c + (1 − γ) n_c,   m_c ← m_c + (1 − γ) (Σ e − n_c m_c) / N_c

where n_c of a batch's features e chose code c. So m_c is a moving average of the features that chose it, and N_c one of
their number.

References:
    van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, 2017, appendix A.1.
    Dhariwal et al., Jukebox: a generative model for music, 2020, section 3.1 (codes that nothing chooses).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lowerbound.distributions import NearestCode
from lowerbound.priors.checks import check_at_least_one, groups_of

# A code that is chosen less often than this, relative to the mean over the codes, is put elsewhere.
_DEAD = 0.1


class Codebook(nn.Module):
    """C codes of d numbers. They are a state and no parameters: no gradient moves them, `update` does.

    Args:
        categories: C.
        code_dim: d.
        decay: γ, per update.

    Raises:
        ValueError: A size below one, or a decay that is not from 0 to below 1.
    """

    codes: Float[Tensor, "C d"]
    counts: Float[Tensor, "C"]

    def __init__(self, categories: int, code_dim: int, decay: float) -> None:
        super().__init__()
        check_at_least_one(categories=categories, code_dim=code_dim)
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, it is {decay}.")
        self.decay = decay
        self.register_buffer("codes", torch.randn(categories, code_dim))
        self.register_buffer("counts", torch.zeros(categories))

    def forward(self, z: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch G d"]:
        """The code of each group, from the G · C entries that choose."""
        with torch.autocast(z.device.type, enabled=False):  # a code is not to be rounded
            return z.unflatten(-1, (-1, len(self.codes))) @ self.codes

    @torch.no_grad()
    def update(self, features: Float[Tensor, "N d"], which: Int[Tensor, "N"]) -> None:
        """Follow the features of a batch.

        A code that next to nothing chooses takes the place of one of them, drawn at random. Since nothing has chosen
        any code before the first update, that is where all of them begin. Features that are not finite change nothing.

        Args:
            features: Of all data and groups.
            which: The code that each chose.
        """
        count, size = len(features), len(self.codes)
        with torch.autocast(features.device.type, enabled=False):
            chosen = one_hot(which, size).to(features.dtype)
            hits, rate = chosen.sum(0), 1 - self.decay
            counts = self.counts.lerp(hits, rate)
            step = (chosen.mT @ features - hits.unsqueeze(1) * self.codes) * rate
            codes = self.codes + step / counts.clamp(min=torch.finfo(counts.dtype).tiny).unsqueeze(1)
            dead = self.counts < _DEAD * count / size
            # With fewer features than codes some are taken several times.
            drawn = features[torch.randperm(count, device=features.device)[torch.arange(size) % count]]
            codes, counts = torch.where(dead.unsqueeze(1), drawn, codes), torch.where(dead, count / size, counts)
            finite = features.isfinite().all()
            self.codes.copy_(torch.where(finite, codes, self.codes))
            self.counts.copy_(torch.where(finite, counts, self.counts))


class VectorQuantized(nn.Module):
    """q(z | x) is certain of the codes that are nearest to the features: `models.VQVAE` is the model that learns it.

    Args:
        latent_dim: Dimension of z, a multiple of `categories`.
        categories: Codes in the codebook, of which each group chooses one; None: all of z is one group.
        code_dim: Numbers in a code, and features of each group.
        decay: Of the moving averages that the codebook is made of, per step.

    Raises:
        ValueError: Fewer than two categories, no multiple of them, no numbers in a code, or a decay out of range.
    """

    space = "one-hot"
    spreads = False

    def __init__(self, latent_dim: int, categories: int | None = None, code_dim: int = 16, decay: float = 0.99) -> None:
        super().__init__()
        self.groups = groups_of(latent_dim, categories)
        self.codebook = Codebook(self.groups[1], code_dim, decay)
        self.code_shape = (self.groups[0], code_dim)
        self.parameter_shape = self.code_shape

    def forward(self, parameters: Float[Tensor, "*batch G d"]) -> NearestCode:
        """The posterior, event shape [latent_dim]."""
        with torch.autocast(parameters.device.type, enabled=False):
            return NearestCode(parameters, self.codebook.codes)

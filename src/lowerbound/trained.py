"""A trained model over data in its own units: codes, reconstructions, samples, scores, figures.

The model sees x; what lies in a file is prepared on the way in and restored on the way out, a few thousand rows at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.data import Preparation
from lowerbound.evaluation import Evaluation, evaluate, importance_sampling
from lowerbound.models import VAE

if TYPE_CHECKING:
    from lowerbound.likelihoods import Likelihood
    from lowerbound.nn import Conditional

# Rows that are prepared and run together.
_CHUNK = 4096


class Scores(NamedTuple):
    """The likelihood of each row."""

    log_likelihood: Float[np.ndarray, " N"]
    """log p(x) in nats, importance-sampled; for a density in the data's own units."""
    effective_sample_size: Float[np.ndarray, " N"]
    """How many of the importance samples carry the estimate, between 1 and K."""


class Trained:
    """A model with the preparation of its data.

    Args:
        model: On any device; it is put into evaluation mode.
        preparation: Of its data.
        shape: Of one stored datum.
    """

    def __init__(self, model: VAE, preparation: Preparation, shape: tuple[int, ...]) -> None:
        self.model = model.eval()
        self.preparation = preparation.to(self.device)
        self.shape = shape

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def log_volume(self) -> float:
        """Nats to add to log p(x) for a density in the data's own units; 0 for a probability."""
        return self.preparation.log_volume(self.event_shape) if self.likelihood.continuous else 0.0

    @property
    def likelihood(self) -> Likelihood:
        """The family of p(x | z)."""
        return cast("Conditional", self.model.decoder).head  # pyright: ignore[reportReturnType]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one datum as the model sees it."""
        return self.preparation.event_shape(self.shape)

    def observe(self, stored: Shaped[np.ndarray, "N *stored"], seed: int) -> Float[Tensor, "N *event"]:
        """What the model sees; where the preparation draws, drawn once with a seed."""
        return torch.cat([self.preparation.frozen(rows, seed + i) for i, rows in enumerate(self._chunks(stored))])

    @torch.inference_mode()
    def encode(self, stored: Shaped[np.ndarray, "N *stored"]) -> Float[np.ndarray, "N D"]:
        """The code of each datum: the mean of q(z | x) at the expectation of x, which is deterministic."""
        codes = [self.model.embed(self.preparation.expected(rows)).flatten(1) for rows in self._chunks(stored)]
        return torch.cat(codes).cpu().numpy()

    @torch.inference_mode()
    def decode(self, codes: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N *stored"]:
        """The mean of p(x | z) at each code, in the data's units."""
        means = [self._restored(self.model.decode(z.float()), mean=True) for z in self._chunks(codes)]
        return np.concatenate(means)

    @torch.inference_mode()
    def reconstruct(self, stored: Shaped[np.ndarray, "N *stored"]) -> Float[np.ndarray, "N *stored"]:
        """The mean of p(x | z) at the code of each datum, in the data's units."""
        x = (self.preparation.expected(rows) for rows in self._chunks(stored))
        return np.concatenate([self._restored(self.model.reconstruct(rows), mean=True) for rows in x])

    @torch.inference_mode()
    def sample(
        self, n: int, *, mean: bool = False, temperature: float = 1.0, seed: int = 0
    ) -> Float[np.ndarray, "n *stored"]:
        """Draws from p(x), in the data's units; the caller's random numbers are left as they were.

        Args:
            n: How many.
            mean: The mean of p(x | z) for each z from the prior, instead of a draw from it.
            temperature: Scale of the prior's spread around its mean; 1 is the model's own.
            seed: Of the draws.
        """
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            sizes = [min(_CHUNK, n - start) for start in range(0, n, _CHUNK)]
            drawn = [self._restored(self.model.generate(k, temperature=temperature), mean=mean) for k in sizes]
        return np.concatenate(drawn)

    def score(
        self,
        stored: Shaped[np.ndarray, "N *stored"],
        particles: int,
        *,
        seed: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> Scores:
        """Estimate log p(x) of each datum by importance sampling (see `evaluation.importance_sampling`).

        Args:
            stored: The data.
            particles: Importance samples for each datum, K.
            seed: Of every draw.
            on_progress: Called now and then with the share that is done.
        """
        x = self.observe(stored, seed)
        estimate = importance_sampling(self.model, x, particles, seed=seed, on_progress=on_progress)
        log_likelihood = (estimate.log_likelihood + self.log_volume).cpu().numpy()
        return Scores(log_likelihood, estimate.effective_sample_size.cpu().numpy())

    def evaluate(
        self,
        stored: Shaped[np.ndarray, "N *stored"],
        particles: int,
        *,
        what: str,
        examples: int | None = None,
        data_seed: int = 0,
        seed: int = 0,
        training_bound: float | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Evaluation:
        """Every figure on some data (see `evaluation.evaluate`).

        Args:
            stored: The data.
            particles: Importance samples for each datum, K.
            what: What the data is, for the protocol: "test rows of mnist".
            examples: How many data to importance-sample, the first ones; None: all.
            data_seed: Of the binarisation, where there is one.
            seed: Of every other draw.
            training_bound: −ELBO of the training data as the objective reports it.
            on_progress: Called now and then with the share of the importance sampling that is done.
        """
        x = self.observe(stored, data_seed)
        drawn = self.preparation.name == "binarise" and getattr(self.preparation, "maximum", 1) != 1
        discrete_levels = self.preparation.name == "rescale" and self.log_volume == 0.0
        return evaluate(
            self.model,
            x,
            particles,
            examples=examples,
            seed=seed,
            log_volume=self.log_volume,
            dimensions=x[0].numel() if discrete_levels else None,
            training_bound=training_bound,
            data=f"the {len(x):,} {what}{f', binarised once with seed {data_seed}' if drawn else ''}",
            on_progress=on_progress,
        )

    def _chunks(self, stored: Shaped[np.ndarray, "N *stored"]) -> Iterator[Shaped[Tensor, "n *stored"]]:
        for start in range(0, len(stored), _CHUNK):
            yield torch.from_numpy(stored[start : start + _CHUNK]).to(self.device)

    def _restored(self, distribution: Distribution, *, mean: bool) -> np.ndarray:
        x = distribution.mean if mean else distribution.sample()
        return self.preparation.restore(x).float().cpu().numpy()

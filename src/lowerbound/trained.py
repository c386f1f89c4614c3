"""A trained model over data in its own units: codes, reconstructions, samples, scores, figures.

The model sees x; what lies in a file is prepared on the way in and restored on the way out, a few thousand rows at a
time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.data import Preparation
from lowerbound.data.rows import Values, part
from lowerbound.errors import UserError
from lowerbound.evaluation import DistortionAlone, Evaluation, evaluate, importance_sampling
from lowerbound.models import DRAW, LatentModel
from lowerbound.models.context import label_context
from lowerbound.nn.attention import Window
from lowerbound.priors import ExPostMixture
from lowerbound.training.device import randomness

if TYPE_CHECKING:
    from lowerbound.likelihoods import Likelihood
    from lowerbound.models.draw import Painting

# Rows that are prepared and run together, and how many numbers the canvases may have that are painted together.
_CHUNK, _CANVASES = 4096, 2**25
# Rows that are run together where the data is larger than memory, and the bytes of x that are scored together.
_CHUNK_OF_FILE, _SCORED = 512, 2**26


class Scores(NamedTuple):
    """The likelihood of each row."""

    log_likelihood: Float[np.ndarray, " N"]
    """log p(x) in nats, importance-sampled; for a density in the data's own units."""
    effective_sample_size: Float[np.ndarray, " N"]
    """How many of the importance samples carry the estimate, between 1 and K."""


class Painted(NamedTuple):
    """How N data came to be in T steps."""

    canvases: Float[np.ndarray, "N T *stored"]
    """The mean of p(x | canvas) after each step, in the data's units."""
    read: Window | None
    """Where each step read, [N, T]; None without a window, or where there was nothing to read."""
    write: Window | None
    """Where each step wrote, [N, T]; None without a window."""


class Trained:
    """A model with the preparation of its data.

    Some models are told the label of each datum. Where they are given data, they are given `labels` too: without them,
    or with one that it does not know, such a model raises a UserError. Others do not look at them.

    Args:
        model: On any device; it is put into evaluation mode.
        preparation: Of its data.
        shape: Of one stored datum.
    """

    def __init__(self, model: LatentModel, preparation: Preparation, shape: tuple[int, ...]) -> None:
        self.model = model.eval()
        self.preparation = preparation.to(self.device)
        self.shape = shape

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def classes(self) -> int:
        """How many labels the model knows; 0: it is told none."""
        return self.model.context_dim

    @property
    def log_volume(self) -> float:
        """Nats to add to log p(x) for a density in the data's own units; 0 for a probability."""
        return self.preparation.log_volume(self.event_shape) if self.likelihood.continuous else 0.0

    @property
    def likelihood(self) -> Likelihood:
        """The family of p(x | z)."""
        return self.model.likelihood

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one datum as the model sees it."""
        return self.preparation.event_shape(self.shape)

    def observe(self, stored: Values, seed: int) -> Float[Tensor, "N *event"]:
        """What the model sees; where the preparation draws, drawn once with a seed."""
        return torch.cat([self.preparation.frozen(rows, seed + i) for i, rows in enumerate(self._chunks(stored))])

    @torch.no_grad()
    def complete(self, stored: Values, seed: int, labels: Int[np.ndarray, " N"] | None = None) -> None:
        """Fit what is fitted after a training, a prior of that kind, to one draw of z for each datum.

        Args:
            stored: The data of the training.
            seed: Of every draw.
            labels: Of each datum.
        """
        prior = getattr(self.model, "prior", None)
        if isinstance(prior, ExPostMixture):
            with randomness(self.device, seed):
                size = self._at_once(stored)
                pieces = zip(self._chunks(stored, size), self._contexts(labels, len(stored), size), strict=True)
                codes = [self._draw(self.preparation(rows), context) for rows, context in pieces]
            prior.fit(torch.cat(codes).cpu().numpy(), seed)

    def _draw(self, x: Tensor, context: Tensor | None) -> Float[Tensor, "n D"]:
        return self.model.trace(x, pathwise=False, context=context).latents[0].z[0]

    def encode(self, stored: Values, labels: Int[np.ndarray, " N"] | None = None) -> Float[np.ndarray, "N D"]:
        """The code of each datum: the mean of q(z | x) at the expectation of x, which is deterministic."""
        return np.concatenate(list(self.codes(stored, labels)))

    @torch.inference_mode()
    def codes(self, stored: Values, labels: Int[np.ndarray, " N"] | None = None) -> Iterator[Float[np.ndarray, "n D"]]:
        """What `encode` gives, some rows at a time."""
        for x, context in self._expected(stored, labels):
            yield self.model.embed(x, context=context).flatten(1).cpu().numpy()

    @torch.inference_mode()
    def decode(
        self, codes: Float[np.ndarray, "N D"], labels: Int[np.ndarray, " N"] | None = None
    ) -> Float[np.ndarray, "N *stored"]:
        """The mean of p(x | z) at each code, in the data's units."""
        size = self._at_once(codes)
        parts = zip(self._chunks(codes, size), self._contexts(labels, len(codes), size), strict=True)
        means = [self._restored(self.model.decode(z.float(), context=c), mean=True) for z, c in parts]
        return np.concatenate(means)

    def reconstruct(
        self, stored: Values, labels: Int[np.ndarray, " N"] | None = None
    ) -> Float[np.ndarray, "N *stored"]:
        """The mean of p(x | z) at the code of each datum, in the data's units."""
        return np.concatenate(list(self.reconstructions(stored, labels)))

    @torch.inference_mode()
    def reconstructions(
        self, stored: Values, labels: Int[np.ndarray, " N"] | None = None
    ) -> Iterator[Float[np.ndarray, "n *stored"]]:
        """What `reconstruct` gives, some rows at a time."""
        for x, context in self._expected(stored, labels):
            yield self._restored(self.model.reconstruct(x, context=context), mean=True)

    @torch.inference_mode()
    def sample(
        self,
        n: int,
        *,
        mean: bool = False,
        temperature: float = 1.0,
        stop_after: int | None = None,
        label: int | None = None,
        seed: int = 0,
    ) -> Float[np.ndarray, "n *stored"]:
        """Draws from p(x), in the data's units; the caller's random numbers are left as they were.

        Args:
            n: How many.
            mean: The mean of p(x | z) for each z from the prior, instead of a draw from it.
            temperature: Scale of the prior's spread around its mean; 1 is the model's own.
            stop_after: For a model that paints in steps, how many to take; None: all of them.
            label: For a model that is told labels, the one of every draw; None: all of them in turn.
            seed: Of the draws.

        Raises:
            UserError: A label or a number of steps that there is not.
        """
        generate = self.model.generate if stop_after is None else partial(self._painter().generate, steps=stop_after)
        drawn = []
        with randomness(self.device, seed):
            for k, context in self._drawing(n, label):
                drawn.append(self._restored(generate(k, temperature=temperature, context=context), mean=mean))
        return np.concatenate(drawn)

    @torch.inference_mode()
    def paint(
        self,
        n: int,
        *,
        temperature: float = 1.0,
        stop_after: int | None = None,
        label: int | None = None,
        seed: int = 0,
    ) -> Painted:
        """How the means come to be that `sample` gives for the same arguments, where the model paints in steps.

        Raises:
            UserError: It does not, or a label or a number of steps that there is not.
        """
        painter = self._painter()
        painted = []
        with randomness(self.device, seed):
            for k, context in self._drawing(n, label):
                painting = painter.paint(k, temperature=temperature, steps=stop_after, context=context)
                painted.append(self._painted(painting))
        return _joined(painted)

    @torch.inference_mode()
    def repaint(self, stored: Values, labels: Int[np.ndarray, " N"] | None = None) -> Painted:
        """How the reconstructions come to be that `reconstruct` gives, where the model paints in steps.

        Raises:
            UserError: It does not.
        """
        painter = self._painter()
        parts = self._expected(stored, labels)
        return _joined([self._painted(painter.repaint(x, context=context)) for x, context in parts])

    def score(
        self,
        stored: Values,
        particles: int,
        labels: Int[np.ndarray, " N"] | None = None,
        *,
        seed: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> Scores:
        """Estimate log p(x) of each datum by importance sampling (see `evaluation.importance_sampling`).

        Of data in a file as many rows are drawn for together as fit into memory, and each such block has a seed of its
        own.

        Args:
            stored: The data.
            particles: Importance samples for each datum, K.
            labels: Of each datum.
            seed: Of every draw.
            on_progress: Called now and then with the share that is done.
        """
        context, count, parts = self.context(labels), len(stored), []
        chunks = max(1, _SCORED // (4 * _CHUNK * math.prod(self.event_shape)))
        size = count if isinstance(stored, np.ndarray) else chunks * _CHUNK
        for number, start in enumerate(range(0, count, size)):
            rows = slice(start, min(start + size, count))

            def progress(share: float, rows: slice = rows) -> None:
                if on_progress is not None:
                    on_progress((rows.start + share * (rows.stop - rows.start)) / count)

            estimate = importance_sampling(
                self.model,
                self.observe(part(stored, rows), seed + number * chunks),
                particles,
                seed=seed + number,
                context=None if context is None else context[rows],
                on_progress=progress,
            )
            log_likelihood = (estimate.log_likelihood + self.log_volume).cpu().numpy()
            parts.append((log_likelihood, estimate.effective_sample_size.cpu().numpy()))
        return Scores(*map(np.concatenate, zip(*parts, strict=True)))

    def evaluate(
        self,
        stored: Values,
        particles: int,
        labels: Int[np.ndarray, " N"] | None = None,
        *,
        what: str,
        examples: int | None = None,
        data_seed: int = 0,
        seed: int = 0,
        training_bound: float | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Evaluation | DistortionAlone:
        """Every figure on some data (see `evaluation.evaluate`).

        Args:
            stored: The data.
            particles: Importance samples for each datum, K.
            labels: Of each datum.
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
            context=self.context(labels),
            log_volume=self.log_volume,
            dimensions=x[0].numel() if discrete_levels else None,
            training_bound=training_bound,
            data=f"the {len(x):,} {what}{f', binarised once with seed {data_seed}' if drawn else ''}",
            on_progress=on_progress,
        )

    def context(self, labels: Int[np.ndarray, " n"] | None) -> Float[Tensor, "n C"] | None:
        """What the model is told of data with these labels; None where it is told nothing.

        Raises:
            UserError: It is told labels, and there are none or one that it does not know.
        """
        if not self.classes:
            return None
        if labels is None:
            raise UserError(
                "The model is told the label of each datum, and these data have none: give data with labels, such as "
                "a .npz with an array of them or a folder with a sub-folder for each class."
            )
        return label_context(torch.from_numpy(labels).to(self.device), self.classes)

    def _contexts(self, labels: np.ndarray | None, n: int, size: int) -> Iterator[Tensor | None]:
        whole = self.context(labels)
        for start in range(0, n, size):
            yield None if whole is None else whole[start : start + size]

    def _drawing(self, n: int, label: int | None) -> Iterator[tuple[int, Tensor | None]]:
        """How many to draw together, and what the model is told of them."""
        if label is not None and not self.classes:
            raise UserError(f"The model was trained without labels: leave the label {label} out.")
        labels = np.arange(n) % max(self.classes, 1) if label is None else np.full(n, label)
        size = self._at_once(labels)
        for start, context in zip(range(0, n, size), self._contexts(labels, n, size), strict=True):
            yield min(size, n - start), context

    def _chunks(self, stored: Values, size: int = _CHUNK) -> Iterator[Shaped[Tensor, "n *stored"]]:
        for start in range(0, len(stored), size):
            yield torch.from_numpy(stored[start : start + size]).to(self.device)

    def _expected(self, stored: Values, labels: np.ndarray | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """The expectation of x, and what the model is told."""
        size = self._at_once(stored)
        pieces = zip(self._chunks(stored, size), self._contexts(labels, len(stored), size), strict=True)
        for rows, context in pieces:
            yield self.preparation.expected(rows), context

    def _at_once(self, rows: Values) -> int:
        """How many rows to run together."""
        most = _CHUNK if isinstance(rows, np.ndarray) else _CHUNK_OF_FILE
        if not isinstance(self.model, DRAW):
            return most
        return min(most, max(1, _CANVASES // (self.model.most_steps * math.prod(self.likelihood.parameter_shape))))

    def _restored(self, distribution: Distribution, *, mean: bool) -> np.ndarray:
        x = distribution.mean if mean else distribution.sample()
        return self.preparation.restore(x).float().cpu().numpy()

    def _painter(self) -> DRAW:
        if isinstance(self.model, DRAW):
            return self.model
        raise UserError("Only a model of the family draw paints in steps, and this one is of another: leave them out.")

    def _painted(self, painting: Painting) -> Painted:
        canvases = [self._restored(self.likelihood(canvas), mean=True) for canvas in painting.canvas]
        windows = (window and Window(*(value.T.cpu() for value in window)) for window in painting[1:])
        return Painted(np.stack(canvases, 1), *windows)


def _joined(parts: list[Painted]) -> Painted:
    """Paintings of some rows, and of the next."""
    windows = (
        None if each[0] is None else Window(*map(torch.cat, zip(*each, strict=True)))
        for each in zip(*(part[1:] for part in parts), strict=True)
    )
    return Painted(np.concatenate([part.canvases for part in parts]), *windows)

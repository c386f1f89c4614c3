"""What a visitor may ask of the model.

The model runs on one thread of its own, so that its random numbers are nobody else's and the server goes on listening.
Codes that wait to be decoded while it is busy are decoded together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.distributions import Distribution

from lowerbound.errors import UserError
from lowerbound.explorer.atlas import Atlas
from lowerbound.explorer.painting import follow, shown
from lowerbound.models import Trace
from lowerbound.training.device import randomness

T = TypeVar("T")

# Importance samples for a score (fewer where each is a loop of many steps), and data that it is compared with.
_PARTICLES, _PARTICLES_RECURRENT, _COMPARED = 64, 8, 256
# Data that are scored in one go: short ones, for whoever drags waits for their end.
_AT_ONCE = 8
# Requests whose codes are decoded in one go.
_ORDERS = 64
_BINS = 24


class Subject(NamedTuple):
    """What a question is about: a datum of the visitor's, or one of the atlas."""

    stored: np.ndarray
    """[1, *stored]."""
    labels: Int[np.ndarray, " 1"] | None
    """What the model is told of it, if it is told anything."""
    note: str = ""
    """What was done to it on the way, in one sentence; empty: nothing."""


class _Order(NamedTuple):
    """Codes that wait to be decoded."""

    codes: Float[np.ndarray, "N D"]
    label: int
    future: asyncio.Future[list[Any]]

    def fail(self, error: Exception) -> None:
        """Let the error be raised where the answer is awaited; whoever asked may have gone."""
        if not self.future.done():
            self.future.set_exception(error)


class Desk:
    """A model that answers.

    Args:
        atlas: The model and its data.
    """

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self._thread = ThreadPoolExecutor(1, "model")
        self._waiting: list[_Order] = []
        self._decoding: asyncio.Task[None] | None = None
        self._comparing: asyncio.Task[np.ndarray] | None = None

    def open(self) -> None:
        """Begin to score the data that scores are compared with."""
        self._comparing = asyncio.create_task(self._compare())

    async def close(self) -> None:
        """Stop."""
        for task in (self._comparing, self._decoding):
            if task is not None:
                task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def check(self, codes: list[list[float]]) -> Float[np.ndarray, "N D"]:
        """Codes from outside.

        Raises:
            UserError: Of another length than the model's, or beyond what float32 holds.
        """
        for code in codes:
            if len(code) != self.atlas.size:
                raise UserError(f"A code of this model has {self.atlas.size:,} numbers, and {len(code):,} were given.")
        with np.errstate(over="ignore"):
            array = np.asarray(codes, np.float32)
        if not np.isfinite(array).all():
            raise UserError("A code must hold finite numbers of the size that float32 has.")
        return self.atlas.place.nearest(array)

    def told(self, label: int | None) -> Int[np.ndarray, " 1"] | None:
        """A label from outside, as the model is told it; None: it is told none. The first where there is none given.

        Raises:
            UserError: A label that the model does not know.
        """
        classes = self.atlas.trained.classes
        if not classes:
            return None
        if label is not None and not 0 <= label < classes:
            raise UserError(f"There is no label {label}: the model knows those from 0 to {classes - 1}.")
        return np.array([label or 0])

    async def decode(self, codes: Float[np.ndarray, "N D"], label: int | None = None) -> list[Any]:
        """The mean of p(x | z) at each code, as the display shows it.

        Args:
            codes: The codes.
            label: What the model is told, if it is told labels.

        Raises:
            UserError: A label that it does not know, or an answer that is not finite.
        """
        told = self.told(label)
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Order(codes, 0 if told is None else int(told[0]), future))
        if self._decoding is None or self._decoding.done():
            self._decoding = asyncio.create_task(self._decode_all())
        return await future

    async def _decode_all(self) -> None:
        """Decode what waits, and what comes in the meantime."""
        while self._waiting:
            orders, self._waiting = self._waiting[:_ORDERS], self._waiting[_ORDERS:]
            sizes = [len(order.codes) for order in orders]
            codes = np.concatenate([order.codes for order in orders])
            labels = np.repeat([order.label for order in orders], sizes)
            try:
                values = await self._on_thread(partial(self.atlas.trained.decode, codes, labels))
            except Exception as error:
                for order in orders:
                    order.fail(error)
                continue
            for order, answer in zip(orders, np.split(values, np.cumsum(sizes)[:-1]), strict=True):
                try:
                    shown = self.atlas.display.show(answer)
                except UserError as error:
                    order.fail(error)
                else:
                    if not order.future.done():
                        order.future.set_result(shown)

    async def read(self, subject: Subject) -> dict[str, Any]:
        """A datum's posterior and its reconstruction."""
        return await self._on_thread(lambda: self._read(subject))

    def _read(self, subject: Subject) -> dict[str, Any]:
        trained, display = self.atlas.trained, self.atlas.display
        code = trained.encode(subject.stored, subject.labels)
        spread, rate = self._posterior(subject)
        return {
            "note": subject.note,
            "picture": display.show(subject.stored.astype(np.float32))[0],
            "code": code[0].tolist(),
            "spread": spread,
            "rate": rate,
            "reconstruction": display.show(trained.decode(code, subject.labels))[0],
        }

    @torch.no_grad()
    def _posterior(self, subject: Subject) -> tuple[list[float] | None, float | None]:
        """Standard deviations of q(z | x) where they are known, and KL(q ‖ p) in nats where it is finite."""
        trace = self._trace(subject.stored, subject.labels)
        rate = trace.kl().mean().item() if trace.has_bound else None
        spread = _standard_deviations(trace.latents[0].posterior)
        if spread is not None and (len(spread) != self.atlas.size or not np.isfinite(spread).all() or not spread.any()):
            spread = None
        return None if spread is None else spread.tolist(), rate if rate is None or np.isfinite(rate) else None

    async def score(self, subject: Subject) -> dict[str, Any]:
        """The log-likelihood of a datum, and where it lies among those of the data."""
        assert self._comparing is not None, "the desk is not open"
        reference = await asyncio.shield(self._comparing)
        value = float((await self._on_thread(lambda: self._scores(subject.stored, subject.labels)))[0])
        if not np.isfinite(value):
            raise UserError("The log-likelihood of this datum is not finite: it is unlike all that the model knows.")
        # The bulk alone, lest one outlier leave all others in one bin.
        low, high = np.quantile(reference, [0.005, 1.0])
        counts, edges = np.histogram(np.maximum(reference, low), _BINS, (low, high if high > low else low + 1))
        return {
            "score": value,
            "what": "log p(x)" if self.atlas.bounded else "log p(x | z) at its code",
            "particles": self._particles if self.atlas.bounded else None,
            "below": float((reference <= value).mean()),
            "compared": len(reference),
            "mean": float(reference.mean()),
            "edges": edges.tolist(),
            "counts": counts.tolist(),
        }

    async def _compare(self) -> np.ndarray:
        found = []
        stored, labels = self.atlas.stored, self.atlas.labels
        chosen = np.random.default_rng(1).permutation(len(stored))[:_COMPARED]
        for start in range(0, len(chosen), _AT_ONCE):
            rows = chosen[start : start + _AT_ONCE]
            told = None if labels is None else labels[rows]
            found.append(await self._on_thread(partial(self._scores, stored[rows], told)))
        together = np.concatenate(found)
        return together[np.isfinite(together)]

    @property
    def _particles(self) -> int:
        return _PARTICLES_RECURRENT if self.atlas.trained.model.recurrent else _PARTICLES

    @torch.no_grad()
    def _scores(self, stored: np.ndarray, labels: np.ndarray | None) -> Float[np.ndarray, " N"]:
        """log p(x) of each datum, or log p(x | z) at its code where there is no bound."""
        trained = self.atlas.trained
        if self.atlas.bounded:
            return trained.score(stored, self._particles, labels).log_likelihood
        return self._trace(stored, labels).log_likelihood()[0].double().cpu().numpy() + trained.log_volume

    def _trace(self, stored: np.ndarray, labels: np.ndarray | None) -> Trace:
        trained = self.atlas.trained
        return trained.model.trace(trained.observe(stored, 0), pathwise=False, context=trained.context(labels))

    async def paint(self, code: Float[np.ndarray, "1 D"], label: int | None) -> dict[str, Any]:
        """The steps in which a DRAW paints a code.

        Raises:
            UserError: The model paints all at once.
        """
        told = self.told(label)
        return await self._on_thread(lambda: follow(self.atlas.trained, self.atlas.display, code, told))

    async def repaint(self, subject: Subject) -> dict[str, Any]:
        """The steps in which a DRAW paints the reconstruction of a datum.

        Raises:
            UserError: The model paints all at once.
        """
        trained, display = self.atlas.trained, self.atlas.display
        return await self._on_thread(lambda: shown(display, trained, trained.repaint(subject.stored, subject.labels)))

    async def draw(self, seed: int) -> list[float]:
        """A code from the prior."""
        return (await self._on_thread(lambda: self.atlas.draw(seed))).tolist()

    def datum(self, number: int) -> Subject:
        """A datum of the atlas.

        Raises:
            UserError: There is none of that number.
        """
        if not 0 <= number < len(self.atlas.stored):
            raise UserError(f"There is no datum {number}: the map has those from 0 to {len(self.atlas.stored) - 1:,}.")
        labels = self.atlas.labels
        return Subject(self.atlas.stored[number : number + 1], None if labels is None else labels[number : number + 1])

    async def _on_thread(self, work: Callable[[], T]) -> T:
        def seeded() -> T:
            with randomness(self.atlas.trained.device, seed=0):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, seeded)


def _standard_deviations(posterior: Distribution) -> Float[np.ndarray, " D"] | None:
    try:
        return posterior.stddev.reshape(-1, *posterior.event_shape)[0].flatten().float().cpu().numpy()
    except (NotImplementedError, AttributeError):  # a flow knows no moments
        return None

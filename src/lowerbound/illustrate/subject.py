"""What the figures of a run are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.assemble import split_seed
from lowerbound.data import Dataset
from lowerbound.evaluation import diagnostics
from lowerbound.models import Trace
from lowerbound.run import Run
from lowerbound.trained import Trained
from lowerbound.training.device import randomness

# Data whose codes are looked at; of a recurrent model, which is slower by orders of magnitude, fewer.
_CODES, _CODES_OF_RECURRENT = 10_000, 500
# Rows that are run together.
_CHUNK = 1024


class Usage(NamedTuple):
    """How the latent variables are used."""

    active: np.ndarray
    """Whether the code of each dimension varies with the data, [D] (Burda et al. 2015)."""
    kl: np.ndarray | None
    """Mean KL of each dimension in nats, [D]; None where there is no such thing."""
    order: np.ndarray
    """The dimensions, those first that carry most: by their KL, or else by the variance of the code."""


class Subject:
    """What the figures of a run are drawn from; each thing is computed once, when a figure first needs it.

    Args:
        run: The run.
        trained: Its model.
        dataset: Its data.
        rows: Which of the data to show: those that it has not learned from.
    """

    def __init__(self, run: Run, trained: Trained, dataset: Dataset, rows: np.ndarray) -> None:
        self.run, self.trained, self.dataset, self.rows = run, trained, dataset, rows
        self.vectors = dataset.kind == "vector"
        head = getattr(getattr(trained.model, "encoder", None), "head", None)
        self.space: str = getattr(head, "space", "real")
        """Where codes live (see `posteriors`)."""
        self.categories: int | None = head.groups[1] if self.space in ("one-hot", "simplex") else None  # pyright: ignore
        """Where a code is choices, of how many each."""
        self.looks = {"columns": dataset.columns, "limits": run.source.limits}

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`."""
        return self.run.metrics()

    @cached_property
    def coded(self) -> np.ndarray:
        """The rows whose codes are looked at."""
        return self.rows[: _CODES_OF_RECURRENT if self.trained.model.recurrent else _CODES]

    def told(self, rows: np.ndarray) -> np.ndarray | None:
        """The labels of some rows, where the model is told labels."""
        return self.dataset.labels_of(rows) if self.trained.classes else None

    @cached_property
    def codes(self) -> np.ndarray:
        """Their codes, [N, D]."""
        return self.trained.encode(self.dataset.values[self.coded], self.told(self.coded))

    @cached_property
    def labels(self) -> np.ndarray | None:
        """Their labels, [N]."""
        return self.dataset.labels_of(self.coded)

    @cached_property
    def observed(self) -> Tensor:
        """Those rows as the evaluation sees them."""
        return self.trained.observe(self.dataset.values[self.coded], split_seed(self.run.config))

    @cached_property
    def context(self) -> Tensor | None:
        """What the model is told of them; None where it is told nothing."""
        return self.trained.context(self.told(self.coded))

    @cached_property
    def drawn(self) -> tuple[Distribution, np.ndarray]:
        """p(z), and a draw from the posterior of each of those rows, [N, D]; of several groups, those of the first."""
        model, pieces = self.trained.model, []
        with self._drawing():
            for start in range(0, len(self.observed), _CHUNK):
                some = slice(start, start + _CHUNK)
                context = None if self.context is None else self.context[some]
                latent = model.trace(self.observed[some], pathwise=False, context=context).latents[0]
                pieces.append(latent.z[0].flatten(1))
        return latent.prior, torch.cat(pieces).cpu().numpy()  # pyright: ignore[reportPossiblyUnboundVariable]

    @cached_property
    def usage(self) -> Usage:
        """How the latent variables are used, by the same draws as in an evaluation of these rows."""
        kl = None
        if self.first.has_bound:
            seed = self.run.config.seed
            found = diagnostics(self.trained.model, self.observed, seed=seed, context=self.context)
            active, each = found.active.cpu().numpy(), found.kl_per_dimension.cpu().numpy()
            # A group whose dimensions depend on one another has a KL as a whole.
            kl = each if each.shape == active.shape else None
        else:
            active = self.codes.var(0, ddof=1) > 0.01
        return Usage(active, kl, np.argsort(-(self.codes.var(0) if kl is None else kl), kind="stable"))

    @cached_property
    def first(self) -> Trace:
        """The model run on the first of those rows."""
        context = None if self.context is None else self.context[:1]
        with self._drawing():
            return self.trained.model.trace(self.observed[:1], pathwise=False, context=context)

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """No graph, and random numbers of the run's seed; the caller's are left as they were."""
        with torch.inference_mode(), randomness(self.trained.device, self.run.config.seed):
            yield

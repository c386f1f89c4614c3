"""What there is to see of a model: the codes of some data, planes through the latent space, and its dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped

from lowerbound.data import Dataset
from lowerbound.errors import UserError
from lowerbound.evaluation import Diagnostics, diagnostics
from lowerbound.evaluation.batches import Data, has_bound
from lowerbound.explorer.display import Display
from lowerbound.explorer.places import Place
from lowerbound.models import DRAW
from lowerbound.run import Run
from lowerbound.trained import Trained
from lowerbound.training.device import randomness

# Data on the map (fewer where each takes a loop of many steps), and how many of them tell how the dimensions are used.
_POINTS, _POINTS_RECURRENT, _LOOKED_AT = 2000, 500, 400
# Principal components that are offered, and draws from the prior that say how far a slider must reach.
_COMPONENTS, _DRAWS = 6, 500
# Share of the largest variance below which a dimension is idle, where there is no KL to tell by.
_IDLE = 1e-4


class Dimension(NamedTuple):
    """Something that a slider moves."""

    name: str
    use: float
    """KL(q ‖ p) in nats, or else the variance of the codes."""
    active: bool
    low: float
    high: float
    start: int
    """The entry of the code."""
    entries: int
    """1 for a number; for a choice, how many entries, one of which is 1."""


class Plane(NamedTuple):
    """A plane through the latent space, and the data in it."""

    names: tuple[str, str]
    directions: Float[np.ndarray, "2 D"]
    """Orthonormal; the second is zero where the latent space has one dimension."""
    centre: Float[np.ndarray, " D"]
    """What lies at the origin."""
    points: Float[np.ndarray, "N 2"]


@dataclass(frozen=True)
class Atlas:
    """A trained model and the codes of some data."""

    run: Run
    trained: Trained
    stored: Shaped[np.ndarray, "N *stored"]
    rows: Int[np.ndarray, " N"]
    """Where each datum stands in its data set, counted from 0."""
    labels: Int[np.ndarray, " N"] | None
    label_names: tuple[str, ...] | None
    codes: Float[np.ndarray, "N D"]
    place: Place
    display: Display
    dimensions: tuple[Dimension, ...]
    """By use, the most used first."""
    bounded: bool
    """Whether the model has a lower bound, which one with a deterministic encoder has not."""
    use: str
    """What the use of a dimension is measured in."""
    components: Float[np.ndarray, "P D"]
    """Principal components of the codes; none where there are at most two dimensions."""

    @property
    def size(self) -> int:
        """Entries of a code, D."""
        return self.codes.shape[1]

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of what an axis of a plane may be: components, and the dimensions by use."""
        components = tuple(f"PC {i + 1}" for i in range(len(self.components)))
        return components + tuple(one.name for one in self.dimensions if one.entries == 1)

    def plane(self, across: str, up: str) -> Plane:
        """The plane of two axes.

        Raises:
            UserError: An axis that there is not, the same twice, or a component beside a dimension, between which there
                is no right angle.
        """
        if across == up and self.size > 1:
            raise UserError("The two axes of a map must differ: choose another one.")
        if across.startswith("PC") != up.startswith("PC"):
            raise UserError("A map has two components or two dimensions: choose axes of one kind.")
        pair = [self._direction(across), self._direction(up)]
        if self.size == 1:
            pair[1] = np.zeros(1, np.float32)
        directions = np.stack(pair)
        # Components are of the spread around the mean, and dimensions begin at zero.
        centre = self.codes.mean(0) if across.startswith("PC") else np.zeros(self.size, np.float32)
        return Plane((across, up), directions, centre, (self.codes - centre) @ directions.T)

    def _direction(self, name: str) -> Float[np.ndarray, " D"]:
        kind, _, number = name.partition(" ")
        if kind == "PC" and number.isdecimal() and 1 <= int(number) <= len(self.components):
            return self.components[int(number) - 1]
        for one in self.dimensions:
            if one.name == name and one.entries == 1:
                return np.eye(self.size, dtype=np.float32)[one.start]
        raise UserError(f"There is no axis of that name: choose one of {', '.join(self.axes[:8])}.")

    def draw(self, seed: int) -> Float[np.ndarray, " D"]:
        """A code from the prior, or one of the data's where the prior cannot be drawn from."""
        drawn = _prior_draws(self.trained, 1, seed)
        return self.codes[seed % len(self.codes)] if drawn is None else drawn[0]

    def facts(self) -> dict[str, Any]:
        """Everything that the page must know, as JSON."""
        source = self.run.source
        family = self.run.config.model.family.name
        return {
            "name": self.run.directory.resolve().name,
            "title": f"{source.name}, recipe {self.run.config.recipe}",
            "understood": source.understood,
            "kind": source.kind,
            "shape": list(self.display.shape),
            "channels": self.display.channels,
            **(self._columns() if source.kind == "vector" else {}),
            "dark": self._dark,
            "family": family,
            "steps": self.trained.model.steps if isinstance(self.trained.model, DRAW) else None,
            "centre": self.codes.mean(0).tolist(),
            "place": self.place.kind,
            "use": self.use,
            "dimensions": [one._asdict() for one in self.dimensions],
            "axes": list(self.axes[:200]),
            "classes": list(source.classes),
            "labels": None if self.labels is None else self.labels.tolist(),
            "label_names": self.label_names,
            "rows": self.rows.tolist(),
        }

    def _columns(self) -> dict[str, Any]:
        """Names of the columns of a table, and where their values lie."""
        names = list(self.run.source.columns) or [f"column {i}" for i in range(self.display.shape[0])]
        average, spread = self.stored.mean(0, dtype=np.float64), self.stored.std(0, dtype=np.float64)
        return {"columns": names, "average": average.tolist(), "spread": spread.tolist()}

    @property
    def _dark(self) -> bool:
        """Whether pictures are bright on a dark ground."""
        low, high = self.display.limits
        return self.display.kind == "image" and float(np.median(self.stored)) < (low + high) / 2


def chart(run: Run, trained: Trained, dataset: Dataset, rows: Int[np.ndarray, " N"]) -> Atlas:
    """Encode data and find out which directions of the latent space matter.

    Args:
        run: The run.
        trained: Its model.
        dataset: Data for it.
        rows: Which of the data to show; of many, some are drawn.

    Raises:
        UserError: Fewer than two rows.
    """
    if len(rows) < 2:
        raise UserError(f"{dataset.name} has fewer than two rows to show: give other data.")
    most = _POINTS_RECURRENT if trained.model.recurrent else _POINTS
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
    # A copy, so that the rest of the data can be forgotten.
    stored = dataset.values[rows].copy()
    labels = dataset.labels_of(rows)
    codes = trained.encode(stored, labels).astype(np.float32)
    place = Place.of(trained.model)
    some = trained.context(None if labels is None else labels[:_LOOKED_AT])
    looked_at = Data(trained.observe(stored[:_LOOKED_AT], 0), some)
    bounded = has_bound(trained.model, looked_at)
    found = diagnostics(trained.model, looked_at.x, context=some) if bounded else None
    dimensions, use = _dimensions(trained, codes, place, found)
    return Atlas(
        run=run,
        trained=trained,
        stored=stored,
        rows=rows,
        labels=labels,
        label_names=dataset.label_names,
        codes=codes,
        place=place,
        display=Display.of(dataset.kind, run.source.limits, stored),
        dimensions=dimensions,
        bounded=bounded,
        use=use,
        components=_components(codes) if codes.shape[1] > 2 else np.empty((0, codes.shape[1]), np.float32),
    )


def _components(codes: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "P D"]:
    """Principal components, each with the sign that makes its largest entry positive."""
    centred = torch.from_numpy(codes - codes.mean(0))
    count = min(_COMPONENTS, *codes.shape)
    with randomness(centred.device, seed=0):
        found = torch.pca_lowrank(centred, q=min(count + 6, *codes.shape), center=False)[2][:, :count].T.numpy()
    signs = np.sign(np.take_along_axis(found, np.abs(found).argmax(1, keepdims=True), 1))
    return (found * signs).astype(np.float32)


def _dimensions(
    trained: Trained, codes: Float[np.ndarray, "N D"], place: Place, found: Diagnostics | None
) -> tuple[tuple[Dimension, ...], str]:
    """The dimensions by use, and what that is."""
    size = codes.shape[1]
    use, active, measure = _use(codes, found)
    if place.kind == "choices":
        groups, categories = place.groups
        use = use.reshape(groups, categories).sum(1)
        names = [f"choice {g + 1}" for g in range(groups)]
        made = [Dimension(names[g], float(use[g]), bool(use[g] > 0), 0, categories - 1, g * categories, categories)
                for g in range(groups)]  # fmt: skip
    else:
        reach = [codes]
        if (drawn := _prior_draws(trained, _DRAWS, 0)) is not None and drawn.shape[1] == size:
            reach.append(drawn)
        low, high = np.concatenate(reach).min(0), np.concatenate(reach).max(0)
        margin = np.maximum(0.05 * (high - low), 1e-3)
        bounds = {"sphere": (-1.0, 1.0), "simplex": (0.0, 1.0)}.get(place.kind)
        made = [
            Dimension(
                _name(trained, i),
                float(use[i]),
                bool(active[i]),
                *(bounds or (float(low[i] - margin[i]), float(high[i] + margin[i]))),
                i,
                1,
            )
            for i in range(size)
        ]
    return tuple(sorted(made, key=lambda one: (not one.active, -one.use))), measure


def _use(codes: Float[np.ndarray, "N D"], found: Diagnostics | None) -> tuple[Float[np.ndarray, " D"], np.ndarray, str]:
    """How much each entry of the codes is used, whether at all, and what that is measured in."""
    variance = codes.var(0)
    if found is not None:
        kl = found.kl_per_dimension.float().cpu().numpy()
        if kl.shape == variance.shape and np.isfinite(kl).all():
            return np.maximum(kl, 0), found.active.cpu().numpy(), "KL in nats"
    return variance, variance > _IDLE * max(float(variance.max()), 1e-30), "variance"


def _name(trained: Trained, entry: int) -> str:
    """What an entry of the code is called, counted from 1."""
    if isinstance(trained.model, DRAW):
        step, number = divmod(entry, trained.model.latent_dim)
        return f"z{number + 1} of step {step + 1}"
    return f"z{entry + 1}"


def _prior_draws(trained: Trained, count: int, seed: int) -> Float[np.ndarray, "n D"] | None:
    """Codes from the prior; None where a model has none of its own."""
    prior = getattr(trained.model, "prior", None)
    if prior is None:
        return None
    with randomness(trained.device, seed), torch.no_grad():
        return prior().sample((count,)).flatten(1).float().cpu().numpy()

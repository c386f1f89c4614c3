"""This library, by its public `training.fit` and `evaluation.importance_sampling`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.racing.track import Track, take_part


def config_of(settings: dict[str, Any]) -> Any:
    """The configuration of a race's settings."""
    from lowerbound.config import Config

    if "channels" in settings:
        network = {"model.network": "conv", "model.network.channels": settings["channels"]}
    else:
        network = {"model.network": "mlp", "model.network.hidden": settings["hidden"]}
    objective: dict[str, Any] = {"objective": "elbo"}
    if settings["particles"] != 1:
        objective = {"objective": "iwae", "objective.particles": settings["particles"]}
    return Config.load(
        "vae",
        {
            **network,
            **objective,
            "model.likelihood": "bernoulli",
            "model.network.activation": settings["activation"],
            "model.latent_dim": settings["latents"],
            "training.batch_size": settings["batch"],
            "training.learning_rate": settings["learning_rate"],
        },
    )


def train_on(track: Track, config: Any, rows: np.ndarray, **facts: Any) -> None:
    """Epoch after epoch of a training, each one turn."""
    import torch

    from lowerbound.assemble import assemble
    from lowerbound.data import Dataset
    from lowerbound.training import fit

    settings = track.settings
    config = config.overlaid(
        {
            "training.epochs": settings["turns"],
            "training.compile": settings["compile"],
            "training.precision": settings["precision"],
        }
    )
    parts = assemble(Dataset(name="race", kind="image", values=rows, maximum=255), config)
    weights = sum(parameter.numel() for parameter in parts.model.parameters())
    track.ready(weights=weights, precision=settings["precision"], **facts)
    fit(
        parts.model,
        parts.objective,
        torch.from_numpy(rows),
        None,
        parts.config.training,
        seed=0,
        prepare=parts.preparation,
        on_epoch=lambda record: track.lap(loss=record.loss),
    )


def train(track: Track) -> None:
    train_on(track, config_of(track.settings), np.load(track.settings["rows"]))


def draw(track: Track) -> None:
    from benchmarks.races.draw import config_of_draw

    train_on(track, config_of_draw(track.settings), np.load(track.settings["rows"]))


def nll(track: Track) -> None:
    import torch

    from benchmarks.racing.weights import model_with
    from lowerbound.evaluation import importance_sampling

    settings = track.settings
    model = model_with(settings["weights"], settings)
    x = torch.from_numpy(np.load(settings["x"]))[: settings["images"]]
    precision = settings["precision"]
    track.ready(precision=precision)
    for _ in range(settings["turns"]):
        estimate = importance_sampling(model, x, settings["particles"], precision=precision)
        track.lap(nll=-estimate.log_likelihood[: settings["compared"]].mean().item())


def digits(track: Track) -> None:
    """From `import` to a trained model."""
    track.ready()
    import torch

    from lowerbound.assemble import assemble
    from lowerbound.data import Dataset
    from lowerbound.evaluation import importance_sampling
    from lowerbound.training import fit

    settings = track.settings
    rows = np.load(settings["rows"])
    config = config_of(settings).overlaid(
        {
            "model.likelihood": settings["likelihood"],
            "training.epochs": settings["epochs"],
        }
    )
    parts = assemble(Dataset(name="digits", kind="image", values=rows, maximum=settings["maximum"]), config)
    stored = torch.from_numpy(rows)
    fit(parts.model, parts.objective, stored, None, parts.config.training, seed=0, prepare=parts.preparation)
    track.stop()
    x = parts.preparation.frozen(torch.from_numpy(np.load(settings["test"])), 0)
    track.lap(nll=-importance_sampling(parts.model, x).log_likelihood.mean().item())


def nats(track: Track) -> None:
    """Train for some minutes, and keep the averaged weights at the times that the race names.

    The state that the training saves is the checkpoint: a second name for its file, which the next state does not
    overwrite but replaces, costs the training nothing.
    """
    from benchmarks.racing.recipe import Recipe
    from lowerbound.training import fit
    from lowerbound.training.state import NAME

    settings = track.settings
    recipe = Recipe.of(settings)
    directory, times, kept = Path(settings["directory"]), list(settings["times"]), []
    state = directory / "state" / NAME
    began, seen = time.perf_counter(), 0

    def look(_: object) -> None:
        nonlocal seen
        if not times or time.perf_counter() - began < times[0] or not state.exists():
            return
        if (stamp := state.stat().st_mtime_ns) != seen:
            seen = stamp
            keep()
            while times and time.perf_counter() - began >= times[0]:
                times.pop(0)

    def keep() -> None:
        path = directory / f"{len(kept):04d}" / NAME
        path.parent.mkdir()
        os.link(state, path)
        kept.append(str(path.parent))

    track.ready()
    recipe.train(fit, state.parent, checkpoint_minutes=settings["state_seconds"] / 60, look=look)
    keep()
    track.lap(kept=kept)


if __name__ == "__main__":
    take_part({"train": train, "draw": draw, "nll": nll, "digits": digits, "nats": nats})

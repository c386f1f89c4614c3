"""Importance-sampled likelihood, K = 5,000, per importance sample."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.contenders.with_lowerbound import config_of
from benchmarks.races.mlp import MLP
from benchmarks.racing.contender import Contender
from benchmarks.racing.course import Course
from benchmarks.racing.machine import precisions
from benchmarks.racing.tables import duration, table, thousands
from benchmarks.racing.weights import save_linear
from lowerbound.assemble import assemble
from lowerbound.data import open_data
from lowerbound.training import fit

WHOLE = 10_000


def race(course: Course) -> str:
    """Microseconds for each pair of an image and a draw of z."""
    particles = course.size(5000, 200)
    settings = {**MLP, "particles": 1, "batch": 128, "learning_rate": 1e-3}
    weights = str(course.directory / "nll-weights.npz")
    dataset = open_data("mnist")
    config = config_of(settings).overlaid({"training.epochs": 1, "training.compile": "never"})
    parts = assemble(dataset, config)
    stored = torch.from_numpy(dataset.values[parts.splits.train[: course.size(60_000, 1280)]])
    fit(parts.model, parts.objective, stored, None, config.training, seed=0, prepare=parts.preparation)
    save_linear(weights, parts.model)
    test = torch.from_numpy(dataset.values[parts.splits.test[: course.size(100, 10)]])
    x = course.keep("nll-x", parts.preparation.frozen(test, 0).numpy().astype(np.float32))

    ours, loop, peer = len(test), course.size(20, 4), course.size(4, 2)

    def contender(name: str, module: str, environment: str, images: int, **more: object) -> Contender:
        return Contender(name, module, environment, {"images": images, **more}, work=images * particles)

    contenders = [
        *(
            contender(f"lowerbound, {precision}", "with_lowerbound", "lowerbound", ours, precision=precision)
            for precision in precisions()
        ),
        contender("plain loop over images", "plain_pytorch", "lowerbound", loop),
        contender("pythae's get_nll", "with_pythae", "pythae", peer),
    ]
    shared = {**settings, "contest": "nll", "x": x, "weights": weights, "particles": particles, "compared": peer}
    records = course.run(contenders, shared)
    best = max(record.speed for record in records if record.contender.module == "with_lowerbound")
    header = [
        "contender",
        "µs per importance sample",
        f"{WHOLE:,} images",
        "ours is",
        "precision",
        f"NLL of the first {peer}",
    ]
    rows = [
        [
            record.contender.name,
            thousands(1e6 / record.speed),
            duration(WHOLE * particles / record.speed),
            "" if record.contender.module == "with_lowerbound" else f"{best / record.speed:.1f} ×",
            record.facts["precision"],
            f"{record.figures['nll']:.2f}",
        ]
        for record in sorted(records, key=lambda record: -record.speed)
    ]
    title = (
        f"784–500–500–50 after one epoch, K = {particles:,}; {ours} images in a turn of ours, {loop} of the plain "
        f"loop's, {peer} of pythae's."
    )
    return f"{title}\n\n{table(header, rows)}\n\n{course.described(contenders)}"

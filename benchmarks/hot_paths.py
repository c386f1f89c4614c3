"""Where the time goes on each hot path, and how near it comes to the machine's matrix products.

    LOWERBOUND_DATA=… python -m benchmarks.hot_paths vae-128 vae-512

Without a name, all of them. Each path is timed as it is, and a step of a training compiled too (medians). Its matrix
products are noted, and these very products are then timed alone, which is the limit that no arrangement of the same
arithmetic can pass. What the rest is spent on is the profiler's share of each kind of operation. Where the processor is
faster in bfloat16, a path is measured in it too. The tables go to `docs/performance.md`; a path that is not measured
keeps its table, and with `--quick` nothing is written.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.contenders.with_lowerbound import config_of
from benchmarks.races.conv import synthetic
from benchmarks.races.draw import CLIP, LEARNING_RATE, config_of_draw
from benchmarks.races.mlp import MLP
from benchmarks.racing.environments import ROOT
from benchmarks.racing.machine import machine, precisions
from benchmarks.racing.products import Products
from benchmarks.racing.tables import publish, table
from lowerbound.assemble import Assembly, assemble
from lowerbound.config import Config
from lowerbound.data import Dataset, open_data
from lowerbound.errors import UserError
from lowerbound.evaluation import importance_sampling
from lowerbound.evaluation.batches import Precision
from lowerbound.nn.memory import freed_memory_kept
from lowerbound.nn.subnormals import subnormals_flushed
from lowerbound.training.adam import Adam
from lowerbound.training.device import Decision, has_cpp_compiler
from lowerbound.training.step import Step

PAGE = ROOT / "docs" / "performance.md"
# Operations by kind, by how their names begin after "aten::"; what is none of these, nor of the views, is pointwise.
KINDS = {
    "products": ("mm", "addmm", "bmm", "baddbmm", "mkldnn_convolution", "convolution_backward", "_slow_conv2d"),
    "random numbers": ("random_", "normal_", "rand", "uniform_", "bernoulli"),
    "Adam": ("_fused_adam_", "_foreach_norm", "linalg_vector_norm"),
    "sums": ("sum", "mean", "logsumexp", "amax"),
    "copies": ("copy_", "cat", "clone", "fill_", "zero_", "index_select", "stack"),
}
# What computes nothing; with autograd's engine, this is what it takes to get from one operation to the next.
VIEWS = {"t", "view", "as_strided", "transpose", "expand", "slice", "select", "detach", "split", "unsqueeze", "reshape"}
VIEWS |= {"empty", "empty_like", "empty_strided", "_unsafe_view", "permute", "chunk", "narrow", "squeeze", "flatten"}
POINTWISE, DISPATCH = "pointwise", "dispatch"


@dataclass(frozen=True)
class HotPath:
    """A computation that is repeated."""

    what: str
    run: Callable[[], object]
    compile: Callable[[], Decision | None] | None = None
    """Of a step: from now on it is compiled; it returns the decision against that, where it fails."""


def step_of(parts: Assembly, rows: np.ndarray, precision: Precision, batch: int, clip: float | None = None) -> HotPath:
    """One step of a training, as `training.fit` makes it."""
    model = parts.model.train()
    optimizer = Adam([p for p in model.parameters() if p.requires_grad])
    step = Step(model, parts.objective, parts.preparation, optimizer, clip=clip, bfloat16=precision == "bfloat16")
    stored, log = torch.from_numpy(rows[np.arange(batch) % len(rows)]), torch.zeros(4)
    return HotPath(
        f"a step, batch {batch}",
        lambda: step(stored, None, log, 0.5, LEARNING_RATE),
        lambda: step.compile(stored, None),
    )


def assembled(config: Config, rows: np.ndarray) -> Assembly:
    """Model, objective and preparation for such images."""
    return assemble(Dataset(name="images", kind="image", values=rows, maximum=255), config)


def mnist() -> np.ndarray:
    return open_data("mnist").values[:2000]


def vae(precision: Precision, batch: int, particles: int = 1) -> HotPath:
    settings = {**MLP, "particles": particles, "batch": batch, "learning_rate": LEARNING_RATE}
    return step_of(assembled(config_of(settings), rows := mnist()), rows, precision, batch)


def conv(rows: np.ndarray, precision: Precision, batch: int) -> HotPath:
    settings = {
        "channels": [32, 64],
        "latents": 50,
        "activation": "silu",
        "particles": 1,
        "batch": batch,
        "learning_rate": LEARNING_RATE,
    }
    return step_of(assembled(config_of(settings), rows), rows, precision, batch)


def draw(precision: Precision, steps: int, batch: int) -> HotPath:
    sizes = {"steps": steps, "units": 256, "latents": 100, "read": 2, "write": 5}
    settings = {"sizes": sizes, "batch": batch, "clip": CLIP, "learning_rate": LEARNING_RATE}
    return step_of(assembled(config_of_draw(settings), rows := mnist()), rows, precision, batch, CLIP)


def nll(precision: Precision, images: int, particles: int) -> HotPath:
    settings = {**MLP, "particles": 1, "batch": 128, "learning_rate": LEARNING_RATE}
    parts = assembled(config_of(settings), mnist())
    x = parts.preparation.frozen(torch.from_numpy(mnist()[:images]), 0)
    return HotPath(
        f"the NLL of {images} images, K = {particles:,}",
        lambda: importance_sampling(parts.model, x, particles, precision=precision),
    )


def paths(quick: bool) -> dict[str, Callable[[Precision], HotPath]]:
    """How each path is made, by name."""
    batch = 16 if quick else 128
    return {
        "vae-128": lambda precision: vae(precision, 128),
        "vae-512": lambda precision: vae(precision, 512),
        "iwae": lambda precision: vae(precision, batch, 50),
        "conv": lambda precision: conv(mnist(), precision, batch),
        "conv-colour": lambda precision: conv(synthetic(batch, 64), precision, batch),
        "draw": lambda precision: draw(precision, 8 if quick else 64, batch),
        "nll": lambda precision: nll(precision, 4, 500 if quick else 5000),
    }


def shares_by_kind(run: Callable[[], object], repeats: int) -> dict[str, float]:
    """Seconds of each kind of operation in one run, by the profiler, which adds to getting from one to the next."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(repeats):
            run()
    seconds: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        name = event.key.removeprefix("aten::")
        if name == event.key or name in VIEWS:
            kind = DISPATCH
        else:
            kind = next((kind for kind, names in KINDS.items() if name.startswith(names)), POINTWISE)
        seconds[kind] += event.self_cpu_time_total / 1e6 / repeats
    return seconds


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """Of one run, without the first two."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def measured(path: HotPath, most: int) -> list[str]:
    """The row of a path: time, products, their limit, and the kinds of the rest; it is repeated for 20 s at most."""
    with freed_memory_kept(), subnormals_flushed():
        start = time.perf_counter()
        path.run()
        repeats = min(most, max(5, int(20 / (time.perf_counter() - start))))
        whole = median_seconds(path.run, repeats)
        with Products() as products:
            path.run()
        flops, alone = products.flops, products.seconds_alone()
        kinds = shares_by_kind(path.run, max(1, repeats // 3))
        of_compiled = ["–", "–"]
        if path.compile and has_cpp_compiler() and path.compile() is None:
            compiled = median_seconds(path.run, repeats)
            # The products again, since a shared machine may have become faster or slower while it compiled.
            of_compiled = [f"{1e3 * compiled:.1f}", f"**{products.seconds_alone() / compiled:.0%}**"]
    seen = sum(kinds.values())
    shares = {kind: kinds.get(kind, 0.0) / seen for kind in (*KINDS, POINTWISE, DISPATCH)}
    return [
        path.what,
        f"{1e3 * whole:.1f}",
        f"{flops / 1e9:.2f}",
        f"{flops / whole / 1e9:,.0f}",
        f"{flops / alone / 1e9:,.0f}",
        f"**{alone / whole:.0%}**",
        *(f"{share:.0%}" for share in shares.values()),
        *of_compiled,
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", metavar="PATH", help=f"of {', '.join(paths(False))}; all if left out")
    parser.add_argument("--repeats", type=int, default=30, help="of each path; a slow one is repeated for 20 s")
    parser.add_argument("--quick", action="store_true", help="few and small, to check that everything works")
    options = parser.parse_args(arguments)
    makers = paths(options.quick)
    if unknown := [name for name in options.paths if name not in makers]:
        parser.error(f"there is no path {unknown[0]}: choose of {', '.join(makers)}")
    header = [
        "path",
        "ms",
        "GFLOP",
        "GFLOP / s",
        "limit, GFLOP / s",
        "share of the limit",
        *KINDS,
        POINTWISE,
        DISPATCH,
        "compiled, ms",
        "share of the limit",
        "",
    ]
    try:
        for name in options.paths or makers:
            rows = []
            for precision in precisions():
                torch.manual_seed(0)
                rows.append([*measured(makers[name](precision), 3 if options.quick else options.repeats), precision])
            threads = torch.get_num_threads()
            version = torch.__version__.partition("+")[0]
            text = f"{table(header, rows)}\n\n{threads} threads; {machine()}. torch {version}."
            publish(PAGE, "path", name, text, quick=options.quick)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

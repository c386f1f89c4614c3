"""How the cost of training grows with the data and the model: seconds for each example, and peak memory.

    python -m benchmarks.growth [--quick] [examples table dimension latent particles steps]

Each size has a process of its own, so that its peak memory is its own; that of the libraries alone is a row. The
data are noisy grey images in a `.npy`, or a folder of Parquet files, and stay in the file where they are many; the last
of the examples are 6 GiB, with --quick 384 MiB. What is timed is the training, and what happens once before it has a
column of its own. The tables go to `docs/performance.md`; with --quick, which only checks that everything works, they
are printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.racing.environments import ROOT
from benchmarks.racing.machine import machine
from benchmarks.racing.tables import publish, table

PAGE = ROOT / "docs" / "performance.md"
MIB = 1 << 20
PIXELS = 784
# Columns of the Parquet files, float32, and rows of each file.
COLUMNS, FILE_ROWS = 64, 1_000_000
# Examples where they are not what grows, and how many are made at once.
ROWS, ROWS_QUICK, BLOCK = 50_000, 5_000, 10_000


class Growth(NamedTuple):
    """One table."""

    column: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    recipe: str = "vae"
    settings: tuple[str, ...] = ()
    """Of each process; {} is the size."""


TABLES = {
    "examples": Growth(
        "examples",
        (1_000, 10_000, 100_000, 1_000_000, 6 * 1024 * MIB // PIXELS),
        (1_000, 10_000, 100_000, 384 * MIB // PIXELS),
    ),
    "table": Growth(
        "rows",
        (100_000, 1_000_000, 6 * 1024 * MIB // (4 * COLUMNS)),
        (100_000, 384 * MIB // (4 * COLUMNS)),
    ),
    "dimension": Growth("dimension", (49, 196, 784, 3_136, 12_544), (49, 784, 3_136)),
    "latent": Growth("latent_dim", (2, 10, 50, 200, 1_000), (2, 50, 200), settings=("model.latent_dim={}",)),
    "particles": Growth(
        "K",
        (1, 5, 20, 50, 100),
        (1, 5, 20),
        settings=("objective=iwae", "objective.particles={}"),
    ),
    "steps": Growth(
        "T",
        (2, 4, 8, 16, 32, 64),
        (2, 4, 8),
        recipe="draw",
        settings=("model.family.steps={}", "model.family.first_steps={}"),
    ),
}


class Cost(NamedTuple):
    """What one training took."""

    seconds: float
    """For each example that was trained on."""
    before: float
    """Seconds before the first step: opening, looking at and describing the data."""
    peak: float
    """Largest resident memory of the process, in MiB."""
    size: float
    """Of the data, in MiB."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; all if left out")
    parser.add_argument("--quick", action="store_true", help="small sizes, in under three minutes")
    parser.add_argument("--folder", type=Path, help="where the data is made, and kept; else it is temporary")
    parser.add_argument("--seconds", type=float, help="of training for each size; else 30, with --quick 3")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(train(**json.loads(options.one))))
        return
    unknown = set(options.tables) - set(TABLES)
    if unknown:
        parser.error(f"there is no table {', '.join(unknown)}: choose of {', '.join(TABLES)}")
    seconds = options.seconds or (3 if options.quick else 30)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        alone = measured(None, folder).peak
        for name in options.tables or TABLES:
            growth = TABLES[name]
            rows = [("the libraries alone", "", "", "", f"{alone:,.0f}")]
            rows += [cells(size, cost) for size, cost in costs(name, folder, seconds, quick=options.quick)]
            header = (growth.column, "data, MiB", "µs for each example", "before the first step, s", "peak memory, MiB")
            text = f"{table(header, rows)}\n\n{seconds:g} s of training for each size. {machine()}."
            publish(PAGE, "growth", name, text, quick=options.quick)


def costs(name: str, folder: Path, seconds: float, *, quick: bool) -> Iterator[tuple[int, Cost]]:
    """Each size of a table with what it costs."""
    growth = TABLES[name]
    for size in growth.quick if quick else growth.sizes:
        if name == "table":
            path = parquet(folder, size)
        else:
            rows = size if name == "examples" else ROWS_QUICK if quick else ROWS
            path = pixels(folder, rows, size if name == "dimension" else PIXELS)
        overrides = [setting.format(size) for setting in growth.settings]
        work = {"path": str(path), "recipe": growth.recipe, "overrides": overrides, "seconds": seconds}
        yield size, measured(work, folder)


def cells(size: int, cost: Cost) -> tuple[str, ...]:
    """The row of a size."""
    return (
        f"{size:,}",
        f"{cost.size:,.0f}",
        f"{1e6 * cost.seconds:,.1f}",
        f"{cost.before:.1f}",
        f"{cost.peak:,.0f}",
    )


def pixels(folder: Path, rows: int, width: int) -> Path:
    """A file of noisy images that are nearly black and white."""
    path = folder / f"growth-{rows}-{width}.npy"
    side = math.isqrt(width)
    if not path.exists():
        generator = np.random.default_rng(0)
        noise = generator.integers(0, 256, (min(rows, BLOCK), width), dtype=np.uint8)
        block = np.where(generator.random(noise.shape) < 0.9, np.where(noise > 200, 255, 0), noise).astype(np.uint8)
        with path.with_suffix(".partial").open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (rows, side, side)}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, rows, BLOCK):
                file.write(np.roll(block, start // BLOCK, axis=1)[: rows - start].tobytes())
        path.with_suffix(".partial").replace(path)
    return path


def parquet(folder: Path, rows: int) -> Path:
    """A folder of Parquet files of correlated numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"growth-{rows}-parquet"
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    partial.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(COLUMNS // 8, COLUMNS)).astype(np.float32)
    for number, start in enumerate(range(0, rows, FILE_ROWS)):
        shape = (min(FILE_ROWS, rows - start), len(mixing))
        values = generator.standard_normal(shape, np.float32) @ mixing
        values += 0.1 * generator.standard_normal(values.shape, np.float32)
        columns = {f"x{column}": values[:, column] for column in range(COLUMNS)}
        pq.write_table(pa.table(columns), partial / f"{number:04d}.parquet")
    partial.replace(path)
    return path


def measured(work: dict[str, Any] | None, cache: Path) -> Cost:
    """The cost of a training in a process of its own, with this directory for the user's cache."""
    command = [sys.executable, "-m", "benchmarks.growth", "--one", json.dumps(work or {"path": ""})]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=environment)
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def train(path: str, recipe: str = "vae", overrides: list[str] | None = None, seconds: float = 0.0) -> Cost:
    """Open a file, train for some seconds as `lowerbound fit` does, and say what it took."""
    import torch

    from lowerbound.assemble import assemble
    from lowerbound.config import Config
    from lowerbound.data import open_data
    from lowerbound.trained import Trained
    from lowerbound.training import fit

    if not path:
        return Cost(0, 0, peak_memory(), 0)
    began = time.perf_counter()
    timing = [f"training.max_minutes={seconds / 60}", "training.epochs=none", "training.patience=0"]
    config = Config.load(recipe, [*timing, "training.compile=never", *(overrides or [])])
    dataset = open_data(path)
    _ = dataset.fingerprint  # which a fit writes down
    parts = assemble(dataset, config)
    trained = Trained(parts.model, parts.preparation, dataset.shape)
    validation = trained.observe(dataset.values[parts.splits.validation], 0)
    stored = dataset.part(parts.splits.train)
    result = fit(
        parts.model,
        parts.objective,
        torch.from_numpy(stored) if isinstance(stored, np.ndarray) else stored,
        validation,
        parts.config.training,
        seed=0,
        prepare=parts.preparation,
    )
    batch = min(parts.config.training.batch_size, len(stored))
    before = time.perf_counter() - began - result.seconds
    size = sum(file.stat().st_size for file in (Path(path), *Path(path).glob("*.parquet")) if file.is_file()) / MIB
    return Cost(result.seconds / (result.steps * batch), before, peak_memory(), size)


def peak_memory() -> float:
    """Largest resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, what getrusage says begins with the memory of the process that started this one
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    main()

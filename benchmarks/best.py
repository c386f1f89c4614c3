"""The recipe `mnist-best` on MNIST: the test NLL after some minutes of training, for some seeds.

    LOWERBOUND_DATA=… python -m benchmarks.best --minutes 10 30 60 --seeds 0 1 2

Dynamic binarisation, all 10,000 test images. Each seed has one training of the longest minutes, whose averaged weights
are kept on the way. What is there already is not done again, so that an interrupted benchmark continues. The table goes
to `docs/benchmarks.md` after every seed, with a dash for those that are still missing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.racing.checkpoints import Checkpoints, nll_on, ours, trained
from benchmarks.racing.contender import Contender
from benchmarks.racing.environments import ROOT
from benchmarks.racing.machine import machine
from benchmarks.racing.recipe import Recipe
from benchmarks.racing.tables import publish, table
from lowerbound.errors import UserError

RECIPE = "mnist-best"
PAGE = ROOT / "docs" / "benchmarks.md"
# How old the weights that are kept may be.
STATE_SECONDS = 10.0


@dataclass(frozen=True)
class Protocol:
    """What is asked of every seed."""

    minutes: list[float]
    """Of training, ascending."""
    particles: int
    """Importance samples for each image, K."""
    together: int
    """Seeds at a time."""
    threads: int
    """Of each."""
    out: Path

    def nlls(self, seed: int) -> list[float]:
        """The test NLL after each of the minutes."""
        settings = {
            "contest": "nats",
            "recipe": RECIPE,
            "seed": seed,
            "minutes": self.minutes[-1],
            "times": [60 * minutes for minutes in self.minutes[:-1]],
            "state_seconds": STATE_SECONDS,
            "directory": str(self.out / f"seed-{seed}"),
        }
        answer = trained(Contender(f"{RECIPE}, seed {seed}", "with_lowerbound", "lowerbound"), settings, self.out)
        x = Recipe.of(settings).test(10_000)
        path = Path(settings["directory"]) / f"nll-{self.particles}.json"
        checkpoints = Checkpoints(*ours(answer, settings), nll_on(x, self.particles), path)
        return [checkpoints.nll(index) for index in range(len(self.minutes))]

    def described(self, nlls: dict[int, list[float]], seeds: list[int]) -> str:
        """The table of what has been found, with what it was found by."""
        rows = []
        for index, minutes in enumerate(self.minutes):
            known = [nlls[seed][index] for seed in seeds if seed in nlls]
            cells = [f"{nlls[seed][index]:.2f}" if seed in nlls else "–" for seed in seeds]
            rows.append((f"{minutes:g}", *cells, f"{statistics.mean(known):.2f}"))
        header = ("minutes", *(f"seed {seed}" for seed in seeds), "mean")
        protocol = (
            f"NLL of the 10,000 test images in nats, dynamic binarisation, K = {self.particles:,}. Each seed has one "
            f"training of {self.minutes[-1]:g} minutes, whose averaged weights were kept on the way; {self.together} "
            f"at a time, with {self.threads} {'thread' if self.threads == 1 else 'threads'} each."
        )
        return f"{table(header, rows)}\n\n{protocol} {machine()}. torch {torch.__version__.partition('+')[0]}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10.0, 30.0, 60.0], help="of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of everything random")
    parser.add_argument("--particles", type=int, default=1000, help="importance samples for each image, K")
    parser.add_argument("--together", type=int, default=1, help="seeds at a time, which share the cores")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "best", help="where the weights go")
    options = parser.parse_args()

    threads = max(1, (os.cpu_count() or 1) // options.together)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # of the processes that train
    torch.set_num_threads(threads)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    protocol = Protocol(sorted(options.minutes), options.particles, options.together, threads, out)
    nlls: dict[int, list[float]] = {}
    try:
        with ThreadPoolExecutor(options.together) as pool:
            futures = {pool.submit(protocol.nlls, seed): seed for seed in options.seeds}
            for future in as_completed(futures):
                nlls[futures[future]] = future.result()
                publish(PAGE, "best", "mnist", protocol.described(nlls, options.seeds), quick=False)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""The recipe `mnist-best` on MNIST: the test NLL after some minutes of training, for some seeds.

    LOWERBOUND_DATA=… python -m benchmarks.best --minutes 10 30 60 --seeds 0 1 2

Dynamic binarisation, all 10,000 test images. Each figure has a training of its own, whose schedules fit its minutes.
What is there already is not done again, so that an interrupted benchmark continues. The table goes to
`docs/benchmarks.md` after every figure, with a dash for those that are still missing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import torch

from benchmarks.racing.environments import ROOT
from benchmarks.racing.machine import machine
from benchmarks.racing.tables import publish, table
from benchmarks.recipes import evaluated, trained
from lowerbound.errors import UserError
from lowerbound.evaluation import Evaluation

RECIPE = "mnist-best"
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10.0, 30.0, 60.0], help="of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of everything random")
    parser.add_argument("--particles", type=int, default=1000, help="importance samples for each image, K")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "best", help="where the runs go")
    options = parser.parse_args()

    found: dict[tuple[float, int], Evaluation] = {}
    try:
        for seed in options.seeds:
            for minutes in options.minutes:
                run = trained(RECIPE, options.out / f"{minutes:g}-minutes-seed-{seed}", minutes, seed)
                found[minutes, seed] = evaluated(run, options.particles)
                text = described(found, options.minutes, options.seeds, options.particles)
                publish(PAGE, "best", "mnist", text, quick=False)
    except UserError as error:
        sys.exit(str(error))


def described(
    found: dict[tuple[float, int], Evaluation], minutes: list[float], seeds: list[int], particles: int
) -> str:
    """The table of what has been found, with its protocol."""
    rows = []
    for each in minutes:
        figures = [found.get((each, seed)) for seed in seeds]
        cells = [f"{one.nll:.2f} ± {one.nll_error:.2f}" if one else "–" for one in figures]
        known = [one.nll for one in figures if one]
        rows.append((f"{each:g}", *cells, f"{statistics.mean(known):.2f}" if known else "–"))
    header = ("minutes", *(f"seed {seed}" for seed in seeds), "mean")
    protocol = (
        f"NLL of the 10,000 test images in nats, dynamic binarisation, K = {particles:,}; ± is one standard error over "
        "the images, which all figures share."
    )
    where = f"{torch.get_num_threads()} threads; {machine()}. torch {torch.__version__.partition('+')[0]}."
    return f"{table(header, rows)}\n\n{protocol} {where}"


if __name__ == "__main__":
    main()

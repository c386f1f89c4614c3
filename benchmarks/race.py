"""The races, each against its peers in one run, whose tables go to `docs/benchmarks.md`.

    LOWERBOUND_DATA=… python -m benchmarks.race mlp iwae
    LOWERBOUND_DATA=… python -m benchmarks.race --quick

Without a name, all of them. Each peer has an environment of its own, which is made where it is not there yet. A race
that is not run keeps its table; with `--quick`, which only checks that everything works, the tables are printed.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.racing.course import Course
from benchmarks.racing.environments import ROOT, build
from benchmarks.racing.tables import publish
from lowerbound.errors import UserError

# Which environments each race needs besides our own.
RACES = {
    "mlp": ("pythae", "pyro", "jax"),
    "conv": ("pythae", "jax"),
    "iwae": ("pythae", "jax"),
    "draw": ("jax",),
    "nll": ("pythae",),
    "digits": ("pythae", "scikit-learn"),
    "nats": ("pythae",),
}
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", metavar="RACE", help=f"of {', '.join(RACES)}; all if left out")
    parser.add_argument("--turns", type=int, default=7, help="that count, of each contender; five at least")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to check that everything works")
    parser.add_argument("--fresh", action="store_true", help="make the peers' environments anew")
    parser.add_argument("--directory", type=Path, default=ROOT / "runs" / "races", help="for data, logs, checkpoints")
    nats = parser.add_argument_group("nats", "of the race to nats")
    nats.add_argument("--recipe", default="vamp", help="ours, by name or path")
    nats.add_argument("--minutes", type=float, nargs="+", default=[8.0], help="of each of our trainings with it")
    nats.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chosen = options.races or list(RACES)
    if unknown := [name for name in chosen if name not in RACES]:
        parser.error(f"there is no race {unknown[0]}: choose of {', '.join(RACES)}")
    if options.turns < 5:
        parser.error("a median needs at least five turns")
    turns = 2 if options.quick else options.turns
    try:
        for environment in dict.fromkeys(environment for name in chosen for environment in RACES[name]):
            build(environment, fresh=options.fresh)
        for name in chosen:
            directory = options.directory.absolute() / name
            directory.mkdir(parents=True, exist_ok=True)
            course = Course(directory, turns, options.quick, options.recipe, tuple(options.minutes), options.seed)
            text = import_module(f"benchmarks.races.{name}").race(course)
            publish(PAGE, "race", name, text, quick=options.quick)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""Time to nats: how long until the test NLL of MNIST passes a figure.

Dynamic binarisation, all 10,000 test images binarised once, K = 1,000. Each contender trains alone and keeps its
weights at growing intervals; the clock counts neither that nor the evaluation, which comes after all trainings. Of the
weights that are kept, the first that pass are searched for: the NLL is taken to fall while a model learns.

Trainings and NLLs stay in the race's directory until the race is over, so that an interrupted one continues.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from typing import Any

from benchmarks.races.mlp import MLP
from benchmarks.racing.checkpoints import Checkpoints, nll_on, ours, trained
from benchmarks.racing.contender import Contender
from benchmarks.racing.course import Course
from benchmarks.racing.recipe import Recipe
from benchmarks.racing.tables import table
from benchmarks.racing.weights import model_with
from lowerbound.data import open_data, split
from lowerbound.models import LatentModel

THRESHOLDS = (90.0, 88.0, 86.76, 86.0, 85.0, 84.78, 84.0, 83.0)
# Weights are kept first after so many seconds, and then whenever so much more time has gone by.
FIRST, GROWTH, LEAST = 10.0, 1.1, 5.0
BATCH = 128


def times_until(seconds: float) -> list[float]:
    """When weights are kept, the end included."""
    times = [min(FIRST, seconds)]
    while times[-1] < seconds:
        times.append(min(seconds, max(times[-1] * GROWTH, times[-1] + LEAST)))
    return times


def first_passing(
    count: int, nll_of: Callable[[int], float], threshold: float, known: Collection[int] = ()
) -> int | None:
    """The first of so many checkpoints whose NLL is not above a threshold, if the last one's is not.

    Where it must lie is narrowed down by interpolation, in turn with bisection, between checkpoints whose NLL is known.

    Args:
        count: Of the checkpoints.
        nll_of: The NLL of one, which falls with its number.
        threshold: In nats.
        known: Those whose NLL costs nothing.
    """
    if count == 0 or nll_of(count - 1) > threshold:
        return None
    low = max((index for index in known if nll_of(index) > threshold), default=-1)
    high = min((index for index in known if nll_of(index) <= threshold), default=count - 1)
    bisect = low < 0
    while high - low > 1:
        middle = (low + high) // 2
        if not bisect:
            above, below = nll_of(low) - threshold, threshold - nll_of(high)
            middle = min(max(low + round((high - low) * above / (above + below)), low + 1), high - 1)
        low, high = (low, middle) if nll_of(middle) <= threshold else (middle, high)
        bisect = not bisect or low < 0
    return high


def column(checkpoints: Checkpoints, minutes: float) -> list[str]:
    """Minutes until each threshold, of a training of so many, then the NLL at the end."""
    cells = []
    for threshold in THRESHOLDS:
        found = first_passing(len(checkpoints.seconds), checkpoints.nll, threshold, checkpoints.nlls)
        cells.append(f"not in {minutes:g}" if found is None else f"{checkpoints.seconds[found] / 60:.1f}")
    return [*cells, f"{checkpoints.nll(len(checkpoints.seconds) - 1):.2f}"]


def race(course: Course) -> str:
    """Minutes to each threshold, for every bound on the minutes of ours and for the longest of pythae's."""
    bounds = [0.3] if course.quick else sorted(course.minutes)
    dataset = open_data("mnist")
    rows = course.keep("mnist", dataset.values[split(dataset, seed=course.seed).train])
    entries: list[tuple[Contender, float]] = [
        (Contender(f"lowerbound, {course.recipe}, {minutes:g} min", "with_lowerbound", "lowerbound"), minutes)
        for minutes in bounds
    ]
    entries += [
        (Contender("pythae VAE", "with_pythae", "pythae", {"particles": 1}), bounds[-1]),
        (Contender("pythae IWAE", "with_pythae", "pythae", {"particles": None}), bounds[-1]),
    ]
    reference = Recipe.of({"recipe": course.recipe, "seed": course.seed, "minutes": bounds[-1]})
    x, particles = reference.test(course.size(10_000, 20)), course.size(1000, 50)

    peer = {**MLP, "batch": BATCH, "learning_rate": 1e-3, "rows": rows}
    directories = [course.directory / f"contender-{number}" for number in range(len(entries))]
    kept = []
    for (contender, minutes), directory in zip(entries, directories, strict=True):
        settings = {
            **peer,
            **contender.settings,
            "contest": "nats",
            "recipe": course.recipe,
            "seed": course.seed,
            "minutes": minutes,
            "times": times_until(60 * minutes),
            "state_seconds": LEAST,
            "directory": str(directory),
        }
        answer = trained(contender, settings, course.directory)
        read = ours if contender.module == "with_lowerbound" else theirs
        kept.append(Checkpoints(*read(answer, settings), nll_on(x, particles), directory / "nll.json"))

    columns = [column(checkpoints, minutes) for checkpoints, (_, minutes) in zip(kept, entries, strict=True)]
    for directory in directories:
        shutil.rmtree(directory)
    names = [contender.name for contender, _ in entries]
    labels = [f"{threshold:g}" for threshold in THRESHOLDS] + ["at the end, nats"]
    cells = zip(labels, *columns, strict=True)
    title = (
        f"Minutes until the NLL of {len(x):,} test images is at most so many nats (dynamic binarisation, K = "
        f"{particles:,}), seed {course.seed}; pythae: 784–500–500–50, tanh, batch {BATCH}, Adam, its IWAE with its own "
        "number of samples."
    )
    described = course.described([contender for contender, _ in entries]).partition(". ")[2]
    return f"{title}\n\n{table(['NLL', *names], cells)}\n\nOne training each. {described}"


def theirs(answer: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[list[float], Callable[[int], LatentModel]]:
    """The same of pythae's, whose IWAE has the same networks as its VAE."""
    seconds, paths = zip(*answer["kept"], strict=True)
    return list(seconds), lambda index: model_with(paths[index], {**settings, "particles": 1})

"""Runs side by side: the settings in which they differ, their figures, and their pictures on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lowerbound import figures
from lowerbound.errors import UserError
from lowerbound.evaluation import DistortionAlone, Evaluation
from lowerbound.files import write_text
from lowerbound.illustrate import FIGURES, Subject, suited
from lowerbound.report.page import page
from lowerbound.report.pictures import Picture, embedded, picture
from lowerbound.report.reproduction import flat
from lowerbound.report.words import duration
from lowerbound.run import Run

# Where a run has nothing to say.
_NOTHING = "–"
# Bytes of all pictures of a page together, before they are text.
_ALL = 2_000_000


class Row(NamedTuple):
    """One thing, and what it is in each run."""

    name: str
    values: tuple[str, ...]


class Comparison(NamedTuple):
    """What there is to say of several runs without running them."""

    names: tuple[str, ...]
    """Of the runs."""
    settings: tuple[Row, ...]
    """Those that are not the same everywhere."""
    figures: tuple[Row, ...]
    caveats: tuple[str, ...]
    """Why figures of one run do not say how good another is, one sentence each."""


def compare(runs: Sequence[Run]) -> Comparison:
    """Settings that differ, and figures.

    Args:
        runs: At least two.

    Raises:
        UserError: Fewer than two, the same one twice, or files of one that are damaged.
    """
    if len(runs) < 2:
        raise UserError("A comparison is of at least two runs: give the directories of both.")
    if len({run.directory.resolve() for run in runs}) < len(runs):
        raise UserError("A comparison is of different runs, and one was given twice: leave it out.")
    evaluations = [run.evaluation() for run in runs]
    return Comparison(_names(runs), _settings(runs), _figures(runs, evaluations), _caveats(runs, evaluations))


def write_comparison(subjects: Sequence[Subject], path: str | Path) -> Path:
    """Write one page about several runs, which needs no other file and no network.

    Args:
        subjects: The runs with their models and data.
        path: Where to.

    Raises:
        UserError: As `compare` does; or the page cannot be written.
    """
    runs = [subject.run for subject in subjects]
    compared = compare(runs)
    most = _ALL // (len(runs) * len(FIGURES) + 1)
    drawn = [{name: picture(name, ax, most) for name, ax in suited(subject)} for subject in subjects]
    curves = None
    if any(subject.metrics for subject in subjects):
        metrics = dict(zip(compared.names, (subject.metrics for subject in subjects), strict=True))
        curves = embedded(figures.compared_curves(metrics), as_drawing=True)
    shown: list[tuple[Picture, list[Picture | None]]] = []
    for name in FIGURES:
        row = [pictures.get(name) for pictures in drawn]
        first = next((one for one in row if one is not None), None)
        if first is not None and name != "learning-curves":
            shown.append((first, row))
    path = Path(path)
    title = " and ".join(compared.names) if len(runs) == 2 else f"{len(runs)} runs"
    text = page("comparison.html", title=title, compared=compared, runs=runs, curves=curves, shown=shown)
    write_text(path, text)
    return path


def _names(runs: Sequence[Run]) -> tuple[str, ...]:
    """The shortest ends of their paths that are all different."""
    paths = [run.directory.resolve().parts for run in runs]
    for length in range(1, max(map(len, paths)) + 1):
        names = tuple("/".join(parts[-length:]) for parts in paths)
        if len(set(names)) == len(names):
            return names
    raise AssertionError("Different directories have different paths.")


def _settings(runs: Sequence[Run]) -> tuple[Row, ...]:
    settings = [flat(run.config) for run in runs]
    names = list(dict.fromkeys(name for of_run in settings for name in of_run))
    rows = [Row(name, tuple(_said(of_run.get(name)) for of_run in settings)) for name in names]
    facts = [
        Row("data", tuple(run.source.name for run in runs)),
        Row("data fingerprint", tuple(run.source.fingerprint.removeprefix("sha256:")[:12] for run in runs)),
        Row("training rows", tuple(f"{run.source.train:,}" for run in runs)),
        *(
            Row(f"version of {name}", tuple(run.versions.get(name, _NOTHING) for run in runs))
            for name in runs[0].versions
        ),
    ]
    return tuple(row for row in facts + rows if len(set(row.values)) > 1)


def _said(value: object) -> str:
    return _NOTHING if value is None else str(value)


def _figures(runs: Sequence[Run], evaluations: Sequence[Evaluation | DistortionAlone | None]) -> tuple[Row, ...]:
    columns = []
    for run, found in zip(runs, evaluations, strict=True):
        column: dict[str, str] = {}
        if isinstance(found, Evaluation):
            column = {
                "−ELBO (nats)": f"{found.negative_elbo:.2f} ± {found.negative_elbo_error:.2f}",
                "distortion (nats)": f"{found.distortion:.2f}",
                "rate (nats)": f"{found.rate:.2f}",
                "NLL (nats)": f"{found.nll:.2f} ± {found.nll_error:.2f}",
                "importance samples, K": f"{found.particles:,}",
                "rows of −ELBO, of NLL": f"{found.examples:,}, {found.nll_examples:,}",
                "effective sample size": f"{found.effective_sample_size:.1f}",
                "active units": f"{found.active_units:,} of {found.latent_dim:,}",
            }
        elif found is not None:
            column = {"distortion (nats)": f"{found.distortion:.2f} ± {found.distortion_error:.2f}"}
        if metrics := run.metrics():
            column["epochs"] = f"{metrics[-1]['epoch']:,}"
            column["time of the training"] = duration(metrics[-1]["seconds"])
        columns.append(column)
    names = dict.fromkeys(name for column in sorted(columns, key=len, reverse=True) for name in column)
    return tuple(Row(name, tuple(column.get(name, _NOTHING) for column in columns)) for name in names)


def _caveats(runs: Sequence[Run], evaluations: Sequence[Evaluation | DistortionAlone | None]) -> tuple[str, ...]:
    found = []

    def differ(what: list) -> bool:
        return any(one != what[0] for one in what)

    whole = [one for one in evaluations if isinstance(one, Evaluation)]
    if differ([run.source.fingerprint for run in runs]):
        found.append("The runs are of different data: their figures cannot be compared.")
    elif differ([_test_rows(run) for run in runs]):
        found.append("The runs were tested on different rows of their data: differences within the errors say nothing.")
    if differ([run.source.preparation for run in runs]):
        kinds = ", ".join(run.source.preparation for run in runs)
        found.append(f"The models see their data in different ways ({kinds}): their −log p(x) are of different things.")
    if len(whole) > 1 and differ([one.particles for one in whole]):
        found.append("The NLLs have different K, and the figure falls as K grows.")
    if len(whole) > 1 and differ([one.nll_examples for one in whole]):
        found.append("The NLLs are of different numbers of rows.")
    if any(isinstance(one, DistortionAlone) for one in evaluations):
        found.append("A deterministic encoder has no likelihood: its distortion leaves out what the code costs.")
    if any(one is None for one in evaluations):
        found.append("Not every run has an evaluation: `lowerbound evaluate RUN` makes one.")
    return tuple(found)


def _test_rows(run: Run) -> tuple:
    """What decides which rows are the test data, and how they are binarised."""
    data = run.config.data
    return data.test, data.validation, run.config.seed if data.split_seed is None else data.split_seed

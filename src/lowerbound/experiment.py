"""The whole way: data → fitted, evaluated and illustrated run, and back from a run to its data and its figures."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lowerbound.assemble import Assembly, assemble, split_seed
from lowerbound.config import Config, DataSettings
from lowerbound.data import Dataset, Preparation, Splits, datasets, on_scale, open_data, restored, split
from lowerbound.data.rows import FileRows, Values, part
from lowerbound.data.spool import Made, collected
from lowerbound.errors import UserError
from lowerbound.evaluation import DistortionAlone, Evaluation
from lowerbound.illustrate import Subject, save_pictures, suited
from lowerbound.report import write_report
from lowerbound.run import Run
from lowerbound.source import Source
from lowerbound.trained import Trained
from lowerbound.training import EpochRecord, Result, fit

logger = logging.getLogger(__name__)

# Bytes of x that an evaluation and the figures look at, where the data is larger than memory.
_LOOKED_AT = 2**26

RowsOf = Literal["train", "validation", "test"]


def _silent(_: Any) -> None:
    pass


@dataclass(frozen=True)
class Watch:
    """Whom to tell how it goes; each is called with what has just become known."""

    understood: Callable[[str], None] = _silent
    """What the data is, and what was chosen for it: a line, and one for each thing to know about the source."""
    begun: Callable[[Run], None] = _silent
    """The run directory is there, and the training begins."""
    epoch: Callable[[EpochRecord], None] = _silent
    progress: Callable[[float], None] = _silent
    """Share of the training that is done, about once a second."""
    evaluating: Callable[[float], None] = _silent
    """Share of the evaluation that is done."""


class Outcome(NamedTuple):
    """What a fit ended with."""

    run: Run
    result: Result
    evaluation: Evaluation | DistortionAlone | None
    """None where the training was interrupted, or no test data was left out."""
    pictures: tuple[Path, ...]
    report: Path | None
    """None where the training was interrupted."""
    seconds: float
    """By the clock: reading, training, evaluation and pictures."""


def fit_run(
    source: str | Path, config: Config, directory: str | Path | None = None, *, watch: Watch | None = None
) -> Outcome:
    """Open data, choose what was left open, train, evaluate, and draw.

    Args:
        source: Name of a data set, or a path.
        config: Every setting.
        directory: Of the run; None: a new one in `runs/`, named after data and recipe.
        watch: Whom to tell how it goes.

    Raises:
        UserError: Bad data, settings that do not fit, or a directory that cannot be used.
    """
    watch = watch or Watch()
    began = time.perf_counter()
    dataset = open_with(source, config.data)
    assembly = assemble(dataset, config)
    _tell(watch, assembly, dataset)
    dataset = dataset.numbered(assembly.classes)
    # A name stays a name; a path is to be found again from another working directory.
    named = isinstance(source, str) and source in {one.name for one in datasets()}
    whole = str(source) if named else str(Path(source).expanduser().absolute())
    facts = Source.of(dataset, assembly, whole)
    run = Run.create(directory or free_directory(f"{dataset.name}-{config.recipe}"), assembly.config, facts)
    try:
        return _train(run, dataset, assembly, watch, began, resume=False)
    except UserError:
        run.discard_unless_begun()
        raise


def resume_run(
    directory: str | Path, overrides: Iterable[str] | Mapping[str, Any] = (), *, watch: Watch | None = None
) -> Outcome:
    """Continue the training of a run from its last saved state, then evaluate and draw.

    Where the state was not kept, as of a run that came with the library, the training goes on from the model's weights
    with fresh moments of the optimizer; of such a run a copy in `runs/` is continued.

    Args:
        directory: Of the run.
        overrides: Settings of `training` and `evaluation` that are changed, as for `Config.load`.
        watch: Whom to tell how it goes.

    Raises:
        UserError: No run or one that is damaged, other data than it began with, or a setting that cannot be changed.
    """
    watch = watch or Watch()
    began = time.perf_counter()
    run = Run.open(directory)
    config = run.config.overlaid(overrides)
    for entry in dataclasses.fields(Config):
        changed = getattr(config, entry.name) != getattr(run.config, entry.name)
        if changed and entry.name not in ("training", "evaluation"):
            raise UserError(
                f"A resume cannot change the setting {entry.name} of the run {run.directory}, only those of training "
                "and evaluation: begin a new run."
            )
    dataset = open_source(run)
    assembly = assemble(dataset, config)
    _tell(watch, assembly, dataset)
    reported: list[EpochRecord] = []
    if run.has_model and not run.has_state:
        logger.warning("no state of the training was kept: it goes on from the model's weights, with fresh moments")
        assembly.model.load_state_dict(run.load().model.state_dict())
        reported = [EpochRecord(**entry) for entry in run.metrics()]
    if run.came_with_library:
        run = run.copy(free_directory(run.directory.name))
    if config != run.config:
        run = Run(run.directory, config, run.source, run.versions)
        run.write()
    return _train(run, dataset, assembly, watch, began, resume=True, reported=reported)


def evaluate_run(
    run: Run,
    source: str | Path | None = None,
    *,
    rows: RowsOf = "test",
    particles: int = 1000,
    examples: int | None = None,
    seed: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Evaluation | DistortionAlone:
    """Compute every figure of a run's model.

    Those of its own test data are kept in the run, unless better ones are there (of more data, or importance samples),
    or it came with the library.

    Args:
        run: The run.
        source: Data of the same kind and shape, all rows of it; None: the run's own.
        rows: Which part of the run's own data.
        particles: Importance samples for each datum, K.
        examples: How many data to importance-sample, the first ones; None: all.
        seed: Of the draws; None: the run's.
        on_progress: Called now and then with the share of the importance sampling that is done.

    Raises:
        UserError: No such data, or data that does not fit the model.
    """
    trained = run.load(best_device())
    if source is None:
        dataset = open_source(run)
        which, what = getattr(splits_of(dataset, run.config), rows), f"{rows} rows of {dataset.name}"
    else:
        dataset = open_for(run, source, trained.preparation)
        which, what = np.arange(len(dataset)), f"rows of {dataset.name}"
    found = _evaluate(run, trained, dataset, which, what, particles, examples, seed, on_progress)
    ours = source is None and rows == "test" and not run.came_with_library
    if ours and not _is_rougher(found, run.evaluation()):
        try:
            run.save_evaluation(found)
        except UserError as error:  # a run that can only be read can be evaluated all the same
            logger.warning("the figures are not kept in the run: %s", error)
    return found


def subject_of(run: Run) -> Subject:
    """What the figures of a run are drawn from: its model, and the data that it has not learned from.

    Raises:
        UserError: There is no model yet, or the data is not where or what it was.
    """
    return _subject(run, run.load(best_device()), open_source(run))


def open_with(source: str | Path, settings: DataSettings) -> Dataset:
    """Open data as the settings say.

    Raises:
        UserError: No such data, or data that the settings do not fit.
    """
    dataset = open_data(source, resize=settings.resize)
    return dataset if settings.maximum is None else on_scale(dataset, settings.maximum)


def open_source(run: Run) -> Dataset:
    """The data that a run was trained on.

    Raises:
        UserError: It is not where it was, or it is not what it was.
    """
    dataset = open_with(run.source.source, run.config.data)
    if dataset.fingerprint != run.source.fingerprint:
        raise UserError(
            f"{run.source.source} is not the data that the run {run.directory} began with, its values differ: put the "
            "old data back, or begin a new run."
        )
    return dataset.numbered(run.source.classes)


def open_for(run: Run, source: str | Path, preparation: Preparation) -> Dataset:
    """Data for a trained model, which may be other data than it was trained on.

    Raises:
        UserError: It is of another kind or shape, or has values that the model cannot be given.
    """
    dataset = open_with(source, run.config.data)
    run.source.check(dataset)
    preparation.check(dataset)
    return dataset.numbered(run.source.classes)


def splits_of(dataset: Dataset, config: Config) -> Splits:
    """The rows of each part, as the configuration has them."""
    return split(dataset, seed=split_seed(config), validation=config.data.validation, test=config.data.test)


def best_device() -> torch.device:
    """Where a trained model is run: on the accelerator, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def free_directory(name: str) -> Path:
    """A directory in `runs/` of this name, or with a number after it, that is not there yet."""
    base = path = Path("runs") / name
    number = 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


def _tell(watch: Watch, assembly: Assembly, dataset: Dataset) -> None:
    for line in (assembly.understood, *dataset.notes):
        watch.understood(line)


def _train(
    run: Run,
    dataset: Dataset,
    assembly: Assembly,
    watch: Watch,
    began: float,
    *,
    resume: bool,
    reported: Sequence[EpochRecord] = (),
) -> Outcome:
    config, splits, preparation = assembly.config, assembly.splits, assembly.preparation
    seed = split_seed(config)
    trained = Trained(assembly.model, preparation, dataset.shape)
    validated, learned = _few(splits.validation, dataset, trained), _few(splits.train, dataset, trained)
    validation = trained.observe(dataset.values[validated], seed) if len(validated) else None
    stored, prepare = _as_trained(dataset.part(splits.train), trained, config)
    watch.begun(run)

    def on_epoch(record: EpochRecord) -> None:
        run.append_metrics(dataclasses.asdict(record))
        watch.epoch(record)

    result = fit(
        assembly.model,
        assembly.objective,
        stored,
        validation,
        config.training,
        seed=config.seed,
        prepare=prepare,
        context=trained.context(dataset.labels_of(splits.train)),
        validation_context=trained.context(dataset.labels_of(validated)),
        state_dir=run.state,
        resume=resume,
        reported=reported,
        on_epoch=on_epoch,
        on_progress=watch.progress,
    )
    if result.stopped != "interrupted":
        trained.complete(dataset.values[learned], config.seed, dataset.labels_of(learned))
    run.save(trained)
    if result.stopped == "interrupted":
        run.save_evaluation(None)  # of a training that this one continues
        return Outcome(run, result, None, (), None, time.perf_counter() - began)
    evaluation = None
    if len(splits.test) >= 2:
        evaluation = _evaluate(
            run,
            trained,
            dataset,
            splits.test,
            f"test rows of {dataset.name}",
            config.evaluation.particles,
            config.evaluation.examples,
            None,
            watch.evaluating,
        )
    run.save_evaluation(evaluation)
    subject = _subject(run, trained, dataset)
    drawn = dict(suited(subject))
    pictures, report = save_pictures(run, drawn), write_report(subject, drawn)
    return Outcome(run, result, evaluation, pictures, report, time.perf_counter() - began)


def _subject(run: Run, trained: Trained, dataset: Dataset) -> Subject:
    splits = splits_of(dataset, run.config)
    return Subject(run, trained, dataset, _few(splits.test if len(splits.test) else splits.train, dataset, trained))


def _few(rows: np.ndarray, dataset: Dataset, trained: Trained) -> np.ndarray:
    """The rows; of data that is larger than memory, as many of them as fit, evenly spaced."""
    most = max(2, _LOOKED_AT // (4 * math.prod(trained.event_shape)))
    if not isinstance(dataset.values, FileRows) or len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _is_rougher(one: Evaluation | DistortionAlone, other: Evaluation | DistortionAlone | None) -> bool:
    """Whether another evaluation rests on more than this one."""
    if not (isinstance(one, Evaluation) and isinstance(other, Evaluation)):
        return False
    return one.particles < other.particles or one.nll_examples < other.nll_examples


def _as_trained(stored: Values, trained: Trained, config: Config) -> tuple[Tensor | FileRows, Preparation]:
    """The training data and its preparation: for static binarisation it is drawn here, once and for all."""
    preparation = trained.preparation
    if config.data.binarisation == "static":
        # In pieces: as x, in float32, all of it would take four times the memory.
        bounds = [piece[[0, -1]] for piece in np.array_split(np.arange(len(stored)), max(1, len(stored) // 4096))]
        seed = split_seed(config) + 2**32  # not the draws of validation and test data
        drawn = (
            trained.observe(part(stored, slice(first, last + 1)), seed + number).byte().cpu().numpy()
            for number, (first, last) in enumerate(bounds)
        )
        preparation = restored("binarise", {"maximum": 1}, {})
        if isinstance(stored, FileRows):
            stored = collected(Made(drawn, stored.shape, np.dtype(np.uint8)))
        else:
            stored = np.concatenate(list(drawn))
    return (torch.from_numpy(stored) if isinstance(stored, np.ndarray) else stored), preparation


def _evaluate(
    run: Run,
    trained: Trained,
    dataset: Dataset,
    rows: np.ndarray,
    what: str,
    particles: int,
    examples: int | None,
    seed: int | None,
    on_progress: Callable[[float], None] | None,
) -> Evaluation | DistortionAlone:
    metrics = run.metrics()
    few = _few(rows, dataset, trained)
    if len(few) < len(rows):
        what += f", evenly spaced among {len(rows):,} for the memory's sake"
    return trained.evaluate(
        dataset.values[few],
        particles,
        labels=dataset.labels_of(few),
        what=what,
        examples=examples,
        data_seed=split_seed(run.config),
        seed=run.config.seed if seed is None else seed,
        training_bound=metrics[-1]["distortion"] + metrics[-1]["rate"] if metrics else None,
        on_progress=on_progress,
    )

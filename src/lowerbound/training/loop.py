"""The one training loop.

Stored data lies in one tensor on the device and is indexed directly; where it is larger than memory, each step
reads its batch from the file. A step never waits for the device: what it has to say goes to a log there, which is read
about once a second.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from lowerbound.errors import UserError
from lowerbound.models import LatentModel
from lowerbound.nn.memory import freed_memory_kept
from lowerbound.nn.subnormals import subnormals_flushed
from lowerbound.objectives import Objective
from lowerbound.training.adam import Adam
from lowerbound.training.device import Decision, choose_compile, choose_device, choose_precision, randomness
from lowerbound.training.facts import Facts, plain
from lowerbound.training.interruption import Interruption
from lowerbound.training.mishaps import what_happened, what_to_do
from lowerbound.training.records import EpochRecord, Result, TrainingError, bound
from lowerbound.training.schedule import Bounds, learning_rate
from lowerbound.training.settings import TrainingSettings
from lowerbound.training.state import Position, SavedState, TrainingState
from lowerbound.training.step import DISTORTION, GRADIENT_NORM, LOSS, RATE, Step, skipped
from lowerbound.training.streaming import Rows, Streamed, placed
from lowerbound.training.validation import automatic_interval, validation_bound

logger = logging.getLogger(__name__)

# The average takes every tenth step, with the decay of ten: a tenth of the cost, and no difference that shows.
AVERAGE_STEPS = 10
# Steps, or seconds, from one reading of the log to the next.
READ_STEPS, READ_SECONDS = 50, 1.0


def fit(
    model: LatentModel,
    objective: Objective,
    train: Shaped[Tensor, "N *stored"] | Rows,
    validation: Float[Tensor, "V *event"] | None,
    settings: TrainingSettings = TrainingSettings(),  # noqa: B008 — it is frozen
    *,
    seed: int,
    prepare: Callable[[Tensor], Tensor] | None = None,
    context: Float[Tensor, "N C"] | None = None,
    validation_context: Float[Tensor, "V C"] | None = None,
    state_dir: str | Path | None = None,
    resume: bool = False,
    reported: Sequence[EpochRecord] = (),
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Result:
    """Train a model, and leave in it the weights with the best validation bound, in evaluation mode.

    The bound that chooses them is the ELBO of the averaged weights, whatever the objective, with the same draws every
    time. The first SIGINT or SIGTERM ends the training after the step, with the state saved. Decisions and mishaps are
    logged under `lowerbound.training`. What is random comes from torch's default generators, seeded inside and left
    outside as they were.

    Args:
        model: The model; it is moved to the device.
        objective: What is minimised; a network of its own is trained along.
        train: Stored values; `Rows` that are no tensor are read a batch at a time.
        validation: Prepared data; with None or no rows nothing is validated, and the last weights are kept.
        settings: How to train.
        seed: Of the order of the data and of every draw.
        prepare: From stored values to what the model sees; where it draws, it draws anew at every step. None: the
            stored values are what the model sees.
        context: A covariate of each datum of the training, where the model is conditional.
        validation_context: The same of the validation data.
        state_dir: Where the state of the training is saved, and what a resume reads.
        resume: Continue from the state in `state_dir`, to the very weights of a training without interruption; where
            none was saved yet, begin. The model is given as it was at the beginning.
        reported: Of a training whose state is not kept, and whose best weights the model has, the records: it is
            continued after its last whole epoch, with fresh moments and the model's weights as the best so far.
        on_epoch: Called after each epoch, and at the end of a training that ends within one.
        on_progress: Called about once a second with the share of the training that is done, 0 … 1.

    Raises:
        UserError: No training data, a state that cannot be used, or a directory that cannot be written.
        TrainingError: More than `settings.max_skipped` steps were not finite; the state of the last good one is saved.
    """
    if len(train) == 0:
        raise UserError("There is nothing to learn from: the training data has no rows.")
    directory = None if state_dir is None else Path(state_dir)
    if resume and directory is None:
        raise ValueError("A resume needs the state_dir that the training was saved to.")
    saved = SavedState.read(directory) if resume and directory else None
    decisions = saved.standing_decisions(plain(settings, objective)) if saved else {}
    decisions["device"] = choose_device(settings.device, decisions.get("device"))
    device = torch.device(decisions["device"].choice)
    with (
        Interruption() as interruption,
        randomness(device, seed) as generators,
        freed_memory_kept(),
        subnormals_flushed(),
    ):
        loop = _Loop(
            model,
            objective,
            train,
            validation,
            settings,
            seed=seed,
            prepare=prepare or nn.Identity(),
            context=context,
            validation_context=validation_context,
            directory=directory,
            decisions=decisions,
            generators=generators,
            saved=saved,
            reported=reported,
        )
        return loop.run(interruption, on_epoch, on_progress)


class _Loop:
    """One call of `fit`."""

    def __init__(
        self,
        model: LatentModel,
        objective: Objective,
        train: Tensor | Rows,
        validation: Tensor | None,
        settings: TrainingSettings,
        *,
        seed: int,
        prepare: Callable[[Tensor], Tensor],
        context: Tensor | None,
        validation_context: Tensor | None,
        directory: Path | None,
        decisions: dict[str, Decision],
        generators: dict[str, torch.Generator],
        saved: SavedState | None,
        reported: Sequence[EpochRecord],
    ) -> None:
        self.started = time.monotonic()
        self.model, self.objective, self.settings, self.seed = model, objective, settings, seed
        self.directory, self.decisions = directory, decisions
        self.device = torch.device(decisions["device"].choice)
        precision = decisions.setdefault("precision", choose_precision(settings.precision, self.device)).choice

        network = objective.network
        trained = nn.ModuleList([model] if network is None else [model, network]).to(self.device).train()
        if isinstance(prepare, nn.Module):
            prepare.to(self.device)
        self.train = placed(train, self.device)
        self.validation = validation.to(self.device) if validation is not None and len(validation) else None
        self.context = None if context is None else context.to(self.train.device)
        self.validation_context = None if validation_context is None else validation_context.to(self.device)
        self.batch_size = min(settings.batch_size, len(train))
        self.steps_per_epoch = len(train) // self.batch_size
        self.bounds = Bounds.of(settings, self.steps_per_epoch)

        optimizer = Adam([p for p in trained.parameters() if p.requires_grad], settings.betas)
        self.step = Step(model, objective, prepare, optimizer, clip=settings.clip, bfloat16=precision == "bfloat16")
        log = torch.zeros(self.steps_per_epoch, 4, device=self.device)
        self.state = TrainingState(model, network, optimizer, generators, log, averaging=settings.average > 0)
        if reported and not saved:
            self.state.position = Position.after(reported, self.steps_per_epoch)
        if directory:
            self.facts = Facts.of(model, objective, train, validation, settings, seed, context)
            self.started = time.monotonic()  # of data in a file the digest may take a minute, which is no training
        if saved:
            saved.facts.check(self.facts, saved.path)
            self.state.restore(saved)
        self.started -= self.state.position.seconds
        # After the last step of an epoch the epoch is still this one, as it is without an interruption.
        self.epoch = max(0, self.state.position.step - 1) // self.steps_per_epoch
        self.read_to = self.state.position.step - self.epoch * self.steps_per_epoch
        self.order = self._order()
        self.saved_seconds = self.read_seconds = self.state.position.seconds

        self._decide_on_compiling()
        for decision in decisions.values():
            logger.info("%s", decision)
        self._write_state()

    def run(
        self,
        interruption: Interruption,
        on_epoch: Callable[[EpochRecord], None] | None,
        on_progress: Callable[[float], None] | None,
    ) -> Result:
        """Step after step, until there is a reason to stop."""
        settings, state, size = self.settings, self.state, self.batch_size
        position = state.position
        while (stopped := self._reason_to_stop() or ("interrupted" if interruption.requested else None)) is None:
            index = position.step - self.epoch * self.steps_per_epoch
            if index == self.steps_per_epoch:
                self.epoch, self.read_to, index = self.epoch + 1, 0, 0
                self.order = self._order()
            rows = self.order[index * size : (index + 1) * size]
            batch = self._batch(rows)
            if isinstance(self.train, Streamed):
                self.train.expect(self.order[(index + 1) * size : self.steps_per_epoch * size], size)
            share = self.bounds.share(position.step + 0.5, position.seconds)
            self.model.advance(share)
            self.step(*batch, state.log[index], share, learning_rate(settings, share))
            position.step += 1
            position.seconds = time.monotonic() - self.started
            if position.step % AVERAGE_STEPS == 0:
                state.average(settings.average)

            epoch_ends = index + 1 == self.steps_per_epoch
            saving = position.seconds - self.saved_seconds >= 60 * settings.checkpoint_minutes
            reading = position.step % READ_STEPS == 0 or position.seconds - self.read_seconds >= READ_SECONDS
            if epoch_ends or saving or reading:
                self._read_log()
                if on_progress:
                    on_progress(self.bounds.share(position.step, position.seconds))
            if epoch_ends:
                self._report(on_epoch, last=self._reason_to_stop() is not None)
            if saving:
                self._save()

        self._read_log()
        if stopped != "interrupted" and position.validated != position.step:
            self._report(on_epoch, last=True)
        self._save()
        if position.best_step is None:
            state.average(settings.average)
            state.keep_as_best()
        self.model.load_state_dict(state.best)
        self.model.eval()
        self.model.compiled = False
        return Result(
            epochs=position.step // self.steps_per_epoch,
            steps=position.step,
            seconds=position.seconds,
            stopped=stopped,
            best_step=position.best_step,
            best_bound=position.best_bound,
            skipped=position.skipped,
            decisions=tuple(self.decisions.values()),
        )

    def _order(self) -> Int[Tensor, "N"]:
        """The rows in the order of this epoch: a function of seed and epoch, so that a resume finds its place."""
        mixed = np.random.SeedSequence((self.seed, self.epoch)).generate_state(1, np.uint64).item()
        generator = torch.Generator().manual_seed(mixed)
        return torch.randperm(len(self.train), generator=generator).to(self.train.device)

    def _batch(self, rows: Int[Tensor, "B"]) -> tuple[Tensor, Tensor | None]:
        """Stored values and contexts of some rows."""
        return self.train.index_select(0, rows), None if self.context is None else self.context.index_select(0, rows)

    def _decide_on_compiling(self) -> None:
        batch = self._batch(torch.arange(self.batch_size, device=self.train.device))
        position = self.state.position

        def seconds_left() -> float:
            times = [self.step.rehearse(*batch) for _ in range(7)]
            return self.bounds.seconds_left(position.step, position.seconds, median(times[2:]))

        precision = self.decisions["precision"].choice
        decision = self.decisions.get("compile") or choose_compile(
            self.settings.compile,
            self.device,
            precision,
            seconds_left,
            recurrent=self.model.recurrent,
            convolutional=self.step.channels_last,
        )
        failure = self.step.compile(*batch) if decision.choice == "compiled" else None
        self.decisions["compile"] = failure or decision

    def _reason_to_stop(self) -> Literal["epochs", "minutes", "patience"] | None:
        position, bounds = self.state.position, self.bounds
        if bounds.steps is not None and position.step >= bounds.steps:
            return "epochs"
        if bounds.seconds is not None and position.seconds >= bounds.seconds:
            return "minutes"
        if self.settings.patience and position.stale >= self.settings.patience:
            return "patience"
        return None

    def _read_log(self) -> None:
        """Look for steps that were skipped since the last reading.

        Raises:
            TrainingError: There were too many since the beginning.
        """
        position = self.state.position
        begin, self.read_to = self.read_to, position.step - self.epoch * self.steps_per_epoch
        self.read_seconds = position.seconds
        log = self.state.log[begin : self.read_to].cpu()
        bad = skipped(log).nonzero().flatten().tolist()
        if not bad:
            return
        position.skipped += len(bad)
        index = begin + bad[0]
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        first = what_happened(log[bad[0]], self.epoch * self.steps_per_epoch + index + 1, self.epoch + 1, rows)
        if position.skipped > self.settings.max_skipped:
            self._save()
            kept = f", with the state of step {self.saved_step} saved," if self.directory else ""
            raise TrainingError(
                f"The training was stopped{kept} after {position.skipped} steps that had to be skipped: {first}; "
                f"{what_to_do(self.train[rows], rows)}."
            )
        logger.warning("%d of the last steps had to be skipped: %s.", len(bad), first)

    def _report(self, on_epoch: Callable[[EpochRecord], None] | None, *, last: bool) -> None:
        """Validate, where it is due, and hand out the record of the epoch."""
        position = self.state.position
        share = self.bounds.share(position.step, position.seconds)
        distortion, rate = self._validate(share) if last or (self.epoch + 1) % self._interval == 0 else (None, None)
        log = self.state.log[: self.read_to]
        means = log[~skipped(log)].double().mean(0).tolist()
        if on_epoch is None:
            return
        on_epoch(
            EpochRecord(
                epoch=self.epoch + 1,
                step=position.step,
                seconds=position.seconds,
                loss=means[LOSS],
                distortion=means[DISTORTION],
                rate=means[RATE],
                validation_distortion=distortion,
                validation_rate=rate,
                learning_rate=learning_rate(self.settings, share),
                gradient_norm=means[GRADIENT_NORM],
                beta=self.objective.kl_weight(torch.tensor(share)).item(),
                skipped=position.skipped,
            )
        )

    @property
    def _interval(self) -> int:
        """Epochs from one validation to the next."""
        if self.settings.validate_every != "auto":
            return self.settings.validate_every
        return automatic_interval(0 if self.validation is None else len(self.validation), len(self.train))

    def _validate(self, share: float) -> tuple[float | None, float | None]:
        """Bring the averaged weights up to date, compute their bound, and keep them where it is the best so far.

        Returns:
            Distortion and rate, in nats per datum.
        """
        state, position = self.state, self.state.position
        state.average(self.settings.average)
        position.validated = position.step
        if self.validation is None:
            return None, None
        state.averaged.advance(share)
        distortion, rate = validation_bound(
            state.averaged,
            self.validation,
            batch_size=self.batch_size,
            pathwise=self.objective.pathwise,
            seed=self.seed,
            context=self.validation_context,
        )
        reached = bound(distortion, rate)
        if math.isfinite(reached) and (position.best_bound is None or reached > position.best_bound):
            position.best_step, position.best_bound, position.stale = position.step, reached, 0
            state.keep_as_best()
        elif share >= self.objective.kl_warmup:
            position.stale += 1
        return distortion, rate

    def _write_state(self) -> None:
        if self.directory is not None:
            self.state.position.seconds = self.saved_seconds = time.monotonic() - self.started
            self.state.save(self.directory, self.facts, self.decisions.values())
            self.saved_step = self.state.position.step

    def _save(self) -> None:
        """Save the state; where that fails, the training goes on, and the last good state is still there."""
        try:
            self._write_state()
        except UserError as error:
            self.saved_seconds = self.state.position.seconds  # the next attempt is due after the usual time
            logger.warning("%s The state of step %d is still there.", error, self.saved_step)

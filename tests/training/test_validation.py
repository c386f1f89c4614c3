"""Validation, the best weights, patience and averaging."""

from __future__ import annotations

import copy
import time

import pytest
import torch

from lowerbound.data.preparation import Binarise
from lowerbound.objectives import ELBO
from lowerbound.training import fit
from lowerbound.training.validation import automatic_interval, validation_bound
from training.cases import observed, pixels, settings, small_vae


def train(model=None, objective=None, validation=None, records=None, **changes):
    model = model or small_vae()
    result = fit(
        model,
        objective or ELBO(),
        pixels(),
        observed() if validation is None else validation,
        settings(**changes),
        seed=0,
        prepare=Binarise(255),
        on_epoch=None if records is None else records.append,
    )
    return model, result


def bound(model, seed=0):
    return -sum(validation_bound(model, observed(), batch_size=16, pathwise=True, seed=seed))


def test_the_bound_is_the_elbo_over_all_rows_whatever_the_batches():
    model = small_vae().eval()
    x = observed()
    torch.manual_seed(3)
    value = ELBO()(model.trace(x), torch.tensor(1.0))
    state = torch.get_rng_state()
    distortion, rate = validation_bound(model, x, batch_size=20, pathwise=True, seed=3)
    assert distortion == pytest.approx(value.distortion.item())
    assert rate == pytest.approx(value.rate.item())
    assert validation_bound(model, x, batch_size=7, pathwise=True, seed=3)[1] == pytest.approx(rate)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_weights_with_the_best_bound_are_left_in_evaluation_mode():
    """With a learning rate that spoils a good model after the first epochs, the best is not the last."""
    good, _ = train(epochs=60)
    records = []
    rough = {"learning_rate": 1.0, "decay": "constant", "warmup": 0.9, "average": 0, "validate_every": 1}
    model, result = train(copy.deepcopy(good), records=records, epochs=6, **rough)
    bounds = [-(record.validation_distortion + record.validation_rate) for record in records]
    assert result.best_bound == pytest.approx(max(bounds))
    assert result.best_step == records[bounds.index(max(bounds))].step < result.steps
    assert bound(model) == pytest.approx(result.best_bound)
    assert not any(module.training for module in model.modules())


def test_patience_ends_a_training_that_no_longer_improves():
    good, _ = train(epochs=60)
    records = []
    _, result = train(good, records=records, epochs=50, learning_rate=0.3, average=0, patience=3, validate_every=1)
    assert result.stopped == "patience"
    assert result.epochs == len(records) < 50
    best = next(record.epoch for record in records if record.step == result.best_step)
    assert result.epochs == best + 3


def test_patience_waits_for_the_end_of_the_warm_up():
    _, result = train(
        small_vae(), ELBO(kl_warmup=0.8), epochs=10, learning_rate=1e-6, patience=1, average=0, validate_every=1
    )
    assert result.epochs >= 8


def test_without_validation_data_the_last_averaged_weights_are_kept():
    model, result = train(validation=torch.empty(0, 1, 4, 5), average=0)
    other, _ = train(average=0)
    assert (result.best_step, result.best_bound) == (None, None)
    assert bound(model) == pytest.approx(bound(other), abs=0.5)


def test_the_average_is_that_of_the_formula():
    """Every tenth step with decay^10, younger averages with (1 + t) / (10 + t), against a plain loop."""
    steps, decay = 28, 0.9
    snapshots = []

    class Watching(Binarise):
        def forward(self, stored):
            snapshots.append([p.detach().clone() for p in model.parameters()])
            return super().forward(stored)

    model = small_vae()
    start = [p.detach().clone() for p in model.parameters()]
    fit(model, ELBO(), pixels(), None, settings(epochs=7, average=decay), seed=0, prepare=Watching(255))
    # The weights after step t are those that step t + 1 begins with; those after the last step are not watched.
    last = small_vae()
    fit(last, ELBO(), pixels(), None, settings(epochs=7, average=0), seed=0, prepare=Binarise(255))
    after = {t: snapshots[t] for t in range(1, steps)} | {steps: [p.detach() for p in last.parameters()]}
    average, before = start, 0
    for t in (4, 8, 10, 12, 16, 20, 24, 28):  # a tenth step, or the end of an epoch of four, which is validated
        kept = min(decay, (1 + t) / (10 + t)) ** (t - before)
        average = [kept * old + (1 - kept) * new for old, new in zip(average, after[t], strict=True)]
        before = t
    for ours, theirs in zip(model.parameters(), average, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("validated", "trained", "interval"), [(0, 100, 1), (10, 1000, 1), (1000, 1000, 7)])
def test_the_automatic_interval_keeps_validation_to_a_twentieth(validated, trained, interval):
    assert automatic_interval(validated, trained) == interval


def test_validation_changes_nothing_of_the_training():
    """The weights of a training that is validated at its end alone are those of one without validation data."""
    validated, result = train(average=0, validate_every=4, epochs=4)
    alone, _ = train(average=0, epochs=4, validation=torch.empty(0, 1, 4, 5))
    assert result.best_step == 16
    assert all(torch.equal(p, q) for p, q in zip(validated.parameters(), alone.parameters(), strict=True))


def test_the_caller_s_generator_is_left_as_it_was():
    torch.manual_seed(11)
    state = torch.get_rng_state()
    train(small_vae())
    torch.manual_seed(11)
    assert torch.equal(torch.get_rng_state(), state)


def test_minutes_bound_a_training_whose_learning_rate_comes_to_its_end():
    """0.03 minutes: it ends between 1.8 and 3.5 s, with the last learning rate near 0."""
    records = []
    began = time.monotonic()
    _, result = train(records=records, epochs=None, max_minutes=0.03)
    assert result.stopped == "minutes"
    assert 1.8 <= time.monotonic() - began < 3.5
    assert records[-1].learning_rate < 0.01 * max(record.learning_rate for record in records)


def test_the_last_epoch_has_the_whole_weight_of_the_kl():
    records = []
    train(objective=ELBO(beta=3.0, kl_warmup=0.5), records=records, epochs=6)
    betas = [record.beta for record in records]
    assert betas == sorted(betas)
    assert betas[0] < betas[1] < betas[-1] == 3.0

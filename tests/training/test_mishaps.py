"""Steps that are not finite: what is skipped, what is said, and when the training stops."""

from __future__ import annotations

import logging
import re

import pytest
import torch
from torch import nn

from lowerbound.data.preparation import Binarise, Identity
from lowerbound.objectives import ELBO
from lowerbound.objectives.objective import Objective, Value
from lowerbound.training import TrainingError, fit
from lowerbound.training.state import SavedState
from training.cases import observed, pixels, settings, small_vae


class Spoiled(nn.Module):
    """Binarised pixels, in which one is not a number in the steps with these numbers, from 1."""

    def __init__(self, steps):
        super().__init__()
        self.inner, self.steps, self.calls = Binarise(255), steps, 0

    def forward(self, stored):
        self.calls += 1
        x = self.inner(stored)
        if self.calls in self.steps:
            x[0, 0, 0, 0] = float("nan")
        return x


class Broken(Objective):
    """The lower bound with one term spoiled."""

    def __init__(self, term):
        self.term = term

    def __call__(self, trace, progress):
        value = ELBO()(trace, progress)
        nan = torch.full((), float("nan"))
        if self.term == "rate":
            return Value(value.loss * nan, value.distortion, value.rate * nan)
        if self.term == "gradient":
            # √ has an infinite slope at 0, while its value is finite.
            return value._replace(loss=value.loss + (0 * value.loss).sqrt())
        return value._replace(loss=value.loss * nan)


def train(prepare, objective=None, model=None, records=None, **changes):
    return fit(
        model or small_vae(),
        objective or ELBO(),
        pixels(),
        observed(),
        settings(**{"epochs": 1, **changes}),
        seed=0,
        prepare=prepare,
        on_epoch=None if records is None else records.append,
    )


def test_a_single_bad_batch_is_survived_and_reported(caplog):
    caplog.set_level(logging.WARNING, "lowerbound")
    records = []
    result = train(Spoiled({2}), records=records)
    assert (result.skipped, records[0].skipped) == (1, 1)
    assert result.best_bound is not None
    found = re.fullmatch(
        r"1 of the last steps had to be skipped: the distortion \(-log p\(x\|z\)\) of step 2 \(epoch 1, rows "
        r"(\d+, \d+, \d+, \d+, \d+), … of the training data\) was not finite\.",
        caplog.messages[0],
    )
    assert found
    assert all(0 <= int(row) < 70 for row in found[1].split(", "))
    # The means of the epoch are those of the other steps.
    assert records[0].loss == pytest.approx(records[0].distortion + records[0].rate)


def test_a_skipped_step_leaves_the_weights_as_they_were():
    """A training of four steps, all of them bad, ends in the weights that it began with."""
    model = small_vae()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert train(Spoiled({1, 2, 3, 4}), model=model).skipped == 4
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_skipped_step_is_as_if_it_had_not_been():
    """With a constant learning rate, three steps around a bad one give the moments and weights of those three."""
    one, other = small_vae(), small_vae()
    constant = {"decay": "constant", "warmup": 0.0, "average": 0}
    images = pixels(16)  # one batch, whichever order

    def run(model, prepare, epochs):
        fit(model, ELBO(), images, None, settings(epochs=epochs, **constant), seed=0, prepare=prepare)

    class Constant(nn.Module):
        """The same pixels at each step but the spoiled ones."""

        def __init__(self, spoiled):
            super().__init__()
            self.spoiled, self.calls = spoiled, 0

        def forward(self, stored):
            self.calls += 1
            torch.manual_seed(self.calls - (self.calls > 2 and bool(self.spoiled)))
            x = stored.sort(0).values / 255
            return x * float("nan") if self.calls in self.spoiled else x

    run(one, Constant({2}), 4)
    run(other, Constant(set()), 3)
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name])


@pytest.mark.parametrize(
    ("term", "words"),
    [("rate", "the rate (KL) of step 1"), ("loss", "the loss of step"), ("gradient", "the gradient of")],
)
def test_the_term_is_named(term, words, caplog):
    caplog.set_level(logging.WARNING, "lowerbound")
    assert train(Binarise(255), Broken(term)).skipped == 4
    assert words in caplog.text


def test_too_many_stop_the_training_with_the_last_good_state_saved(tmp_path):
    with pytest.raises(TrainingError) as error:
        fit(
            small_vae(),
            ELBO(),
            pixels(),
            observed(),
            settings(max_skipped=2),
            seed=0,
            prepare=Spoiled({5, 6, 7}),
            state_dir=tmp_path,
        )
    message = str(error.value)
    assert message.startswith(
        "The training was stopped, with the state of step 8 saved, after 3 steps that had to be skipped: the distortion"
    )
    assert "of step 5 (epoch 2, rows " in message
    assert message.endswith("lower training.learning_rate, or set training.clip.")
    assert "\n" not in message
    saved = SavedState.read(tmp_path)
    assert saved.position.step == 8
    weights = [tensor for name, tensor in saved.tensors.items() if name.startswith(("model.", "averaged.", "means."))]
    assert all(tensor.isfinite().all() for tensor in weights)


def test_data_that_is_not_finite_is_found():
    x = torch.randn(40, 1, 4, 5)
    x[[3, 17], 0, 2, 2] = float("inf")
    with pytest.raises(
        TrainingError, match=r"rows [\d, ]+ of the training data hold values that are not finite"
    ) as error:
        fit(small_vae(), ELBO(), x, None, settings(batch_size=40, max_skipped=0), seed=0, prepare=Identity())
    rows = re.search(r"rows ([\d, ]+) of the training data hold", str(error.value))
    assert rows
    assert set(rows[1].split(", ")) == {"3", "17"}

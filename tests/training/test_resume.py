"""A training that was interrupted ends where one without an interruption does, to the bit."""

from __future__ import annotations

import logging
import os
import shutil
import signal

import pytest
import torch

from lowerbound.data.preparation import Binarise
from lowerbound.errors import UserError
from lowerbound.objectives import ELBO, IWAE, FactorVAE
from lowerbound.training import fit
from lowerbound.training.state import NAME
from training.cases import (
    Training,
    assert_same,
    control_c,
    observed,
    pixels,
    settings,
    small_vae,
)

STEPS = range(1, 12)  # 3 epochs of 4 steps of 16 of the 70 rows; nothing is left to do after the last
FEW = (1, 4, 6, 11)

CASES = {
    "mlp": ("mlp", ELBO, {}),
    "mlp, bfloat16": ("mlp", ELBO, {"precision": "bfloat16"}),
    "mlp, IWAE, clipped, without averaging": ("mlp", lambda: IWAE(particles=3), {"clip": 1.0, "average": 0}),
    "mlp, warm-up of the KL": ("mlp", lambda: ELBO(kl_warmup=0.5), {"validate_every": 2}),
    "convolutions": ("conv", ELBO, {}),
    "convolutions, bfloat16, IWAE": ("conv", lambda: IWAE(particles=2), {"precision": "bfloat16"}),
}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """Makes trainings of one kind, each with its own directory."""
    network, objective, changes = CASES[request.param]
    return lambda name: Training(tmp_path / name, network, objective(), changes)


@pytest.fixture
def steps(case):
    """After which steps to interrupt it: all, or a few of a slow one."""
    return FEW if case("").network == "conv" else STEPS


def test_interrupted_at_any_step_it_ends_in_the_same_weights(case, steps):
    whole = case("whole")
    whole.run()
    assert whole.result.stopped == "epochs"
    for step in steps:
        broken = case(f"broken-{step}")
        assert broken.run(before={step: control_c}).stopped == "interrupted"
        assert broken.result.steps == step
        assert broken.run(resume=True).stopped == "epochs"
        assert_same(whole, broken)


def test_any_copy_of_the_state_directory_continues_to_the_same_weights(case, steps):
    whole, copied = case("whole"), case("copied")
    whole.run()
    copies = {step: case(f"copy-{step}") for step in steps}

    def copier(copy):
        return lambda: shutil.copytree(copied.state_dir, copy.state_dir)

    copied.run(checkpoint_minutes=0, before={step + 1: copier(copy) for step, copy in copies.items()})
    assert_same(whole, copied)
    for step, copy in copies.items():
        assert copy.state()[1]["step"] == step
        copy.records = [record for record in copied.records if record["step"] <= step]
        copy.run(resume=True)
        assert_same(whole, copy)


def test_several_interruptions_are_as_good_as_one(tmp_path):
    whole, broken = Training(tmp_path / "whole"), Training(tmp_path / "broken")
    whole.run()
    for _ in range(5):
        broken.run(resume=True, before={2: control_c})
    broken.run(resume=True)
    assert_same(whole, broken)


def test_an_objective_with_a_network_of_its_own_is_resumed_too(tmp_path):
    def training(name):
        torch.manual_seed(0)
        return Training(tmp_path / name, objective=FactorVAE(latent_dim=3, hidden=(6,)))

    whole, broken = training("whole"), training("broken")
    before = {name: tensor.clone() for name, tensor in whole.objective.network.state_dict().items()}
    whole.run()
    broken.run(before={5: control_c})
    broken.objective = training("fresh").objective
    broken.run(resume=True)
    assert_same(whole, broken)
    after = whole.objective.network.state_dict()
    assert all(not torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(torch.equal(after[name], tensor) for name, tensor in broken.objective.network.state_dict().items())


def test_a_training_that_has_ended_stays_where_it_is(tmp_path):
    training = Training(tmp_path)
    training.run()
    state, weights, records = training.state(), training.model.state_dict(), len(training.records)
    assert training.run(resume=True).stopped == "epochs"
    assert len(training.records) == records
    assert training.state()[1] == state[1]
    assert all(torch.equal(tensor, training.state()[0][name]) for name, tensor in state[0].items())
    assert all(torch.equal(tensor, training.model.state_dict()[name]) for name, tensor in weights.items())


def test_sigterm_is_a_request_to_end_as_control_c_is(tmp_path):
    whole, broken = Training(tmp_path / "whole"), Training(tmp_path / "broken")
    whole.run()
    assert broken.run(before={3: lambda: os.kill(os.getpid(), signal.SIGTERM)}).stopped == "interrupted"
    broken.run(resume=True)
    assert_same(whole, broken)


def test_where_nothing_was_saved_yet_a_resume_begins(tmp_path):
    whole, resumed = Training(tmp_path / "whole"), Training(tmp_path / "not" / "there" / "yet")
    whole.run()
    resumed.run(resume=True)
    assert_same(whole, resumed)


def test_the_time_before_the_interruption_counts(tmp_path):
    training = Training(tmp_path)
    before = training.run(before={6: control_c}).seconds
    assert training.run(resume=True).seconds > before
    seconds = [record["seconds"] for record in training.records]
    assert seconds == sorted(seconds)


def test_changed_settings_are_logged_and_respected(tmp_path, caplog):
    training = Training(tmp_path)
    training.run(before={6: control_c})
    caplog.set_level(logging.WARNING, "lowerbound")
    training.run(resume=True, epochs=5, learning_rate=0.002, decay="constant")
    assert [record.getMessage() for record in caplog.records] == [
        "training.epochs: 3 before, 5 now",
        "training.learning_rate: 0.01 before, 0.002 now",
        "training.decay: cosine before, constant now",
    ]
    assert (training.result.epochs, training.result.steps) == (5, 20)
    assert training.records[-1]["learning_rate"] == 0.002


def test_a_changed_objective_is_logged(tmp_path, caplog):
    training = Training(tmp_path)
    training.run(before={6: control_c})
    caplog.set_level(logging.WARNING, "lowerbound")
    training.objective = IWAE(particles=2)
    training.run(resume=True)
    assert "objective: ELBO(" in caplog.text
    assert "before, IWAE(particles=2" in caplog.text


def test_another_number_of_threads_is_logged(tmp_path, caplog):
    training = Training(tmp_path)
    training.run(before={6: control_c})
    caplog.set_level(logging.WARNING, "lowerbound")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        training.run(resume=True)
    finally:
        torch.set_num_threads(threads)
    assert f"threads: {threads} before, {threads + 1} now; the last digits of the weights may differ" in caplog.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 6}, "the seed 5, not 6"),
        ({"train": pixels(seed=3)}, "the training data [70, 1, 4, 5] uint8 "),
        ({"train": pixels(n=71)}, "not [71, 1, 4, 5] uint8 "),
        ({"validation": observed(seed=3)}, "the validation data [20, 1, 4, 5] float32 "),
        ({"validation": None}, "not none: "),
        ({"settings": settings(batch_size=17)}, "the batch_size 16, not 17"),
        ({"model": small_vae(hidden=(9, 7), activation="tanh")}, "the model VAE "),
        ({"model": small_vae("conv")}, "the model VAE "),
        ({"model": small_vae(hidden=(9, 8))}, "does not belong to this model"),
        ({"settings": settings(average=0)}, "does not belong to this model and these settings (averaged."),
    ],
)
def test_a_state_of_another_training_is_refused(tmp_path, change, words):
    Training(tmp_path).run(before={2: control_c})
    state = (tmp_path / NAME).read_bytes()
    given = {
        "model": small_vae(),
        "objective": ELBO(),
        "train": pixels(),
        "validation": observed(),
        "settings": settings(),
        "seed": 5,
    }
    with pytest.raises(UserError) as error:
        fit(**{**given, **change}, prepare=Binarise(255), state_dir=tmp_path, resume=True)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert (tmp_path / NAME).read_bytes() == state


def test_a_damaged_state_is_refused(tmp_path):
    training = Training(tmp_path)
    training.run(before={2: control_c})
    state = (tmp_path / NAME).read_bytes()
    for damaged in (state[:-1], state[: len(state) // 2], b"", state[:-1] + bytes([state[-1] ^ 1])):
        (tmp_path / NAME).write_bytes(damaged)
        with pytest.raises(UserError, match=r"The training state .* is truncated or was changed: go back to a copy"):
            training.run(resume=True)


def test_a_resume_needs_a_directory():
    with pytest.raises(ValueError, match="state_dir"):
        fit(small_vae(), ELBO(), pixels(), None, settings(), seed=0, resume=True)

"""A fit from Python: seeds, protocols, interruptions."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from conftest import EPOCHS, SMALL
from lowerbound import experiment
from lowerbound.config import Config
from lowerbound.experiment import Watch, evaluate_run, fit_run, open_source, resume_run, splits_of
from lowerbound.files import load_tensors
from lowerbound.run import Run


def weights(run):
    return load_tensors(run.path("model.safetensors"), kind="model", version=1)[0]


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one) and one.keys() == other.keys()


def test_the_seed_decides_everything(tmp_path, digits_file, small_run):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    again = fit_run(digits_file, Config.load("vae", SMALL), tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    other = fit_run(digits_file, Config.load("vae", {**SMALL, "seed": 1}), tmp_path / "other")
    assert same(weights(again.run), weights(small_run))
    assert not same(weights(other.run), weights(small_run))
    without_time = [
        {k: v for k, v in entry.items() if k != "seconds"} for run in (again.run, small_run) for entry in run.metrics()
    ]
    assert without_time[:EPOCHS] == without_time[EPOCHS:]


def test_the_evaluation_of_a_fit_is_that_of_the_run(small_run):
    from lowerbound.evaluation import Evaluation

    written = Evaluation.from_json(small_run.path("evaluation.json").read_text())
    again = evaluate_run(small_run, particles=20)
    assert (again.nll, again.negative_elbo, again.protocol) == (written.nll, written.negative_elbo, written.protocol)


def test_a_run_keeps_the_evaluation_that_rests_on_more(small_run, tmp_path):
    """Of its own test data only; what has fewer importance samples or rows takes the place of nothing."""
    shutil.copytree(small_run.directory, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    first = run.evaluation()
    for options in ({"particles": 19}, {"particles": 90, "examples": 30}, {"particles": 90, "rows": "train"}):
        evaluate_run(run, **options)
        assert run.evaluation() == first
    better = evaluate_run(run, particles=21)
    assert run.evaluation() == better
    run.save_evaluation(None)
    assert run.evaluation() is None
    assert evaluate_run(run, particles=2) == run.evaluation()


def test_splits_are_disjoint_and_the_same_every_time(small_run):
    dataset = open_source(small_run)
    splits = splits_of(dataset, small_run.config)
    assert sorted(np.concatenate(splits)) == list(range(300))
    again = splits_of(dataset, Run.open(small_run.directory).config)
    assert all(np.array_equal(one, other) for one, other in zip(splits, again, strict=True))


def test_static_binarisation_shows_the_same_pixels_at_every_epoch(tmp_path, digits_file):
    seen = []
    real = experiment.fit

    def spy(model, objective, train, validation, settings, *, prepare, **rest):
        seen.append((train, [prepare(train[:50]) for _ in range(2)]))
        return real(model, objective, train, validation, settings, prepare=prepare, **rest)

    for binarisation in ("static", "dynamic"):
        config = Config.load("vae", {**SMALL, "model.likelihood": "bernoulli", "data.binarisation": binarisation})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(experiment, "fit", spy)
            fit_run(digits_file, config, tmp_path / binarisation)
    (static, (one, same_again)), (dynamic, (other, another)) = seen
    assert set(static.unique().tolist()) == {0, 1}
    assert torch.equal(one, same_again)
    assert dynamic.max() == 16
    assert not torch.equal(other, another)


def test_no_test_rows_no_figures(tmp_path, digits_file):
    outcome = fit_run(digits_file, Config.load("vae", {**SMALL, "data.test": 0}), tmp_path / "run")
    assert outcome.evaluation is None
    assert not (tmp_path / "run" / "evaluation.json").exists()
    assert len(outcome.pictures) == 9


def test_the_watch_hears_everything_in_order(tmp_path, digits_file):
    heard = []
    watch = Watch(
        understood=lambda line: heard.append("understood"),
        begun=lambda run: heard.append("begun"),
        epoch=lambda record: heard.append(record.epoch),
        progress=lambda share: heard.append(share),
        evaluating=lambda share: heard.append("evaluating"),
    )
    fit_run(digits_file, Config.load("vae", SMALL), tmp_path / "run", watch=watch)
    assert heard[: heard.index("begun")] == ["understood"] * 3  # the line, how the array was read, its scale
    assert [entry for entry in heard if isinstance(entry, int)] == list(range(1, EPOCHS + 1))
    shares = [entry for entry in heard if isinstance(entry, float)]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert heard[-1] == "evaluating"


SCRIPT = """
import sys
from lowerbound.cli import main
sys.argv = ["lowerbound", *sys.argv[1:]]
main()
"""


def begin(*words, wait_for):
    """The command in a process of its own, and the path that shows that it is under way."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    give_up = time.monotonic() + 60
    while not wait_for.exists() and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.05)
    return process


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_continue(tmp_path, digits_file):
    settings = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    directory = tmp_path / "run"
    process = begin(
        "fit", digits_file, *settings, "--epochs", 100_000, "--out", directory,
        wait_for=directory / "state" / "training.safetensors",
    )  # fmt: skip
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert f"lowerbound fit --resume {directory}" in out
    assert error == ""
    epochs = len(Run.open(directory).metrics())
    resumed = resume_run(directory, {"training.epochs": epochs + 2})
    assert resumed.result.epochs == epochs + 2


@pytest.mark.slow
def test_a_killed_fit_ends_in_the_weights_of_one_that_was_not(tmp_path, digits_file):
    # The two begin anew, and each would measure for itself whether to compile and what to compute in.
    decided = {"training.compile": "never", "training.precision": "float32"}
    config = {**SMALL, **decided, "training.epochs": 800, "training.checkpoint_minutes": 0.002}
    whole = fit_run(digits_file, Config.load("vae", config), tmp_path / "whole")
    directory = tmp_path / "killed"
    settings = [word for name, value in config.items() for word in ("--set", f"{name}={value}")]
    process = begin(
        "fit", digits_file, *settings, "--out", directory, wait_for=directory / "state" / "training.safetensors"
    )
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (directory / "model.safetensors").exists()
    resumed = resume_run(directory)
    assert same(weights(resumed.run), weights(whole.run))
    assert resumed.result.best_step == whole.result.best_step
    assert [entry["epoch"] for entry in resumed.run.metrics()] == list(range(1, 801))

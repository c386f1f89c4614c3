"""The run directory: what was saved is what is loaded, and every damage is one sentence."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import EPOCHS
from lowerbound.config import Config
from lowerbound.errors import UserError
from lowerbound.files import load_tensors, save_tensors
from lowerbound.run import Run
from lowerbound.source import Source
from lowerbound.training.records import bound

SOURCE = Source(
    source="digits",
    name="digits",
    kind="vector",
    shape=(3,),
    maximum=None,
    columns=("a", "b", "c"),
    fingerprint="sha256:00",
    train=8,
    validation=1,
    test=1,
    preparation="rescale",
    preparation_settings={"maximum": None},
    understood='ten rows, "quoted" = 3',
)


@pytest.fixture
def copied(tmp_path, small_run):
    """A copy of the small run that a test may damage."""
    directory = tmp_path / "run"
    shutil.copytree(small_run.directory, directory)
    return directory


def test_a_run_is_read_back_equal(tmp_path):
    config = Config.load("iwae", ["seed=4", "evaluation.examples=none"])
    run = Run.create(tmp_path / "a" / "run", config, SOURCE)
    again = Run.open(run.directory)
    assert (again.config, again.source, again.versions) == (config, SOURCE, run.versions)
    assert again.versions["torch"] == torch.__version__.split("+")[0] or again.versions["torch"] == torch.__version__


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_name_of_data_and_columns_is_read_back(tmp_path_factory, text, columns):
    source = dataclasses.replace(SOURCE, name=text, understood=text, columns=tuple(columns))
    run = Run.create(tmp_path_factory.mktemp("run"), Config(), source)
    assert Run.open(run.directory).source == source


def test_the_loaded_model_gives_the_same_numbers(small_run, digits_file):
    values = np.load(digits_file)["images"][:, None]
    trained = small_run.load()
    other = Run.open(small_run.directory).load()
    assert np.array_equal(trained.encode(values), other.encode(values))
    assert np.array_equal(trained.sample(5, seed=1), other.sample(5, seed=1))


def test_a_directory_that_holds_something_is_left_alone(tmp_path, copied):
    with pytest.raises(UserError, match=r"There is a run in .* already"):
        Run.create(copied, Config(), SOURCE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(UserError, match="is not empty"):
        Run.create(tmp_path / "other", Config(), SOURCE)
    with pytest.raises(UserError, match="Not a directory"):
        Run.create(tmp_path / "other" / "thesis.tex" / "run", Config(), SOURCE)


def test_what_is_no_run(tmp_path):
    with pytest.raises(UserError, match="There is no run directory"):
        Run.open(tmp_path / "none")
    with pytest.raises(UserError, match=r"it has no run\.toml"):
        Run.open(tmp_path)


def rewrite(path, change):
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "is truncated or was changed|is damaged"),
        (lambda text: text.replace("seed = 0", "seed = 1", 1), "was changed"),
        (lambda text: text.replace("maximum = 16", "maximum = 15", 1), "was changed"),
        (lambda text: text.replace("format = 1", "format = 2"), "newer version"),
        (lambda text: "", "was changed"),
        (lambda text: "\x00" + text, "not valid TOML"),
    ],
)
def test_a_damaged_run_toml(copied, change, message):
    rewrite(copied / "run.toml", change)
    with pytest.raises(UserError, match=message) as caught:
        Run.open(copied)
    assert "\n" not in str(caught.value)
    assert "run.toml" in str(caught.value)


@pytest.mark.parametrize("damage", ["missing", "truncated", "tampered", "empty", "foreign", "another run's", "newer"])
def test_a_damaged_model(copied, damage, table_run):
    path = copied / "model.safetensors"
    data = bytearray(path.read_bytes())
    match damage:
        case "missing":
            path.unlink()
            message = "has no model: its training has not ended, continue it with lowerbound fit --resume"
        case "truncated":
            path.write_bytes(data[: len(data) // 2])
            message = "truncated or was changed"
        case "tampered":
            data[-5] ^= 1
            path.write_bytes(data)
            message = "truncated or was changed"
        case "empty":
            path.write_bytes(b"")
            message = "truncated or was changed"
        case "foreign":
            save_tensors(path, {"a": torch.zeros(1)}, {}, kind="something else", version=1)
            message = "is not a model of lowerbound"
        case "another run's":
            shutil.copy(table_run.directory / "model.safetensors", path)
            message = "belongs to another run"
        case "newer":
            tensors, facts = load_tensors(path, kind="model", version=1)
            save_tensors(path, tensors, facts, kind="model", version=2)
            message = "written by a newer version"
    with pytest.raises(UserError, match=message) as caught:
        Run.open(copied).load()
    assert "\n" not in str(caught.value)


def test_metrics_of_epochs_that_are_reported_again_replace_the_old_ones(tmp_path):
    run = Run.create(tmp_path / "run", Config(), SOURCE)
    assert run.metrics() == []
    for epoch in (1, 2, 3):
        run.append_metrics({"epoch": epoch, "loss": 0.5})
    resumed = Run.open(run.directory)
    for epoch in (2, 3, 4):
        resumed.append_metrics({"epoch": epoch, "loss": 0.25})
    assert [(e["epoch"], e["loss"]) for e in resumed.metrics()] == [(1, 0.5), (2, 0.25), (3, 0.25), (4, 0.25)]


def test_a_torn_last_line_of_metrics_is_left_out_and_another_is_named(tmp_path):
    run = Run.create(tmp_path / "run", Config(), SOURCE)
    path = run.path("metrics.jsonl")
    path.write_text('{"epoch": 1}\n{"epoch": 2, "los')
    assert run.metrics() == [{"epoch": 1}]
    run.append_metrics({"epoch": 2})
    assert run.metrics() == [{"epoch": 1}, {"epoch": 2}]
    path.write_text('{"epoch": 1}\nrubbish\n{"epoch": 3}\n')
    with pytest.raises(UserError, match="damaged in line 2"):
        run.metrics()


def test_metrics_that_are_no_numbers_are_valid_json_and_come_back(tmp_path):
    """A deterministic encoder has an infinite rate, and an epoch whose steps were all skipped has no means."""
    run = Run.create(tmp_path / "run", Config(), SOURCE)
    none = {"validation_distortion": None, "validation_rate": None}
    run.append_metrics({"epoch": 1, "loss": 2.0, "distortion": 2.0, "rate": math.inf, **none})
    run.append_metrics({"epoch": 2, "loss": math.nan, "distortion": math.nan, "rate": math.nan, **none})
    rates = {"rate": math.inf, "validation_distortion": 3.0, "validation_rate": math.inf}
    run.append_metrics({"epoch": 3, "loss": 1.0, "distortion": 1.0, **rates})

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    for line in run.path("metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    first, second, third = run.metrics()
    assert first["rate"] == math.inf
    assert first["validation_rate"] is None
    assert all(math.isnan(second[name]) for name in ("loss", "distortion", "rate"))
    assert {name: third[name] for name in rates} == rates


def test_new_data_must_be_of_the_same_kind_shape_and_columns(small_run):
    from lowerbound.data import Dataset

    values = np.zeros((5, 1, 9, 8), np.uint8)
    with pytest.raises(UserError, match=r"trained on images of 8 × 8, grey, and x has images of 9 × 8, grey"):
        small_run.source.check(Dataset("x", "image", values, 255))
    with pytest.raises(UserError, match="x has rows of 64 numbers"):
        small_run.source.check(Dataset("x", "vector", np.zeros((5, 64), np.float32)))
    table = Dataset("x", "vector", np.zeros((5, 3), np.float32), columns=("a", "c", "b"))
    with pytest.raises(UserError, match="Column 2 of x is 'c', and the model was trained with 'b' there"):
        SOURCE.check(table)


def test_nothing_in_a_run_is_a_pickle(small_run):
    for path in small_run.directory.rglob("*"):
        if path.is_file():
            assert path.suffix in (".toml", ".jsonl", ".json", ".safetensors", ".png", ".html", ".onnx"), path
    evaluation = json.loads(small_run.path("evaluation.json").read_text())
    assert evaluation["particles"] == 20


def test_a_run_that_came_with_the_library_is_only_read(command, copied, monkeypatch, tmp_path):
    """What is drawn and written about it goes to `runs/`, where the user is."""
    (there := tmp_path / "library").mkdir()
    copied.rename(there / "small")
    shutil.rmtree(there / "small" / "figures")
    monkeypatch.setattr("lowerbound.run.PRETRAINED", there)
    (user := tmp_path / "user").mkdir()
    monkeypatch.chdir(user)
    before = {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}
    for words in (
        ("evaluate", "small", "--particles", 30),
        ("figure", "samples", "small"),
        ("report", "small"),
        ("fit", "--resume", "small", "--epochs", EPOCHS + 1),
    ):
        done = command(*words)
        assert done.code == 0, done.error
    assert {path: path.read_bytes() for path in there.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in (user / "runs" / "small").rglob("*.*")) == ["report.html", "samples.png"]
    assert len(Run.open(user / "runs" / "small-2").metrics()) == EPOCHS + 1


def test_a_training_whose_state_was_not_kept_goes_on_from_the_weights(command, copied):
    """With the validation bound that it had as the one to beat, and after the epochs that it had."""
    before = Run.open(copied).metrics()
    best = max(bound(entry["validation_distortion"], entry["validation_rate"]) for entry in before)
    weights = Run.open(copied).load().model.state_dict()
    shutil.rmtree(copied / "state")
    # A step that is next to nothing: the weights are still those that the training began with.
    done = command("fit", "--resume", copied, "--epochs", EPOCHS + 1, "--set", "training.learning_rate=1e-12")
    assert done.code == 0, done.error
    assert "no state of the training was kept" in done.out + done.error
    after = Run.open(copied).metrics()
    assert (after[:EPOCHS], after[-1]["epoch"]) == (before, EPOCHS + 1)
    assert after[-1]["seconds"] > before[-1]["seconds"]
    last = bound(after[-1]["validation_distortion"], after[-1]["validation_rate"])
    assert last == pytest.approx(best, abs=1e-3)
    for name, value in Run.open(copied).load().model.state_dict().items():
        torch.testing.assert_close(value, weights[name])


def test_where_nothing_can_be_drawn_about_a_run_of_the_library_one_sentence_says_so(
    command, copied, monkeypatch, tmp_path
):
    monkeypatch.setattr("lowerbound.run.PRETRAINED", copied.parent)
    (user := tmp_path / "user").mkdir()
    monkeypatch.chdir(user)
    (user / "runs").write_text("a file")
    for words in (("report", "run"), ("figure", "samples", "run")):
        done = command(*words)
        assert (done.code, "Cannot make the directory runs/run" in done.error) == (2, True)

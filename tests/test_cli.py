"""Each command as a user would call it, and what a mistake gets."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from conftest import EPOCHS, SMALL
from lowerbound.config import Config
from lowerbound.experiment import fit_run

SETTINGS = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
PICTURES = {
    "samples", "reconstructions", "learning_curves", "latent_space", "manifold", "traversals", "interpolation",
    "kl_per_latent", "prior_and_posterior",
}  # fmt: skip


def test_fit_ends_with_the_figures_and_where_everything_lies(command, tmp_path, digits_file):
    answer = command("fit", digits_file, *SETTINGS, "--out", tmp_path / "run")
    assert answer.code == 0, answer.error
    for words in (
        "300 images of 8 × 8, grey, 17 levels; likelihood ",
        ", because ",
        "216 to learn from, 24 for validation, 60 for the test",
        "Device: cpu, because",
        f"Trained {EPOCHS} epochs",
        f"Run       {tmp_path / 'run'}",
    ):
        assert words in answer.out
    assert re.search(r"−ELBO +[\d.]+ ± [\d.]+ nats +60 examples", answer.out)
    assert re.search(r"NLL +[\d.]+ ± [\d.]+ nats +60 examples, 20 importance samples each", answer.out)
    assert {path.stem for path in (tmp_path / "run" / "figures").iterdir()} == PICTURES
    for path in (tmp_path / "run" / "figures").iterdir():
        assert np.asarray(Image.open(path).convert("L")).std() > 10


def test_a_run_gets_a_directory_of_its_own(command, tmp_path, monkeypatch, digits_file):
    monkeypatch.chdir(tmp_path)
    for name in ("few-digits-vae", "few-digits-vae-2"):
        assert command("fit", digits_file, *SETTINGS).code == 0
        assert (tmp_path / "runs" / name / "model.safetensors").exists()


def test_a_training_that_cannot_begin_leaves_nothing_behind(command, tmp_path, digits_file):
    done = command("fit", digits_file, *SETTINGS, "--set", "training.device=cuda:7", "--out", tmp_path / "run")
    assert done.code == 2
    assert "set device = cpu" in done.error
    assert list(tmp_path.glob("run*")) == []


def test_evaluate_prints_its_protocol_and_repeats_its_figures(command, small_run, tmp_path):
    calls = [command("evaluate", small_run.directory, "--particles", 7, "-o", tmp_path / f"{i}.json") for i in range(2)]
    assert calls[0].code == 0, calls[0].error
    assert "K = 7 importance weights" in calls[0].out
    figures = [(tmp_path / f"{i}.json").read_text() for i in range(2)]
    without_time = [re.sub(r'"seconds": .*', "", text) for text in figures]
    assert without_time[0] == without_time[1]
    assert '"examples": 60' in figures[0]
    few = command("evaluate", small_run.directory, "--particles", 7, "--examples", 10, "--rows", "train")
    assert re.search(r"NLL .* 10 examples, 7 importance samples", few.out)
    assert "216 examples" in few.out


def test_evaluate_other_data_takes_all_of_its_rows(command, small_run, digits_file):
    answer = command("evaluate", small_run.directory, digits_file, "--particles", 3)
    assert "300 examples" in answer.out


def test_sample(command, small_run, table_run, tmp_path):
    assert command("sample", small_run.directory, "-n", 6, "-o", tmp_path / "a.npz").code == 0
    drawn = np.load(tmp_path / "a.npz")["samples"]
    assert drawn.shape == (6, 8, 8)
    assert np.array_equal(drawn, drawn.round())
    assert 0 <= drawn.min() <= drawn.max() <= 16
    command("sample", small_run.directory, "-n", 6, "--means", "-o", tmp_path / "b.npz")
    assert not np.array_equal(np.load(tmp_path / "b.npz")["samples"], drawn)
    command("sample", small_run.directory, "-n", 6, "--temperature", 0, "--means", "-o", tmp_path / "c.npz")
    cold = np.load(tmp_path / "c.npz")["samples"]
    assert np.ptp(cold, axis=0).max() < 1e-4
    assert command("sample", small_run.directory, "-o", tmp_path / "a.png").code == 0
    assert Image.open(tmp_path / "a.png").size[0] > 100
    assert command("sample", table_run.directory, "-n", 9, "-o", tmp_path / "t.parquet").code == 0
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.column_names == ["length", "width", "sum"]
    assert table.num_rows == 9


def test_encode(command, small_run, digits_file, tmp_path):
    assert command("encode", small_run.directory, digits_file, "-o", tmp_path / "z.npz").code == 0
    found = np.load(tmp_path / "z.npz")
    assert found["z"].shape == (300, 2)
    assert np.array_equal(found["label"], np.load(digits_file)["labels"])
    answer = command("encode", small_run.directory, digits_file, "-o", tmp_path / "z.parquet")
    assert "300 codes of 2 dimensions" in answer.out
    assert pq.read_table(tmp_path / "z.parquet").column_names == ["z_0", "z_1", "label"]


def test_reconstruct(command, small_run, digits_file, table_run, table_file, tmp_path):
    assert command("reconstruct", small_run.directory, digits_file, "-o", tmp_path / "r.npz").code == 0
    found = np.load(tmp_path / "r.npz")["reconstructions"]
    images = np.load(digits_file)["images"].astype(float)
    assert found.shape == images.shape
    assert ((found - images) ** 2).mean() < ((images.mean(0) - images) ** 2).mean()
    assert command("reconstruct", small_run.directory, digits_file, "-o", tmp_path / "r.png").code == 0
    command("reconstruct", table_run.directory, table_file, "-o", tmp_path / "r.parquet")
    assert pq.read_table(tmp_path / "r.parquet").column_names == ["length", "width", "sum"]


def test_score_finds_the_odd_rows(command, table_run, table_file, tmp_path):
    lines = table_file.read_text().splitlines()
    odd = tmp_path / "odd.csv"
    odd.write_text("\n".join([*lines[:50], "3,-1,40", *lines[50:60]]) + "\n")
    answer = command("score", table_run.directory, odd, "-o", tmp_path / "s.parquet")
    assert answer.code == 0, answer.error
    assert "Lowest, counted from 0: row 49 (" in answer.out
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.column_names == ["log_likelihood", "effective_sample_size"]
    assert int(np.argmin(table["log_likelihood"].to_numpy())) == 49


@pytest.fixture(scope="module")
def painter(tmp_path_factory, digits_file):
    """A run of a small DRAW of those digits, each given its label."""
    settings = {
        **{name: value for name, value in SMALL.items() if name != "model.network.hidden"},
        "training.epochs": 8,
        "model.family.steps": 5,
        "model.family.first_steps": 2,
        "model.family.units": 16,
        "model.condition": "label",
        "evaluation.particles": 3,
    }
    return fit_run(
        digits_file, Config.load("draw", settings), tmp_path_factory.mktemp("runs") / "painter"
    ).run.directory


def test_steps_of_a_sample_are_a_sheet_an_animation_or_the_canvases(command, painter, tmp_path):
    answer = command("sample", painter, "--steps", "-n", 6, "-o", tmp_path / "a.npz")
    assert (answer.code, "6 samples in 5 steps" in answer.out) == (0, True), answer.error
    found = np.load(tmp_path / "a.npz")
    assert (found["canvases"].shape, found["write"].shape, "read" in found) == ((6, 5, 8, 8), (6, 5, 6), False)
    command("sample", painter, "-n", 6, "--means", "-o", tmp_path / "b.npz")
    np.testing.assert_allclose(found["canvases"][:, -1], np.load(tmp_path / "b.npz")["samples"], atol=1e-3)
    assert command("sample", painter, "--steps", "-o", tmp_path / "a.png").code == 0
    assert np.asarray(Image.open(tmp_path / "a.png").convert("L")).std() > 10
    for name in ("a.gif", "a.apng"):
        assert command("sample", painter, "--steps", "-n", 4, "-o", tmp_path / name).code == 0
        with Image.open(tmp_path / name) as image:
            assert image.n_frames == 6


def test_fewer_steps_stop_the_same_painting_earlier(command, painter, tmp_path):
    command("sample", painter, "--steps", "-n", 3, "-o", tmp_path / "all.npz")
    command("sample", painter, "--steps", "--stop-after", 2, "-n", 3, "-o", tmp_path / "two.npz")
    command("sample", painter, "--stop-after", 2, "-n", 3, "--means", "-o", tmp_path / "last.npz")
    whole, part = (np.load(tmp_path / name)["canvases"] for name in ("all.npz", "two.npz"))
    np.testing.assert_allclose(part, whole[:, :2], atol=1e-4)
    np.testing.assert_allclose(np.load(tmp_path / "last.npz")["samples"], whole[:, 1], atol=1e-3)


def test_steps_of_a_reconstruction_show_what_was_read(command, painter, digits_file, tmp_path):
    assert command("reconstruct", painter, digits_file, "--steps", "-n", 7, "-o", tmp_path / "a.npz").code == 0
    found = np.load(tmp_path / "a.npz")
    assert (found["canvases"].shape, found["read"].shape, found["write"].shape) == ((7, 5, 8, 8), (7, 5, 6), (7, 5, 6))
    command("reconstruct", painter, digits_file, "-n", 7, "-o", tmp_path / "b.npz")
    np.testing.assert_allclose(found["canvases"][:, -1], np.load(tmp_path / "b.npz")["reconstructions"], atol=1e-3)
    answer = command("reconstruct", painter, digits_file, "--steps", "-o", tmp_path / "a.png")
    assert "16 reconstructions in 5 steps" in answer.out
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for colour in ((86, 180, 233), (213, 94, 0)):
        assert (pixels == colour).all(1).any()


def test_a_label_is_sampled_alone_or_all_in_turn(command, painter, tmp_path):
    """A sample that is given its label in turn is the one that is given it throughout."""
    answer = command("sample", painter, "-n", 20, "--means", "-o", tmp_path / "turn.npz")
    assert "the labels 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 in turn" in answer.out
    turn = np.load(tmp_path / "turn.npz")["samples"]
    for label in (3, 7):
        answer = command("sample", painter, "-n", 20, "--means", "--label", label, "-o", tmp_path / "one.npz")
        assert f"label {label}" in answer.out
        one = np.load(tmp_path / "one.npz")["samples"]
        np.testing.assert_allclose(one[label::10], turn[label::10], atol=1e-3)
        assert (np.abs(one - turn).reshape(20, -1).max(1) > 0.01).sum() == 18


def test_data_for_a_model_that_is_told_labels_needs_them(command, painter, digits_file, tmp_path):
    with np.load(digits_file) as given:
        np.savez(tmp_path / "bare.npz", images=given["images"])
    for name in ("encode", "reconstruct"):
        answer = command(name, painter, tmp_path / "bare.npz", "-o", tmp_path / "z.npz")
        assert (answer.code, "is told the label of each datum" in answer.error) == (2, True), answer
    assert command("score", painter, digits_file, "--particles", 2).code == 0
    assert command("evaluate", painter, "--particles", 2).code == 0


def test_mistakes_with_steps_and_labels_are_one_sentence(command, painter, small_run, tmp_path):
    plain = small_run.directory
    for words, message in {
        ("sample", plain, "--steps", "-o", tmp_path / "a.png"): "Only a model of the family draw paints in steps",
        ("sample", plain, "--stop-after", 3, "-o", tmp_path / "a.png"): "Only a model of the family draw paints",
        ("sample", plain, "--label", 3, "-o", tmp_path / "a.png"): "was trained without labels: leave --label 3 out",
        ("sample", plain, "-o", tmp_path / "a.gif"): "this output does not move",
        ("sample", painter, "--label", 12, "-o", tmp_path / "a.png"): "Unknown label '12'",
        ("sample", painter, "--steps", "--stop-after", 6, "-o", tmp_path / "a.png"): "takes from 1 to 5 steps, not 6",
        ("sample", painter, "--steps", "-o", tmp_path / "a.parquet"): "must end in .npz or .png or .gif or .apng",
        ("sample", painter, "--steps", "--draws", "-o", tmp_path / "a.gif"): "leave --draws out",
    }.items():
        answer = command(*words)
        assert answer.code == 2, (words, answer)
        assert message in answer.error, (words, answer.error)
        assert answer.error.count("\n") == 1, answer.error
    assert list(tmp_path.iterdir()) == []


def test_recipes_and_datasets(command):
    listed = command("recipes").out
    assert "kingma-welling-2013" in listed
    assert "Kingma and Welling" in " ".join(listed.split())
    assert "[model]" in command("recipes", "vae").out
    for name in ("digits", "mnist", "fashion-mnist", "frey-faces"):
        assert name in command("datasets").out
    assert command("--version").out.startswith("lowerbound 0.")


def mistakes(run, digits, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    return {
        ("fit",): "There is nothing to fit",
        ("fit", "digitz"): "did you mean digits",
        ("fit", "nothing/there.npy"): r"nothing/there\.npy",
        ("fit", digits, "--recipe", "vea"): "Unknown recipe 'vea': did you mean",
        ("fit", digits, "--set", "model.latent=2"): "Unknown setting 'model.latent': did you mean model.latent_dim",
        ("fit", digits, "--latent-dim", 0): "model.latent_dim = 0 does not fit",
        ("fit", digits, "--epochs", 0): "training.epochs = 0 does not fit",
        ("fit", digits, "--epochs", "few"): "Invalid value for '--epochs'",
        ("fit", digits, "--max-minutes", -1): "training.max_minutes = -1",
        ("fit", digits, "--set", "training.learning_rate=7"): "training.learning_rate = 7 does not fit",
        ("fit", digits, "--likelihood", "gausian"): "did you mean gaussian",
        ("fit", digits, "--resize", "12"): "--resize takes height and width",
        ("fit", digits, "--out", tmp_path / "taken"): "is not empty",
        ("fit", digits, "--out", run): "There is a run in",
        ("fit", digits, "--resume", run): "leave DATA and --out away",
        ("fit", "--resume", tmp_path): "has no run.toml",
        ("fit", "--resume", run, "--latent-dim", 3): "A resume cannot change the setting model",
        ("fit", digits, "--recpe", "vae"): "No such option: --recpe",
        ("evaluate", tmp_path / "none"): "There is no run directory",
        ("evaluate", run, "--particles", 0): "Invalid value for '--particles'",
        ("evaluate", run, "--rows", "all"): "Invalid value for '--rows'",
        ("evaluate", run, "-o", tmp_path / "e.txt"): "must end in .json",
        ("sample", run): "Missing option '--output'",
        ("sample", run, "-o", tmp_path / "s.jpg"): "must end in .npz or .parquet or .png",
        ("sample", run, "-n", 0, "-o", tmp_path / "s.png"): "Invalid value for '--count'",
        ("encode", run, digits, "-o", tmp_path / "z.png"): "is no picture",
        ("encode", run, digits, "-o", tmp_path / "no" / "z.npz"): "No such file or directory",
        ("recipes", "vea"): "Unknown recipe",
        ("fitt", digits): "No such command 'fitt'",
    }


def test_every_mistake_is_one_sentence_and_exit_code_2(command, small_run, digits_file, tmp_path):
    for words, message in mistakes(small_run.directory, digits_file, tmp_path).items():
        answer = command(*words)
        assert answer.code == 2, (words, answer)
        assert re.search(message, answer.error), (words, answer.error)
        assert answer.error.startswith("Error: ")
        assert answer.error.count("\n") == 1, answer.error
        assert "Training" not in answer.out


def test_nothing_is_left_behind_by_a_mistake(command, digits_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("fit", digits_file, "--likelihood", "gausian").code == 2
    assert command("fit", digits_file, "--set", "objective.bta=3").code == 2
    assert list(tmp_path.iterdir()) == []


def test_resume_continues_with_another_bound(command, tmp_path, small_run):
    directory = tmp_path / "run"
    shutil.copytree(small_run.directory, directory)
    answer = command("fit", "--resume", directory, "--epochs", EPOCHS + 2)
    assert answer.code == 0, answer.error
    assert f"Trained {EPOCHS + 2} epochs" in answer.out
    assert f"training.epochs: {EPOCHS} before, {EPOCHS + 2} now" in answer.out
    assert len((directory / "metrics.jsonl").read_text().splitlines()) == EPOCHS + 2


def test_resume_refuses_data_that_was_changed(command, tmp_path, digits_file):
    data = tmp_path / "mine.npz"
    shutil.copy(digits_file, data)
    command("fit", data, *SETTINGS, "--out", tmp_path / "run")
    with np.load(digits_file) as old:
        np.savez(data, images=old["images"][::-1], labels=old["labels"])
    answer = command("fit", "--resume", tmp_path / "run", "--epochs", EPOCHS + 2)
    assert (answer.code, "its values differ" in answer.error) == (2, True)


def test_the_command_answers_without_torch():
    """`--help`, `recipes`, `datasets` and every mistake in a setting."""
    code = (
        "import sys\nfrom lowerbound.cli import main\n"
        "sys.argv = ['lowerbound', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules\n"
    )
    for words in (["--help"], ["recipes"], ["datasets"], ["fit", "digits", "--set", "model.latent=3"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert "AssertionError" not in done.stderr, words

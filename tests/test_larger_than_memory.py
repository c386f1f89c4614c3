"""From a file to a run and to every output: data that stays in its file gives what data in memory gives."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.datasets import load_digits

from conftest import SMALL
from lowerbound import experiment, trained
from lowerbound.config import Config
from lowerbound.data import rows as rows_module
from lowerbound.estimator import VariationalAutoencoder
from lowerbound.experiment import evaluate_run, fit_run, open_source, subject_of
from lowerbound.files import load_tensors

SETTINGS = {**SMALL, "training.epochs": 2}


@pytest.fixture
def digits(tmp_path):
    """300 digits in a `.npy`."""
    path = tmp_path / "digits.npy"
    np.save(path, load_digits().images[:300].astype(np.uint8))
    return path


@pytest.fixture
def in_file(monkeypatch):
    """From the call on, no data is small enough for memory."""
    return lambda: monkeypatch.setattr(rows_module, "IN_MEMORY", 0)


def weights(run):
    return load_tensors(run.path("model.safetensors"), kind="model", version=1)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data.binarisation": "static", "model.likelihood": "bernoulli"},
        {"model.likelihood": "gaussian"},
        {"model.prior": "ex-post-mixture", "model.prior.components": 2},
        {"model.prior": "vamp", "model.prior.components": 3},
    ],
)
def test_a_fit_from_a_file_is_the_fit_in_memory(tmp_path, digits, in_file, changes):
    config = Config.load("vae", {**SETTINGS, **changes})
    loaded = fit_run(digits, config, tmp_path / "loaded")
    in_file()
    lying = fit_run(digits, config, tmp_path / "lying")
    assert lying.run.source == loaded.run.source
    ours, theirs = weights(lying.run), weights(loaded.run)
    assert [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])] == []
    assert lying.evaluation.nll == loaded.evaluation.nll
    assert lying.evaluation.protocol == loaded.evaluation.protocol
    assert {picture.name for picture in lying.pictures} == {picture.name for picture in loaded.pictures}


def test_outputs_from_a_file_are_those_from_memory(tmp_path, command, digits, small_run, in_file, monkeypatch):
    def outputs(folder):
        folder.mkdir()
        for word in ("encode", "reconstruct"):
            for ending in ("npz", "parquet"):
                assert command(word, small_run.directory, digits, "-o", folder / f"{word}.{ending}").code == 0
        some = command("reconstruct", small_run.directory, digits, "-n", 7, "-o", folder / "few.npz")
        assert "7 reconstructions" in some.out
        for word in ("encode", "reconstruct", "few"):
            with np.load(folder / f"{word}.npz", allow_pickle=False) as arrays:
                yield from arrays.items()
        for word in ("encode", "reconstruct"):
            for name, column in pq.read_table(folder / f"{word}.parquet").to_pydict().items():
                yield name, np.array(column)

    loaded = list(outputs(tmp_path / "loaded"))
    in_file()
    monkeypatch.setattr(trained, "_CHUNK_OF_FILE", 64)
    monkeypatch.setattr("lowerbound.outputs._GROUP_BYTES", 1000)
    lying = list(outputs(tmp_path / "lying"))
    assert [name for name, _ in lying] == [name for name, _ in loaded]
    for (_, ours), (_, theirs) in zip(lying, loaded, strict=True):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_scores_from_a_file_are_drawn_block_by_block(digits, small_run, in_file, monkeypatch):
    """The first block as in memory; the others with other draws, which at K = 200 change the mean by less than 0.5
    nats: 20 standard deviations of the estimate's own noise."""
    in_file()
    model, dataset = small_run.load(), experiment.open_with(digits, small_run.config.data)
    monkeypatch.setattr(trained, "_CHUNK", 40)
    whole = model.score(dataset.values[:], 200, seed=3)
    monkeypatch.setattr(trained, "_SCORED", 4 * 64 * 80)
    shares = []
    parts = model.score(dataset.values, 200, seed=3, on_progress=shares.append)
    assert len(parts.log_likelihood) == 300
    np.testing.assert_array_equal(parts.log_likelihood[:80], model.score(dataset.values[:80], 200, seed=3)[0])
    assert abs(parts.log_likelihood.mean() - whole.log_likelihood.mean()) < 0.5
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_of_many_rows_in_a_file_the_evaluation_and_the_figures_look_at_some(tmp_path, digits, in_file, monkeypatch):
    monkeypatch.setattr(experiment, "_LOOKED_AT", 4 * 64 * 25)
    config = Config.load("vae", SETTINGS)
    assert fit_run(digits, config, tmp_path / "loaded").evaluation.examples == 60
    in_file()
    outcome = fit_run(digits, config, tmp_path / "lying")
    assert outcome.evaluation.examples == 25
    assert "the 25 test rows of digits, evenly spaced among 60 for the memory's sake" in outcome.evaluation.protocol
    subject = subject_of(outcome.run)
    spaced = experiment.splits_of(open_source(outcome.run), outcome.run.config).test
    assert len(subject.rows) == 25
    assert subject.rows[[0, -1]].tolist() == spaced[[0, -1]].tolist()
    assert evaluate_run(outcome.run, digits, particles=2, examples=2).examples == 25


def test_the_estimator_learns_from_a_mapped_file_what_it_learns_from_the_array(tmp_path, in_file):
    values = load_digits().data[:200].astype(np.float32) / 16
    np.save(tmp_path / "x.npy", values)
    options = {"latent_dim": 2, "epochs": 2, "particles": 5, "random_state": 0}
    options["settings"] = {"model.network.hidden": [8]}
    loaded = VariationalAutoencoder(**options).fit(values)
    in_file()
    X = np.load(tmp_path / "x.npy", mmap_mode="r")
    lying = VariationalAutoencoder(**options).fit(X)
    np.testing.assert_array_equal(lying.transform(X), loaded.transform(values))
    np.testing.assert_array_equal(lying.transform(X[:1]), loaded.transform(values[:1]))
    np.testing.assert_array_equal(lying.score_samples(X), loaded.score_samples(values))
    with pytest.raises(ValueError, match="64 features"):
        lying.transform(np.load(narrower(tmp_path, values), mmap_mode="r"))


def narrower(folder, values):
    np.save(folder / "narrow.npy", values[:, :5])
    return folder / "narrow.npy"

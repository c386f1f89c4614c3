"""Models as ONNX: what onnxruntime makes of them is what PyTorch does."""

import builtins
import re

import numpy as np
import onnxruntime
import pytest

from conftest import SMALL
from lowerbound.config import Config
from lowerbound.errors import UserError
from lowerbound.experiment import fit_run, open_source
from lowerbound.export import export_onnx


def answer(path, **inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def test_encoder_and_decoder_give_what_the_model_gives(command, small_run):
    """On data that the export has not seen, in its own units, in a batch of another size."""
    done = command("export", small_run.directory, "--onnx")
    assert done.code == 0, done.error
    assert len(re.findall(r"coder\.onnx: [\d.]+ MB, . \[N, .*\] → . \[N, .*\]; at most .* from PyTorch", done.out)) == 2
    trained, stored = small_run.load(), open_source(small_run).values[:37]
    codes = answer(small_run.directory / "onnx/encoder.onnx", x=stored.astype(np.float32))
    assert np.allclose(codes, trained.encode(stored), atol=1e-5)
    means = answer(small_run.directory / "onnx/decoder.onnx", z=codes)
    assert np.allclose(means, trained.reconstruct(stored), atol=1e-3)


def test_a_table_keeps_its_units(table_run, tmp_path):
    written = export_onnx(table_run.load(), tmp_path / "out")
    assert [one.path.name for one in written] == ["encoder.onnx", "decoder.onnx"]
    stored = open_source(table_run).values[:11]
    codes = answer(written[0].path, x=stored)
    assert np.allclose(answer(written[1].path, z=codes), table_run.load().reconstruct(stored), rtol=1e-4, atol=1e-4)


def test_a_model_that_is_told_labels_takes_them_as_an_input(digits_file, tmp_path):
    settings = {**SMALL, "training.epochs": 2, "model.condition": "label"}
    run = fit_run(digits_file, Config.load("vae", settings), tmp_path / "run").run
    trained, dataset = run.load(), open_source(run)
    stored, labels = dataset.values[:9], dataset.labels[:9]
    encoder, decoder = export_onnx(trained, tmp_path / "onnx")
    codes = answer(encoder.path, x=stored.astype(np.float32), label=labels)
    assert np.allclose(codes, trained.encode(stored, labels), atol=1e-5)
    assert np.allclose(answer(decoder.path, z=codes, label=labels), trained.reconstruct(stored, labels), atol=1e-3)


def test_what_onnx_cannot_express_is_refused_in_one_sentence(digits_file, tmp_path):
    settings = {**SMALL, "training.epochs": 1, "model.latent_dim": 3}
    run = fit_run(digits_file, Config.load("hyperspherical-vae", settings), tmp_path / "run").run
    with pytest.raises(UserError, match="no word for") as error:
        export_onnx(run.load(), tmp_path / "onnx")
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)
    assert list((tmp_path / "onnx").iterdir()) == []


def test_without_onnxruntime_one_sentence_says_how_to_get_it(small_run, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "onnxruntime":
            raise ImportError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"needs onnxruntime.*pip install 'lowerbound\[onnx\]'"):
        export_onnx(small_run.load(), tmp_path)


def test_the_form_must_be_said(command, small_run):
    done = command("export", small_run.directory)
    assert done.code == 2
    assert "--onnx" in done.error


def test_a_draw_is_refused_at_once_and_nothing_is_written(command, tmp_path):
    done = command("export", "draw-mnist", "--onnx", "-o", tmp_path / "onnx")
    assert (done.code, "A model of the family draw is not exported" in done.error) == (2, True)
    assert not (tmp_path / "onnx").exists()

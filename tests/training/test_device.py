"""What is decided for the user, and the reason that is given."""

from __future__ import annotations

import shutil

import pytest
import torch

from lowerbound.data.preparation import Binarise, OneHot
from lowerbound.errors import UserError
from lowerbound.likelihoods import Categorical
from lowerbound.objectives import ELBO
from lowerbound.training import Decision, fit
from lowerbound.training import device as module
from lowerbound.training.device import choose_compile, choose_device, choose_precision, has_cpp_compiler, randomness
from training.cases import observed, pixels, settings, small_vae

CPU = torch.device("cpu")


def never() -> float:
    raise AssertionError("nothing has to be measured here")


def test_without_a_gpu_it_is_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(choose_device("auto")) == "device: cpu, because there is no CUDA device"
    assert choose_device("cpu").reason == "it was asked for"
    with pytest.raises(UserError, match=r"is to run on cuda:1, but torch sees 0 CUDA devices: set device = cpu\."):
        choose_device("cuda:1")
    with pytest.raises(UserError, match="torch sees 0 CUDA devices"):
        choose_device("auto", Decision("device", "cuda", "there is one"))


@pytest.mark.parametrize(
    ("native", "gain", "choice", "reason"),
    [
        (False, 9.0, "float32", "the processor has no bfloat16 of its own"),
        (True, 0.6, "float32", "the processor multiplies matrices in bfloat16 at 0.6 times the speed"),
        (True, 2.4, "bfloat16", "the processor multiplies matrices in bfloat16 at 2.4 times the speed"),
    ],
)
def test_bfloat16_only_where_it_is_native_and_faster(monkeypatch, native, gain, choice, reason):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    monkeypatch.setattr(module, "bfloat16_gain", lambda: gain)
    assert choose_precision("auto", CPU) == Decision("precision", choice, reason)
    assert choose_precision("bfloat16", CPU).reason == "it was asked for"


def test_the_gain_of_bfloat16_is_a_ratio():
    assert 0.01 < module.bfloat16_gain() < 100


def test_without_a_compiler_the_model_is_not_compiled_whatever_was_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not has_cpp_compiler()
    for setting in ("auto", "always"):
        decision = choose_compile(setting, CPU, "bfloat16", never)
        assert str(decision) == (
            "compile: eager, because there is no C++ compiler (install g++ or clang++ to compile the model)"
        )
    result = fit(
        small_vae(), ELBO(), pixels(), None, settings(compile="always", epochs=1), seed=0, prepare=Binarise(255)
    )
    assert [decision.choice for decision in result.decisions if decision.what == "compile"] == ["eager"]


def test_compiling_has_to_pay(monkeypatch):
    monkeypatch.setattr(module, "has_cpp_compiler", lambda: True)
    assert choose_compile("never", CPU, "bfloat16", never).choice == "eager"
    assert choose_compile("always", CPU, "bfloat16", never).choice == "compiled"
    assert choose_compile("auto", CPU, "bfloat16", lambda: 100.0).choice == "eager"
    long = choose_compile("auto", CPU, "bfloat16", lambda: 1000.0)
    assert long.choice == "compiled"
    assert "about 250 s of the 1000 s that are left would be gained" in long.reason
    assert choose_compile("auto", CPU, "float32", lambda: 400.0).choice == "eager"
    assert choose_compile("auto", CPU, "float32", lambda: 400.0, recurrent=True).choice == "compiled"
    assert choose_compile("auto", CPU, "float32", lambda: 1000.0).choice == "compiled"
    assert choose_compile("auto", CPU, "float32", never, convolutional=True).choice == "eager"
    assert choose_compile("auto", CPU, "bfloat16", lambda: 900.0, convolutional=True).choice == "eager"
    assert choose_compile("auto", CPU, "bfloat16", lambda: 1100.0, convolutional=True).choice == "compiled"
    gpu = torch.device("cuda")
    assert choose_compile("auto", gpu, "bfloat16", lambda: 300.0, convolutional=True).choice == "compiled"


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler")
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_a_compiled_training_computes_the_same(network):
    """Three steps, whose draws differ between the two: the bounds agree within a twentieth."""
    bounds = {}
    for choice in ("never", "always"):
        model = small_vae(network)
        result = fit(
            model, ELBO(), pixels(), observed(), settings(epochs=20, compile=choice), seed=0, prepare=Binarise(255)
        )
        assert [d.choice for d in result.decisions if d.what == "compile"] == [
            {"never": "eager"}.get(choice, "compiled")
        ]
        bounds[choice] = result.best_bound
    assert bounds["always"] == pytest.approx(bounds["never"], rel=0.05)


def test_a_training_is_compiled_however_many_others_of_the_process_were(monkeypatch):
    """What a compiler makes of their graphs is its own affair."""
    compiling = torch.compile
    monkeypatch.setattr(module, "has_cpp_compiler", lambda: True)
    monkeypatch.setattr(torch, "compile", lambda f, **options: compiling(f, backend="aot_eager", **options))
    once = settings(epochs=1, compile="always")
    torch.compiler.reset()
    # All at once, since torch forgets what it compiled for one that is gone.
    models = [small_vae(hidden=(units,)) for units in range(2, 12)]
    for model in models:
        result = fit(model, ELBO(), pixels(), None, once, seed=0, prepare=Binarise(255))
        assert [d.choice for d in result.decisions if d.what == "compile"] == ["compiled"]


def test_convolutions_of_data_with_a_fifth_axis_train():
    """Categories of pixels: the model has parameters and data of five axes, which no layout of images fits."""
    model = small_vae("conv", likelihood=lambda event: Categorical((*event, 4)), channels=(4, 6))
    levels = pixels() // 64
    result = fit(model, ELBO(), levels, None, settings(epochs=1), seed=0, prepare=OneHot(4))
    assert (result.steps, result.skipped) == (4, 0)


def test_random_numbers_are_seeded_inside_and_untouched_outside():
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    with randomness(CPU, 9):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    torch.manual_seed(9)
    assert torch.equal(torch.rand(2), inside)

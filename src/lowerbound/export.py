"""A trained model for programs that know nothing of this library: ONNX, checked against PyTorch.

    encoder.onnx    x, in the data's own units [N, *shape]  →  z, the code [N, D]
    decoder.onnx    z [N, D]  →  x, the mean of p(x | z) in the data's own units [N, *shape]

The preparation of the data is part of both. A model that is told labels takes them as its second input, `label` [N].
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lowerbound.errors import UserError
from lowerbound.files import atomic_write, make_directory
from lowerbound.models.context import label_context

if TYPE_CHECKING:
    from lowerbound.trained import Trained

_OPSET = 20
# Rows that both are compared on, none of which is the number that the export saw.
_TRACED, _COMPARED = 3, (1, 7)
# Largest difference from PyTorch, relative to the largest value, that rounding in float32 explains.
_TOLERANCE = 1e-3


class Written(NamedTuple):
    """A file that was written."""

    path: Path
    signature: str
    """What goes in, and what comes out."""
    difference: float
    """The largest one from PyTorch's answer, in units of the largest value."""


def export_onnx(trained: Trained, directory: str | Path) -> tuple[Written, ...]:
    """Write encoder and decoder as ONNX, and compare what onnxruntime makes of them with what PyTorch does.

    Args:
        trained: The model, which is moved to the processor.
        directory: Where to; it is made if need be.

    Raises:
        UserError: onnx or onnxruntime is not installed, the model is a DRAW or has a part that ONNX has no word for,
            the two answers differ, or the directory cannot be written to.
    """
    _check_installed()
    if trained.model.recurrent:
        raise UserError(
            "A model of the family draw is not exported, for the exporter unrolls its loop for one number of rows: use "
            "it from Python instead."
        )
    directory = make_directory(directory)
    trained.model.to("cpu")
    trained.preparation.to("cpu")
    generator = torch.Generator().manual_seed(0)
    drawn = trained.sample(max(_COMPARED), mean=True)
    stored = torch.from_numpy(drawn).float()
    with torch.inference_mode():
        size = trained.model.embed(trained.preparation.expected(stored), context=_context(trained, stored)).shape[1]
    codes = torch.randn(len(stored), size, generator=generator)
    parts = {
        "encoder": (_Encoder(trained).eval(), stored, "x", "z"),
        "decoder": (_Decoder(trained).eval(), codes, "z", "x"),
    }
    return tuple(_write(directory / f"{name}.onnx", name, trained.classes, *part) for name, part in parts.items())


class _Encoder(nn.Module):
    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.model, self.preparation, self.classes = trained.model, trained.preparation, trained.classes

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        context = None if label is None else nn.functional.one_hot(label, self.classes).to(x.dtype)
        return self.model.embed(self.preparation.expected(x), context=context).flatten(1)


class _Decoder(nn.Module):
    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.model, self.preparation, self.classes = trained.model, trained.preparation, trained.classes

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        context = None if label is None else nn.functional.one_hot(label, self.classes).to(z.dtype)
        return self.preparation.restore(self.model.decode(z, context=context).mean)


def _write(path: Path, name: str, classes: int, part: nn.Module, given: Tensor, takes: str, gives: str) -> Written:
    labels = (torch.arange(len(given)) % classes,) if classes else ()
    inputs = (given, *labels)
    names = [takes, *(["label"] if classes else [])]
    data = _exported(part, tuple(one[:_TRACED] for one in inputs), names, gives, name)
    difference = max(_difference(data, part, names, [one[:count] for one in inputs]) for count in _COMPARED)
    if not difference <= _TOLERANCE:
        raise UserError(
            f"The {name} of this model does not answer in onnxruntime as it does in PyTorch, and was not written: use "
            "the model from Python instead."
        )
    with atomic_write(path) as file:
        file.write(data)
    with torch.inference_mode():
        shapes = [list(part(*inputs).shape[1:]), list(given.shape[1:])]
    came, went = (f"[N, {', '.join(map(str, shape))}]" for shape in shapes)
    return Written(path, f"{takes} {went}{', label [N]' if classes else ''} → {gives} {came}", difference)


def _exported(part: nn.Module, inputs: tuple[Tensor, ...], names: list[str], gives: str, name: str) -> bytes:
    rows = torch.export.Dim("rows")
    with _quietly():
        try:
            program = torch.onnx.export(
                part,
                inputs,
                input_names=names,
                output_names=[gives],
                opset_version=_OPSET,
                dynamic_shapes=tuple({0: rows} for _ in inputs),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:
            reason = str(error.__cause__ or error).strip().partition("\n")[0].partition("\x1b")[0][:200].rstrip(". ")
            raise UserError(
                f"The {name} of this model has a part that ONNX has no word for ({reason}): use it from Python instead."
            ) from error
    assert program is not None
    return program.model_proto.SerializeToString()


def _difference(data: bytes, part: nn.Module, names: list[str], inputs: list[Tensor]) -> float:
    """The largest one between the two answers, in units of the largest value."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        (answer,) = session.run(None, {name: one.numpy() for name, one in zip(names, inputs, strict=True)})
    except Exception:  # onnxruntime's own, for which it has no common name
        return float("inf")
    with torch.inference_mode():
        expected = part(*inputs).numpy()
    answer = np.asarray(answer)
    if answer.shape != expected.shape:
        return float("inf")
    return float(np.abs(answer - expected).max() / max(np.abs(expected).max(), 1e-6))


def _context(trained: Trained, stored: Tensor) -> Tensor | None:
    labels = torch.arange(len(stored)) % max(trained.classes, 1)
    return label_context(labels, trained.classes) if trained.classes else None


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"The export needs {error.name}, which is not installed: install it with pip install 'lowerbound[onnx]'."
        ) from None


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporter talks about itself at length."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)

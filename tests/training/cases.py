"""Small models, data and trainings for the tests of this room."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.data.preparation import Binarise
from lowerbound.files import load_tensors
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import DECODERS, ENCODERS, Conditional
from lowerbound.objectives import ELBO, Objective
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.training import Result, TrainingSettings, fit
from lowerbound.training.state import KIND, NAME, VERSION

EVENT, LATENTS = (1, 4, 5), 3
# Nothing that depends on the machine.
FIXED: dict[str, Any] = {"device": "cpu", "precision": "float32", "compile": "never"}
SETTINGS: dict[str, Any] = {**FIXED, "epochs": 3, "batch_size": 16, "learning_rate": 0.01}


def settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings(**{**SETTINGS, **changes})


def small_vae(network: str = "mlp", seed: int = 0, likelihood: type = Bernoulli, **options: Any) -> VAE:
    torch.manual_seed(seed)
    options = options or ({"hidden": (9, 7)} if network == "mlp" else {"channels": (4, 6)})
    head, output = DiagonalGaussian(LATENTS), likelihood(EVENT)
    return VAE(
        Conditional(ENCODERS[network](output.event_shape, head.parameter_shape, **options), head),
        Conditional(DECODERS[network]((LATENTS,), output.parameter_shape, **options), output),
        StandardNormal(LATENTS),
    )


def pixels(n: int = 70, seed: int = 0) -> Tensor:
    """Bytes that a model can learn something about: each image is brighter or darker."""
    generator = torch.Generator().manual_seed(seed)
    brightness = torch.rand(n, 1, 1, 1, generator=generator)
    return (256 * brightness * torch.rand(n, *EVENT, generator=generator)).to(torch.uint8)


def observed(n: int = 20, seed: int = 1) -> Tensor:
    """Prepared validation data."""
    return Binarise(255).frozen(pixels(n, seed), seed)


class Counting(nn.Module):
    """A preparation that does something before the step of a given number, from 1."""

    def __init__(self, inner: nn.Module, before: dict[int, Any]) -> None:
        super().__init__()
        self.inner, self.before, self.calls = inner, before, 0

    def forward(self, stored: Tensor) -> Tensor:
        self.calls += 1
        if self.calls in self.before:
            self.before[self.calls]()
        return self.inner(stored)


def control_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@dataclass
class Training:
    """One training of a small model, and everything that it left."""

    state_dir: Path
    network: str = "mlp"
    objective: Objective = field(default_factory=ELBO)
    changes: dict[str, Any] = field(default_factory=dict)
    seed: int = 5
    records: list[dict[str, Any]] = field(default_factory=list)

    def run(self, *, resume: bool = False, before: dict[int, Any] | None = None, **changes: Any) -> Result:
        """Train a new model, which is the same each time.

        Args:
            resume: From the state in the directory.
            before: What to do before which step, counted from where this call begins.
            changes: Of the settings.
        """
        self.model = small_vae(self.network)
        self.result = fit(
            self.model,
            self.objective,
            pixels(),
            observed(),
            settings(**{**self.changes, **changes}),
            seed=self.seed,
            prepare=Counting(Binarise(255), before or {}),
            state_dir=self.state_dir,
            resume=resume,
            on_epoch=lambda record: self.records.append(asdict(record)),
        )
        return self.result

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and position of the saved state, without what the clock says."""
        tensors, facts = load_tensors(self.state_dir / NAME, kind=KIND, version=VERSION)
        return tensors, {name: value for name, value in facts["position"].items() if name != "seconds"}

    def curves(self) -> list[dict[str, Any]]:
        """The record of each epoch, the last one where it was reported twice, without what the clock says."""
        last = {record["epoch"]: record for record in self.records}
        return [{name: value for name, value in record.items() if name != "seconds"} for record in last.values()]


def assert_same(one: Training, other: Training) -> None:
    """Both ended in the same weights, averages, moments, generators, curves and best step, bit for bit."""
    (tensors, position), (others, other_position) = one.state(), other.state()
    assert position == other_position
    assert tensors.keys() == others.keys()
    assert [name for name, tensor in tensors.items() if not torch.equal(tensor, others[name])] == []
    ours, theirs = one.model.state_dict(), other.model.state_dict()
    assert [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])] == []
    assert one.curves() == other.curves()
    assert (one.result.best_step, one.result.best_bound) == (other.result.best_step, other.result.best_bound)
    assert (one.result.steps, one.result.epochs) == (other.result.steps, other.result.epochs)

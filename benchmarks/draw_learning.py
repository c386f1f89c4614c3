"""What each part of DRAW's set-up is worth: the same training with one of them left out, in one table.

    LOWERBOUND_DATA=… python benchmarks/draw_learning.py --epochs 1

MNIST, one static binarisation, 50,000 / 10,000 / 10,000; −ELBO of the first 2,000 validation images after the same
number of examples, so that the load of the machine does not matter. The rows on the growth of T compare trainings
that cost the same number of recurrent steps. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from lowerbound.assemble import assemble
from lowerbound.config import Config
from lowerbound.data import open_data
from lowerbound.models import DRAW
from lowerbound.trained import Trained
from lowerbound.training import fit

STEPS = 10


@dataclass(frozen=True)
class Variant:
    what: str
    settings: Mapping[str, object] = field(default_factory=dict)
    change: Callable[[DRAW], None] = lambda model: None
    epochs: float = 1.0
    """Of those of the others."""


@torch.no_grad()
def black_canvas(model: DRAW) -> None:
    model.canvas.zero_()


@torch.no_grad()
def narrow_windows(model: DRAW) -> None:
    """The initialisation of any other layer: filters as wide as a pixel, and γ = 1."""
    fresh = nn.Linear(model.to_canvas.weight.shape[1], len(model.to_canvas.weight))
    model.to_canvas.weight.copy_(fresh.weight)
    model.to_canvas.bias.zero_()


@torch.no_grad()
def faint_patches(model: DRAW) -> None:
    """γ = 1 at first: a patch of ones adds N²/(H·W) to the pixels' mean."""
    model.to_canvas.bias.split(model.outputs)[1][-1] = 0.0


@torch.no_grad()
def shut_gates(model: DRAW) -> None:
    for lstm in (model.encoder, model.decoder):
        lstm.gates.bias.zero_()


VARIANTS = (
    Variant("the recipe, T = 10"),
    Variant("canvas starts at zero, not at the mean of the data", change=black_canvas),
    Variant("windows start like any other layer, not broad", change=narrow_windows),
    Variant("patches are faint at first, γ = 1", change=faint_patches),
    Variant("forget gates start half shut", change=shut_gates),
    Variant("gradients clipped at a norm of 5", {"training.clip": 5.0}),
    Variant("learning rate 1e-3", {"training.learning_rate": 1e-3}),
    Variant("learning rate 4e-3", {"training.learning_rate": 4e-3}),
    Variant("without averaged weights", {"training.average": 0.0}),
    Variant("windows of 2 × 2 to read", {"model.family.read": 2}),
    Variant("batches of 128", {"training.batch_size": 128}),
    Variant("T = 20, half the examples", {"model.family.steps": 20}, epochs=0.5),
    Variant("T grows from 5 to 20", {"model.family.steps": 20, "model.family.first_steps": 5}, epochs=10 / 16.25),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=float, default=1.0, help="passes over the 50,000 training images")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    mnist = open_data("mnist")
    print("| set-up | −ELBO, nats | rate |\n|---|---|---|", flush=True)
    for variant in VARIANTS:
        settings = {
            "data.binarisation": "static",
            "data.validation": 10_000,
            "model.family.steps": STEPS,
            "model.family.first_steps": "none",
            "seed": arguments.seed,
            **variant.settings,
        }
        found = assemble(mnist, Config.load("draw", settings))
        assert isinstance(found.model, DRAW)
        variant.change(found.model)
        trained = Trained(found.model, found.preparation, mnist.shape)
        x = trained.observe(mnist.values[found.splits.train], 1)
        validation = trained.observe(mnist.values[found.splits.validation[:2000]], 0)
        # One epoch of the training is the whole of it, cut to the examples that the variant may see.
        count = round(arguments.epochs * variant.epochs * len(x))
        x = torch.cat([x[torch.randperm(len(x))] for _ in range(-(-count // len(x)))])[:count]
        training = replace(found.config.training, epochs=1, max_minutes=None)
        records = []
        fit(found.model, found.objective, x, validation, training, seed=arguments.seed, on_epoch=records.append)
        last = records[-1]
        bound = last.validation_distortion + last.validation_rate
        print(f"| {variant.what} | {bound:.1f} | {last.validation_rate:.1f} |", flush=True)


if __name__ == "__main__":
    main()

"""Training throughput of DRAW with attention, T = 64, in the sizes of the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.contenders.plain_draw import PlainDRAW
from benchmarks.racing.contender import Contender
from benchmarks.racing.course import Course, ours_and_compiled, speed_table
from lowerbound.assemble import assemble
from lowerbound.config import Config
from lowerbound.data import open_data
from lowerbound.errors import UserError
from lowerbound.models import DRAW
from lowerbound.nn.subnormals import subnormals_flushed
from lowerbound.objectives import ELBO

CLIP, LEARNING_RATE = 10.0, 1e-3
# Of losses in float32 that are sums over many steps, and of their gradients.
LOSS_DIFFERENCE, GRADIENT_DIFFERENCE = 1e-4, 1e-3


def config_of_draw(settings: dict[str, Any]) -> Config:
    """Our recipe in the sizes of a race."""
    sizes = settings["sizes"]
    return Config.load(
        "draw-2015",
        {
            "model.latent_dim": sizes["latents"],
            **{f"model.family.{name}": sizes[name] for name in ("steps", "units", "read", "write")},
            "training.batch_size": settings["batch"],
            "training.clip": settings["clip"],
            "training.learning_rate": settings["learning_rate"],
        },
    )


@torch.no_grad()
def take(plain: PlainDRAW, model: DRAW) -> None:
    """Give the plain version the weights of ours."""
    for cell, ours in ((plain.encoder, model.encoder), (plain.decoder, model.decoder)):
        i, f, o, g = ours.gates.weight.chunk(4)
        weight = torch.cat([i, f, g, o])
        i, f, o, g = ours.gates.bias.chunk(4)
        inputs = cell.weight_ih.shape[1]
        cell.weight_ih.copy_(weight[:, :inputs])
        cell.weight_hh.copy_(weight[:, inputs:])
        cell.bias_ih.copy_(torch.cat([i, f, g, o]))
        cell.bias_hh.zero_()
    parts = [plain.read_window, plain.write_window, plain.patch]
    pairs = [
        ([plain.mean, plain.log_variance], model.to_posterior, [plain.latents] * 2),
        (parts, model.to_canvas, [part.out_features for part in parts]),
    ]
    for layers, whole, sizes in pairs:
        for layer, weight, bias in zip(layers, whole.weight.split(sizes), whole.bias.split(sizes), strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    plain.canvas.copy_(model.canvas[0, 0])
    plain.states.copy_(model.states)


def check(model: DRAW, plain: PlainDRAW, x: torch.Tensor, noise: torch.Tensor) -> float:
    """The loss that both have for the draws that torch makes after seed 1, which are this noise.

    Raises:
        UserError: Their losses or gradients differ.
    """
    with subnormals_flushed():
        torch.manual_seed(1)
        ours, theirs = ELBO()(model.trace(x), torch.zeros(())).loss, plain(x[:, 0], noise)
        gradients = torch.autograd.grad(ours, [model.canvas, model.states])
        expected = torch.autograd.grad(theirs, [plain.canvas, plain.states])
    differences = [abs(ours.item() / theirs.item() - 1) / LOSS_DIFFERENCE]
    for one, other in zip(gradients, expected, strict=True):
        differences.append(((one.reshape(other.shape) - other).norm() / other.norm()).item() / GRADIENT_DIFFERENCE)
    if max(differences) > 1:
        raise UserError(f"Our DRAW and the plain one differ, in losses {ours:.4f} and {theirs:.4f}: the race is off.")
    return theirs.item()


def race(course: Course) -> str:
    """Images per second; every contender computes the same loss from the same weights and draws first."""
    steps, batch, many = course.size(64, 4), course.size(128, 16), course.size(3, 1)
    settings: dict[str, Any] = {
        "contest": "draw",
        "sizes": {"steps": steps, "units": 256, "latents": 100, "read": 2, "write": 5},
        "batch": batch,
        "clip": CLIP,
        "learning_rate": LEARNING_RATE,
        "rows": course.mnist(batch * many),
        "weights": str(course.directory / "draw-weights.npz"),
    }
    parts = assemble(open_data("mnist"), config_of_draw(settings))
    assert isinstance(parts.model, DRAW)
    plain = PlainDRAW(**settings["sizes"])
    take(plain, parts.model)
    x = parts.preparation.frozen(torch.from_numpy(np.load(settings["rows"])[:batch]), 0)
    torch.manual_seed(1)
    noise = torch.randn(steps, batch, plain.latents)
    loss = check(parts.model, plain, x, noise)
    weights = {name: tensor.numpy() for name, tensor in plain.state_dict().items()}
    np.savez(settings["weights"], **weights, x=x[:, 0].numpy(), noise=noise.numpy())

    contenders = [
        *ours_and_compiled(batch * many),
        Contender("plain PyTorch", "plain_pytorch", "lowerbound", work=batch * many),
        Contender("JAX, lax.scan", "jax_draw", "jax", work=batch * many),
    ]
    records = course.run(contenders, settings)
    for record in records:
        first = record.facts.get("first_loss", loss)
        if abs(first / loss - 1) > LOSS_DIFFERENCE:
            raise UserError(f"{record.contender.name} has a loss of {first:.4f}, not {loss:.4f}: the race is off.")
    title = (
        f"T = {steps}, 256 units, 100 latent variables a step, windows 2 × 2 and 5 × 5, batch {batch}, {many} steps in "
        f"a turn; {records[0].facts['weights']:,} weights; −ELBO {loss:.1f} nats of all at the same weights and draws."
    )
    return f"{title}\n\n{speed_table(records, 'images', 'loss')}\n\n{course.described(contenders)}"

"""Weights of fully connected networks, from one contender to another: `encoder.0.weight`, … in a file of NumPy's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.contenders.networks import load_linear
from benchmarks.contenders.with_lowerbound import config_of
from lowerbound.assemble import build_model
from lowerbound.models import VAE, LatentModel
from lowerbound.nn import Centre
from lowerbound.parts import Part


@torch.no_grad()
def save_linear(path: str | Path, model: LatentModel) -> None:
    """Write the layers of a VAE of this library; what its encoder subtracts from its input goes into the first bias."""
    assert isinstance(model, VAE)
    found = {}
    for prefix in ("encoder", "decoder"):
        network = getattr(model, prefix).network
        for i, layer in enumerate(layer for layer in network.modules() if isinstance(layer, nn.Linear)):
            bias = layer.bias
            if i == 0 and isinstance(network, Centre):
                bias = bias - layer.weight @ network.mean.flatten()
            found[f"{prefix}.{i}.weight"], found[f"{prefix}.{i}.bias"] = layer.weight.numpy(), bias.numpy()
    np.savez(path, **found)


def model_with(path: str | Path, settings: Mapping[str, Any]) -> VAE:
    """A VAE of this library with such layers, whose encoder subtracts nothing."""
    from dataclasses import replace

    model_settings = replace(config_of(dict(settings)).model, likelihood=Part("bernoulli"))
    model = build_model(model_settings, torch.full(tuple(settings["shape"]), 0.5), seed=0)
    assert isinstance(model, VAE)
    encoder: Any = model.encoder
    encoder.network.mean.zero_()
    with np.load(path) as weights:
        load_linear(encoder, weights, "encoder")
        load_linear(model.decoder, weights, "decoder")  # pyright: ignore[reportArgumentType]
    return model.eval()

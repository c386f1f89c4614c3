"""The networks of the races in plain PyTorch: the same layers, of the same sizes, as this library's own.

They are what the contenders in PyTorch have in common, and import nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

ACTIVATIONS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "tanh": nn.Tanh}


def mlp(sizes: Sequence[int], activation: str) -> nn.Sequential:
    """Fully connected layers with activations between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), ACTIVATIONS[activation]()]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


class Residual(nn.Module):
    """x + conv(act(conv(act(x))))."""

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        act = ACTIVATIONS[activation]
        first, last = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        nn.init.zeros_(last.weight)
        self.body = nn.Sequential(act(), first, act(), last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ConvDecoder(nn.Module):
    """From z to logits: the sides of the encoder in reverse, each by nearest-neighbour resizing and a convolution."""

    def __init__(self, latents: int, shape: Sequence[int], channels: Sequence[int], activation: str) -> None:
        super().__init__()
        planes, *side = shape
        sizes = [tuple(side)]
        for _ in channels:
            sizes.append(tuple(math.ceil(length / 2) for length in sizes[-1]))
        self.smallest = (channels[-1], *sizes[-1])
        self.sizes = sizes[-2::-1]
        self.input = nn.Linear(latents, math.prod(self.smallest))
        self.blocks, self.widen = nn.ModuleList(), nn.ModuleList()
        for before, after in zip(reversed(channels), (*reversed(channels[:-1]), channels[0]), strict=True):
            self.blocks.append(Residual(before, activation))
            self.widen.append(nn.Conv2d(before, after, 3, padding=1))
        self.activation = ACTIVATIONS[activation]()
        self.output = nn.Conv2d(channels[0], planes, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(*shape))

    def forward(self, z: Tensor) -> Tensor:
        h = self.input(z).unflatten(1, self.smallest)
        for block, widen, size in zip(self.blocks, self.widen, self.sizes, strict=True):
            h = widen(interpolate(block(h), size=size, mode="nearest"))
        return (self.output(self.activation(h)) + self.bias).flatten(1)


def conv_encoder(shape: Sequence[int], outputs: int, channels: Sequence[int], activation: str) -> nn.Sequential:
    """A stride-two convolution and a residual block for each entry of `channels`, then one linear layer."""
    before, *sides = shape
    layers: list[nn.Module] = []
    for after in channels:
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), Residual(after, activation)]
        before, sides = after, [math.ceil(side / 2) for side in sides]
    last = nn.Linear(before * math.prod(sides), outputs)
    return nn.Sequential(*layers, ACTIVATIONS[activation](), nn.Flatten(), last)


def networks(settings: Mapping[str, Any]) -> tuple[nn.Module, nn.Module]:
    """The encoder, from images to means and log-variances [B, 2 Z], and the decoder, from z to logits [B, pixels]."""
    shape, latents, activation = settings["shape"], settings["latents"], settings["activation"]
    if "channels" in settings:
        channels = settings["channels"]
        encoder = conv_encoder(shape, 2 * latents, channels, activation)
        return encoder, ConvDecoder(latents, shape, channels, activation)
    pixels, hidden = math.prod(shape), settings["hidden"]
    return mlp((pixels, *hidden, 2 * latents), activation), mlp((latents, *reversed(hidden), pixels), activation)


def load_linear(network: nn.Module, weights: Mapping[str, np.ndarray], prefix: str) -> None:
    """Give the linear layers of a network the weights that a race hands to every contender."""
    for i, layer in enumerate(layer for layer in network.modules() if isinstance(layer, nn.Linear)):
        layer.weight.data = torch.from_numpy(weights[f"{prefix}.{i}.weight"])
        layer.bias.data = torch.from_numpy(weights[f"{prefix}.{i}.bias"])


def count(*modules: nn.Module) -> int:
    """How many weights there are."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def intensities(settings: Mapping[str, Any]) -> Tensor:
    """The images of the race, in [0, 1]."""
    return torch.from_numpy(np.load(settings["rows"])).float() / settings.get("maximum", 255)


class Binarised(Dataset):
    """Images that are drawn anew each time that one is asked for, as in pythae's own reproductions."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image = self.images[index]
        return (image > torch.rand(image.shape)).float()

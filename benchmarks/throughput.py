"""Training throughput of the recipe `vae` against a plain PyTorch loop with the same networks and batch, in one run.

    LOWERBOUND_DATA=… python benchmarks/throughput.py

The two are interleaved, a few thousand examples at a time, and compared by the median, since the speed of a shared
machine drifts. The plain loop is what the tutorials show: float32, a DataLoader, `torch.bernoulli`, Adam as it comes,
and the loss read at every step. Without MNIST at hand, random pixels of its shape serve: nothing here depends on their
values.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from lowerbound.assemble import assemble
from lowerbound.config import Config
from lowerbound.data import Dataset, open_data
from lowerbound.errors import UserError
from lowerbound.training import EpochRecord, fit


def pixels() -> Dataset:
    """MNIST where it is found, else random bytes of its shape."""
    try:
        return open_data("mnist")
    except UserError:
        values = np.random.default_rng(0).integers(0, 256, (12_000, 1, 28, 28), dtype=np.uint8)
        return Dataset(name="random", kind="image", values=values, maximum=255)


def plain_epochs(model: torch.nn.Module, stored: torch.Tensor, batch_size: int):
    """Trains the model's own networks as the tutorials do; yields after each pass over the data."""
    encoder, decoder = model.encoder.network, model.decoder.network
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(stored.float() / 255), batch_size=batch_size, shuffle=True, drop_last=True)
    while True:
        total = 0.0
        for (intensities,) in loader:
            x = torch.bernoulli(intensities)
            mean, log_variance = encoder(x).chunk(2, dim=1)
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            logits = decoder(z).flatten(1)
            reconstruction = binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="sum")
            kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
            loss = (reconstruction + kl) / len(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        yield total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=None, help="the recipe's own if left out")
    parser.add_argument("--compile", choices=("never", "always"), default="never", help="whether ours is compiled")
    parser.add_argument("--batches", type=int, default=60, help="batches between two looks at the clock")
    parser.add_argument("--repeats", type=int, default=9, help="how often each of the two is timed")
    options = parser.parse_args()

    config = Config.load("vae", [f"training.compile={options.compile}"])
    batch_size = options.batch_size or config.training.batch_size
    parts, contender = assemble(dataset := pixels(), config), assemble(dataset, config)
    stored = torch.from_numpy(dataset.values[: options.batches * batch_size])
    rows = options.batches * batch_size
    plain = plain_epochs(parts.model, stored, batch_size)
    settings = replace(config.training, batch_size=batch_size, epochs=options.repeats + 2, max_minutes=None, patience=0)
    seconds: dict[str, list[float]] = {"plain PyTorch": [], "lowerbound": []}
    clock = time.perf_counter()

    def look(record: EpochRecord) -> None:
        """Between two of our epochs, one of the plain loop's."""
        nonlocal clock
        seconds["lowerbound"].append(time.perf_counter() - clock)
        clock = time.perf_counter()
        next(plain)
        seconds["plain PyTorch"].append(time.perf_counter() - clock)
        clock = time.perf_counter()

    validation = contender.preparation.frozen(stored[:1], 0)
    fit(
        contender.model,
        contender.objective,
        stored,
        validation,
        settings,
        prepare=contender.preparation,
        seed=0,
        on_epoch=look,
    )
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{sum(p.numel() for p in parts.model.parameters()):,} weights, batch {batch_size}, {dataset.name}")
    speed = {name: rows / statistics.median(times[2:]) for name, times in seconds.items()}
    for name, value in speed.items():
        print(f"{name:>14}: {value:8,.0f} examples / s   (median of {options.repeats})")
    print(f"         ratio: {speed['lowerbound'] / speed['plain PyTorch']:.2f}")


if __name__ == "__main__":
    main()

"""pythae, by its own TrainingPipeline with its defaults, apart from the networks, the batch size and the binarisation.

Its authors binarise dynamically in a data set of their own, as `Binarised` does; theirs makes a distribution object for
each image, which takes longer, and is left out.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.racing.track import Track, take_part


def make(settings: dict[str, Any]) -> Any:
    """A VAE, or an IWAE where there are several particles, with the race's networks."""
    import torch
    from pythae.models import IWAE, VAE, IWAEConfig, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    from benchmarks.contenders.networks import networks

    class Encoder(BaseEncoder):
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> ModelOutput:
            mean, log_variance = self.network(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=torch.sigmoid(self.network(z)).unflatten(1, settings["shape"]))

    encoder, decoder = networks(settings)
    common = {"input_dim": tuple(settings["shape"]), "latent_dim": settings["latents"], "reconstruction_loss": "bce"}
    if settings["particles"] == 1:
        return VAE(VAEConfig(**common), Encoder(encoder), Decoder(decoder))
    # None: as many as its authors chose.
    chosen = {} if settings["particles"] is None else {"number_samples": settings["particles"]}
    return IWAE(IWAEConfig(**common, **chosen), Encoder(encoder), Decoder(decoder))


def run_pipeline(model: Any, settings: dict[str, Any], epochs: int, callback: Any) -> None:
    """pythae's own training."""
    from pythae.data.datasets import DatasetOutput
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    from benchmarks.contenders.networks import Binarised, intensities

    class Rows(Binarised):
        def __getitem__(self, index: int) -> Any:
            return DatasetOutput(data=super().__getitem__(index))

    config = BaseTrainerConfig(
        output_dir=str(Path(settings["directory"]) / "pythae"),
        num_epochs=epochs,
        learning_rate=settings["learning_rate"],
        per_device_train_batch_size=settings["batch"],
    )
    TrainingPipeline(model=model, training_config=config)(Rows(intensities(settings)), callbacks=[callback])


def train(track: Track) -> None:
    from pythae.trainers.training_callbacks import TrainingCallback

    from benchmarks.contenders.networks import count

    class Laps(TrainingCallback):
        def on_train_begin(self, training_config: Any, **_: Any) -> None:
            track.ready(weights=count(model), precision="float32")

        def on_log(self, training_config: Any, logs: dict[str, float], **_: Any) -> None:
            track.lap(loss=logs["train_epoch_loss"])

    model = make(track.settings)
    run_pipeline(model, track.settings, track.settings["turns"], Laps())


def nll(track: Track) -> None:
    import torch

    from benchmarks.contenders.networks import load_linear

    settings = track.settings
    model = make(settings | {"particles": 1}).eval()
    with np.load(settings["weights"]) as weights:
        load_linear(model.encoder, weights, "encoder")
        load_linear(model.decoder, weights, "decoder")
    x = torch.from_numpy(np.load(settings["x"]))[: settings["images"]]
    track.ready(precision="float32")
    for _ in range(settings["turns"]):
        track.lap(nll=-float(model.get_nll(x, n_samples=settings["particles"])))


def linear_weights(model: Any) -> dict[str, np.ndarray]:
    """The linear layers of encoder and decoder, as `networks.load_linear` reads them."""
    from torch import nn

    found = {}
    for prefix, network in (("encoder", model.encoder), ("decoder", model.decoder)):
        for i, layer in enumerate(layer for layer in network.modules() if isinstance(layer, nn.Linear)):
            found[f"{prefix}.{i}.weight"] = layer.weight.detach().numpy()
            found[f"{prefix}.{i}.bias"] = layer.bias.detach().numpy()
    return found


def digits(track: Track) -> None:
    """From `import` to a trained model."""
    track.ready()
    from pythae.trainers.training_callbacks import TrainingCallback

    settings = track.settings
    model = make(settings)
    run_pipeline(model, settings, settings["epochs"], TrainingCallback())
    track.stop()
    np.savez(settings["trained"], allow_pickle=False, **linear_weights(model))
    track.lap()


def nats(track: Track) -> None:
    """Train for some minutes, and keep the weights at the times that the race names."""
    from pythae.trainers.training_callbacks import TrainingCallback

    settings = track.settings
    times, kept, spent = list(settings["times"]), [], 0.0

    class Clock(TrainingCallback):
        def on_train_begin(self, training_config: Any, **_: Any) -> None:
            self.began = time.perf_counter()

        def on_train_step_end(self, training_config: Any, **_: Any) -> None:
            nonlocal spent
            now = time.perf_counter()
            seconds = now - self.began - spent
            if not times or seconds < times[0]:
                return
            while times and seconds >= times[0]:
                times.pop(0)
            path = Path(settings["directory"]) / f"{len(kept):04d}.npz"
            np.savez(path, allow_pickle=False, **linear_weights(model))
            kept.append([seconds, str(path)])
            spent += time.perf_counter() - now
            if not times:
                track.lap(kept=kept)

    model = make(settings)
    track.ready()
    run_pipeline(model, settings, 10**6, Clock())


if __name__ == "__main__":
    take_part({"train": train, "nll": nll, "digits": digits, "nats": nats})

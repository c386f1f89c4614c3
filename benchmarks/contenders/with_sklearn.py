"""scikit-learn's GaussianMixture."""

from __future__ import annotations

import numpy as np

from benchmarks.racing.track import Track, take_part


def digits(track: Track) -> None:
    """From `import` to a trained model of dequantised grey levels, whose density bounds the levels' probability."""
    track.ready()
    from sklearn.mixture import GaussianMixture

    levels, held_out = (np.load(track.settings[name]).reshape(-1, 64).astype(float) for name in ("rows", "test"))
    generator = np.random.default_rng(0)
    model = GaussianMixture(track.settings["components"], random_state=0).fit(levels + generator.random(levels.shape))
    track.stop()
    track.lap(nll=-float(model.score(held_out + generator.random(held_out.shape))))


if __name__ == "__main__":
    take_part({"digits": digits})

"""What several tests need: small data in files, a small trained run, and the command line called in this process."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_digits

from lowerbound.cli import main
from lowerbound.config import Config
from lowerbound.experiment import fit_run

# How long an example takes says more about the machine than about the code.
settings.register_profile("machine", deadline=None)
settings.load_profile("machine")

# A model that trains in a second.
EPOCHS = 15
SMALL = {
    "training.epochs": EPOCHS,
    "training.learning_rate": 0.01,
    "training.batch_size": 50,
    "model.latent_dim": 2,
    "model.network.hidden": [16],
    "evaluation.particles": 20,
}


class Answer(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    error: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Call the command line as the shell does."""

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["lowerbound", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return Answer(int(end.value.code or 0), printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """300 digits of 8 × 8 with levels to 16, as a .npz with labels."""
    digits = load_digits()
    path = tmp_path_factory.mktemp("data") / "few-digits.npz"
    np.savez(path, images=digits.images[:300].astype(np.uint8), labels=digits.target[:300])
    return path


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, digits_file):
    """A run of a small model of those digits, with all that a fit makes."""
    directory = tmp_path_factory.mktemp("runs") / "small"
    return fit_run(digits_file, Config.load("vae", SMALL), directory).run


@pytest.fixture(scope="session")
def table_file(tmp_path_factory):
    """200 rows of three columns with names, the third of which is the sum of the others and noise."""
    g = np.random.default_rng(0)
    a, b = g.normal(3, 2, 200), g.normal(-1, 0.1, 200)
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rows = zip(a, b, a + b + g.normal(0, 0.1, 200), strict=True)
    path.write_text("length,width,sum\n" + "".join(f"{x:.6f},{y:.6f},{z:.6f}\n" for x, y, z in rows))
    return path


@pytest.fixture(scope="session")
def table_run(tmp_path_factory, table_file):
    """A run of a small model of that table."""
    directory = tmp_path_factory.mktemp("runs") / "table"
    return fit_run(table_file, Config.load("vae", SMALL), directory).run

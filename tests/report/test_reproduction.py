"""The command that makes a run again gives the same settings."""

import dataclasses
import shlex
from pathlib import Path

import pytest

from lowerbound.config import Config
from lowerbound.report.reproduction import changed, command, flat
from lowerbound.run import Run
from lowerbound.source import Source

SOURCE = Source(
    "digits", "digits", "image", (1, 8, 8), 16, (), "sha256:0", 10, 2, 3, "rescale", {"maximum": 16}, "1,797 images"
)


def run_of(recipe, overrides, source=SOURCE):
    return Run(Path("runs/x"), Config.load(recipe, overrides), source, {})


def settings_of(words):
    """What a shell and the command line would make of it."""
    given = shlex.split(words)
    assert given[:4] == ["lowerbound", "fit", "digits", "--recipe"]
    assert set(given[5::2]) <= {"--set"}
    return Config.load(given[4], given[6::2])


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("vae", []),
        ("vae", ["seed=3", "model.latent_dim=2", "training.epochs=5", "training.max_minutes=1.5"]),
        ("vae", ["model.likelihood=gaussian", "model.likelihood.variance=learned", "data.resize=[12, 10]"]),
        ("kingma-welling-2013", ["model.network.hidden=[20, 10]", "objective=iwae", "objective.particles=7"]),
        ("beta-vae", ["objective=elbo", "evaluation.examples=none", "training.clip=10"]),
        ("iwae", ["objective=elbo"]),
        ("vq-vae", ["model.posterior.categories=32", "model.prior.categories=32", "model.latent_dim=256"]),
        ("hyperspherical-vae", ["model.posterior=diagonal-gaussian", "model.prior=vamp", "model.prior.components=7"]),
        ("draw", ["model.family.steps=4", "data.split_seed=8"]),
    ],
)
def test_the_command_gives_back_every_setting(recipe, overrides):
    run = run_of(recipe, overrides)
    assert settings_of(command(run)) == run.config


def test_only_what_the_recipe_does_not_say_is_set():
    assert command(run_of("vae", [])) == "lowerbound fit digits --recipe vae"
    assert dict(changed(Config.load("vae", ["seed=4", "model.latent_dim=50"]))) == {"seed": 4}


def test_a_path_is_quoted_for_the_shell():
    source = dataclasses.replace(SOURCE, source="/data/my $(touch x).csv")
    assert shlex.split(command(run_of("vae", [], source)))[2] == source.source


def test_there_is_no_command_for_a_recipe_of_the_users_or_data_from_python(tmp_path):
    (tmp_path / "mine.toml").write_text("[model]\nlatent_dim = 3\n")
    run = Run(tmp_path, Config.load(tmp_path / "mine.toml"), SOURCE, {})
    assert command(run) is None
    assert command(run_of("vae", [], dataclasses.replace(SOURCE, source=""))) is None


def test_flat_names_every_setting_once():
    names = flat(Config.load("kingma-welling-2013"))
    assert names["model.latent_dim"] == 2
    assert names["model.network"] == "mlp"
    assert names["model.network.hidden"] == [500]
    assert names["objective"] == "elbo"

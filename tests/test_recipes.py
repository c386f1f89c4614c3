from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from lowerbound.assemble import assemble
from lowerbound.config import Config
from lowerbound.data import Dataset
from lowerbound.errors import UserError
from lowerbound.recipes import find_recipe, recipes
from lowerbound.training import fit

NAMES = [
    "aae",
    "annealed-beta-vae",
    "beta-tc-vae",
    "beta-vae",
    "ciwae",
    "dip-vae",
    "disentangled-beta-vae",
    "draw",
    "draw-2015",
    "draw-no-attention",
    "draw-small",
    "factor-vae",
    "gaussian-mixture-vae",
    "hyperspherical-vae",
    "iaf-vae",
    "info-vae",
    "iwae",
    "iwae-2015",
    "kingma-welling-2013",
    "linear-flow-vae",
    "miwae",
    "mnist-best",
    "piwae",
    "rae-gp",
    "rae-l2",
    "vae",
    "vae-conv",
    "vamp",
    "vq-vae",
    "wae-mmd",
]


def test_the_recipes_that_come_with_the_library():
    assert [recipe.name for recipe in recipes()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_says_where_it_comes_from(name: str):
    recipe = find_recipe(name)
    assert recipe.title
    assert recipe.description.endswith(".")
    assert recipe.paper
    assert recipe.year is not None
    assert 2013 <= recipe.year <= 2030
    assert recipe.url.startswith("https://")


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_a_configuration(name: str):
    config = Config.load(name)
    assert config.recipe == name
    for section, settings in find_recipe(name).settings.items():
        written = config.plain()[section]
        assert {key: written[key] for key in settings} == settings


def test_published_figures_name_their_protocol():
    published = {recipe.name: recipe.published for recipe in recipes() if recipe.published}
    assert published["iwae"] == "85.54 nats: binarised MNIST (dynamic), NLL by importance sampling, K = 5,000"
    for figure in published.values():
        assert re.fullmatch(
            r"\d\d\.\d\d nats: binarised MNIST \((static|dynamic)\), (NLL by importance sampling, K = 5,000|−ELBO).*",
            figure,
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_trains(name: str):
    """A few steps on forty images: finite losses, and the parts fit together."""
    g = np.random.default_rng(0)
    data = Dataset("noise", "image", g.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8), 255)
    small = {"training.epochs": 2, "training.batch_size": 16, "model.likelihood": "discretized-logistic"}
    if Config.load(name).model.prior.name == "vamp":
        small["model.prior.components"] = 10
    if Config.load(name).model.family.name == "draw":
        small |= {"model.family.steps": 9, "model.family.units": 8, "model.latent_dim": 3}
    config = Config.load(name, small)
    found = assemble(data, config)
    x = torch.from_numpy(data.values)
    result = fit(
        found.model, found.objective, x[found.splits.train], None, config.training, seed=0, prepare=found.preparation
    )
    assert (result.epochs, result.skipped) == (2, 0)


def test_what_the_papers_used():
    assert Config.load("beta-vae").objective.settings["beta"] == 4
    iwae = Config.load("iwae-2015")
    assert iwae.objective.plain() == {"name": "iwae", "particles": 5}
    assert iwae.model.network.plain() == {"name": "mlp", "hidden": [200, 200], "activation": "tanh"}
    first = Config.load("kingma-welling-2013")
    assert (first.model.latent_dim, first.model.network.settings["hidden"]) == (2, [500])


def test_an_unknown_name_gets_the_nearest_ones():
    with pytest.raises(UserError, match=r"Unknown recipe 'vea': did you mean .*vae"):
        find_recipe("vea")


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[recipe]\ntitle = "Mine"\n[model]\nlatent_dim = 3\n')
    recipe = find_recipe(path)
    assert (recipe.name, recipe.title, recipe.settings) == ("mine", "Mine", {"model": {"latent_dim": 3}})
    assert Config.load(str(path)).model.latent_dim == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[model]\nlatent_dim 3\n", r"mine\.toml is not valid TOML: .*line 2"),
        ("[recipe]\ntitel = 'x'\n", r"Unknown entry of \[recipe\] in .*mine\.toml 'titel': did you mean title"),
        ("[recipe]\nyear = 'old'\n", r"recipe\.year in .*mine\.toml must be a number, it is 'old'"),
        ("[recipe]\ntitle = 3\n", r"recipe\.title in .*mine\.toml must be text, it is 3"),
        ("recipe = 3\n", r"\[recipe\] in .*mine\.toml must be a table, it is 3"),
    ],
)
def test_a_broken_recipe_file(tmp_path, content: str, message: str):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        find_recipe(path)


def test_recipe_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"There is no recipe file .*none\.toml"):
        find_recipe(tmp_path / "none.toml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        find_recipe(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"title = '\xe9'")
    with pytest.raises(UserError, match="not UTF-8"):
        find_recipe(tmp_path / "latin.toml")


def test_listing_them_and_reading_settings_does_not_load_torch():
    code = (
        "import sys, lowerbound.recipes, lowerbound.config\n"
        "lowerbound.recipes.recipes()\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

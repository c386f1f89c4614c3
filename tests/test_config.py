from __future__ import annotations

import dataclasses
import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowerbound.config import Config, DataSettings, EvaluationSettings, ModelSettings
from lowerbound.errors import UserError
from lowerbound.parts import Part


def write(tmp_path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def test_settings_overlay_the_recipe_and_the_recipe_the_defaults(tmp_path):
    recipe = write(tmp_path, "[model]\nlatent_dim = 7\n[evaluation]\nparticles = 50\n")
    config = Config.load(recipe, ["model.latent_dim=2"])
    assert config.model.latent_dim == 2
    assert config.evaluation.particles == 50
    assert config.evaluation.examples == EvaluationSettings().examples
    assert config.recipe == "mine"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("seed=3", "seed", 3),
        (" seed = 3 ", "seed", 3),
        ("data.validation=0.25", "data.validation", 0.25),
        ("data.validation=250", "data.validation", 250),
        ("data.binarisation=static", "data.binarisation", "static"),
        ('data.binarisation="static"', "data.binarisation", "static"),
        ("data.binarisation=none", "data.binarisation", "none"),
        ("data.split_seed=4", "data.split_seed", 4),
        ("evaluation.examples=none", "evaluation.examples", None),
        ("model.network=conv", "model.network", Part("conv")),
        ("model.network.hidden=[3, 4]", "model.network", Part("mlp", {"hidden": [3, 4], "activation": "silu"})),
        ('model.network={name="mlp", hidden=[3]}', "model.network", Part("mlp", {"hidden": [3]})),
        ("objective.beta=4", "objective", Part("elbo", {"beta": 4})),
        ("model={latent_dim=3}", "model.latent_dim", 3),
    ],
)
def test_values_are_read_as_toml_and_bare_words_as_text(text: str, name: str, value: object):
    found = Config.load("vae", [text])
    for key in name.split("."):
        found = getattr(found, key)
    assert found == value
    assert type(found) is type(value)


def test_later_settings_win():
    assert Config.load("vae", ["seed=1", "seed=2"]).seed == 2


def test_a_part_and_its_settings_come_in_any_order():
    wanted = Part("gaussian", {"variance": "learned"})
    settings = ["model.likelihood=gaussian", "model.likelihood.variance=learned"]
    assert Config.load("vae", settings).model.likelihood == wanted
    assert Config.load("vae", settings[::-1]).model.likelihood == wanted


def test_a_named_part_replaces_the_whole_part(tmp_path):
    recipe = write(tmp_path, '[model.network]\nname = "mlp"\nhidden = [3]\n')
    assert Config.load(recipe, ["model.network=conv"]).model.network == Part("conv")


def test_settings_as_a_mapping():
    config = Config.load("vae", {"model.latent_dim": 3, "model.network.hidden": (4, 5), "evaluation.examples": None})
    assert config.model.latent_dim == 3
    assert config.model.network.settings["hidden"] == [4, 5]
    assert config.evaluation.examples is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model.latent_dm=2", r"Unknown setting 'model\.latent_dm': did you mean model\.latent_dim"),
        ("latent_dim=2", r"Unknown setting 'latent_dim': did you mean model\.latent_dim"),
        ("modle.latent_dim=2", r"Unknown setting 'modle\.latent_dim': did you mean model\.latent_dim"),
        ("batch_size=3", r"Unknown setting 'batch_size': did you mean training\.batch_size"),
        ("model=2", r"model is a table of settings, it cannot be 2\."),
        ("model.latent_dim.size=2", r"model\.latent_dim = \{'size': 2\} does not fit: it must be a valid integer"),
        ("model.latent_dim=0", r"model\.latent_dim = 0 does not fit: it must be greater than or equal to 1\."),
        (
            "model.latent_dim=100000",
            r"model\.latent_dim = 100000 does not fit: it must be less than or equal to 10000\.",
        ),
        ("model.latent_dim=2.5", r"model\.latent_dim = 2\.5 does not fit: it must be a valid integer\."),
        ("model.latent_dim=true", r"model\.latent_dim = True does not fit: it must be a valid integer\."),
        ("model.latent_dim=two", r"model\.latent_dim = 'two' does not fit: it must be a valid integer\."),
        ("model.latent_dim=none", r"model\.latent_dim = 'none' does not fit: it must be a valid integer\."),
        ("model.latent_dim=2020-01-01", r"model\.latent_dim = 2020-01-01 does not fit"),
        ("model.network=3", r"model\.network must be a name, or a table with a name and settings; it is 3\."),
        ("data.validation=-1", r"data\.validation = -1 does not fit: it must be greater than or equal to 0"),
        ("data.validation=1.5", r"data\.validation = 1\.5 does not fit: it must be .*less than 1"),
        ("data.validation=nan", r"data\.validation = nan does not fit"),
        (
            "data.binarisation=twice",
            r"data\.binarisation = 'twice' does not fit: it must be 'auto', 'dynamic', 'static'",
        ),
        ("evaluation.particles=0", r"evaluation\.particles = 0 does not fit"),
        ("seed=-1", r"seed = -1 does not fit: it must be greater than or equal to 0\."),
        ("seed=9223372036854775808", r"seed = 9223372036854775808 does not fit: it must be less than"),
        ("training.learning_rate=-1", r"training\.learning_rate = -1 does not fit"),
        ("training.epochs=0", r"training\.epochs = 0 does not fit"),
        ("model.network.hidden=[3", r"The value of model\.network\.hidden is not valid TOML: \[3"),
        ("seed", r"A setting is given as NAME=VALUE, such as model\.latent_dim=2, not as 'seed'"),
        ("=3", r"A setting is given as NAME=VALUE"),
        ("model..latent_dim=3", r"A setting is given as NAME=VALUE"),
    ],
)
def test_settings_that_are_refused(text: str, message: str):
    with pytest.raises(UserError, match=message) as caught:
        Config.load("vae", [text])
    assert "\n" not in str(caught.value)


def test_errors_in_a_recipe_name_the_file(tmp_path):
    with pytest.raises(
        UserError, match=r"Unknown setting in the recipe file .*mine\.toml 'training\.epoch': did you mean"
    ):
        Config.load(write(tmp_path, "[training]\nepoch = 3\n"))
    with pytest.raises(UserError, match=r"training in the recipe file .*mine\.toml is a table of settings"):
        Config.load(write(tmp_path, "training = 3\n"))


def test_settings_made_in_python_are_checked_too():
    with pytest.raises(UserError, match=r"model\.latent_dim = 0 does not fit"):
        Config(model=ModelSettings(latent_dim=0))
    with pytest.raises(UserError, match=r"seed = -1 does not fit"):
        dataclasses.replace(Config(), seed=-1)


def test_none_stands_for_what_toml_has_no_word_for():
    config = Config(evaluation=EvaluationSettings(examples=None))
    assert tomllib.loads(config.to_toml())["evaluation"]["examples"] == "none"
    assert Config.from_toml(config.to_toml()) == config


text = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=4,
)
parts = st.builds(Part, text, st.dictionaries(text.filter(lambda key: key != "name"), values, max_size=3))
rows = st.just("auto") | st.integers(0, 10**9) | st.floats(0, 1, exclude_max=True)
seeds = st.integers(0, 2**63 - 1)
configs = st.builds(
    Config,
    recipe=text,
    seed=seeds,
    data=st.builds(
        DataSettings,
        validation=rows,
        test=rows,
        split_seed=st.none() | seeds,
        binarisation=st.sampled_from(["auto", "dynamic", "static", "none"]),
    ),
    model=st.builds(
        ModelSettings, latent_dim=st.integers(1, 10_000), network=parts, posterior=parts, prior=parts, likelihood=parts
    ),
    objective=parts,
    evaluation=st.builds(
        EvaluationSettings, particles=st.integers(1, 10**6), examples=st.none() | st.integers(1, 10**9)
    ),
)


@given(configs)
def test_toml_gives_back_every_setting(config: Config):
    again = Config.from_toml(config.to_toml())
    # As JSON, for to Python 1, 1.0 and True are the same; the order of settings is not kept.
    assert json.dumps(again.plain(), sort_keys=True) == json.dumps(config.plain(), sort_keys=True)


def test_what_was_written_is_checked_when_it_is_read():
    written = Config().to_toml()
    with pytest.raises(UserError, match=r"run\.toml is not valid TOML: .*line 1"):
        Config.from_toml("= 3", "run.toml")
    with pytest.raises(UserError, match=r"Unknown setting in run\.toml 'sed': did you mean seed"):
        Config.from_toml("sed = 3\n" + written, "run.toml")
    with pytest.raises(UserError, match=r"seed = 'x' does not fit"):
        Config.from_toml(written.replace("seed = 0", 'seed = "x"', 1), "run.toml")

"""References stand in docstrings, and every one of them can be read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lowerbound.assemble import assemble
from lowerbound.config import Config
from lowerbound.data import Dataset
from lowerbound.models import DRAW, VAE
from lowerbound.objectives import IWAE, OBJECTIVES, FactorVAE, WeightPenalty, gradients
from lowerbound.posteriors import POSTERIORS, VonMisesFisher
from lowerbound.priors import PRIORS
from lowerbound.recipes import recipes
from lowerbound.report.citations import _entries, citations, references

PARTS = {**OBJECTIVES, **POSTERIORS, **PRIORS, "vae": VAE, "draw": DRAW}


def titles(part):
    return [citation.title for citation in references(part)]


def test_a_class_has_those_of_its_docstring():
    assert titles(IWAE) == ["Importance weighted autoencoders"]
    (found,) = references(VonMisesFisher)
    assert (found.authors, found.year) == ("Davidson et al.", 2018)
    assert found.title == "Hyperspherical variational auto-encoders"


def test_a_class_without_any_has_those_of_what_it_inherits_from_or_of_its_file():
    assert titles(WeightPenalty) == ["From variational to deterministic autoencoders"]
    assert "Auto-encoding variational Bayes" in titles(VAE)


def test_a_short_form_is_the_one_that_the_file_has_in_full():
    (found,) = references(FactorVAE)
    assert (found.authors, found.title, found.year) == ("Kim and Mnih", "Disentangling by factorising", 2018)


def test_a_reference_of_two_lines_is_one():
    (found,) = references(DRAW)
    assert found.authors == "Gregor, Danihelka, Graves, Rezende and Wierstra"
    assert found.title == "DRAW: A recurrent neural network for image generation"


def test_what_is_not_of_this_library_has_none():
    assert references(torch.nn.Linear) == ()
    assert references(torch) == ()


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_reference_of_a_part_can_be_read(name):
    part = PARTS[name]
    assert len(references(part)) >= len(_entries(part.__doc__))


def fitted(recipe, **overrides):
    g = np.random.default_rng(0)
    data = Dataset("squares", "image", g.integers(0, 17, (60, 1, 8, 8)).astype(np.uint8), maximum=16)
    config = Config.load(recipe, {"data.binarisation": "none", **overrides})
    model = assemble(data, config).model.eval()
    with torch.no_grad():
        return config, model, model.trace(torch.rand(2, 1, 8, 8), pathwise=False)


def test_every_part_of_a_run_is_cited_once_and_says_where_it_was_used():
    found = {c.title: c for c in citations(*fitted("hyperspherical-vae"), source="digits")}
    assert found["Hyperspherical variational auto-encoders"].uses == ("recipe", "posterior", "prior")
    assert found["Simulation of the von Mises Fisher distribution"].uses == ("posterior", "prior")
    assert found["Adam: A method for stochastic optimization"].uses == ("optimizer",)
    assert found["Importance weighted autoencoders"].url == "https://arxiv.org/abs/1509.00519"
    assert found["Optical recognition of handwritten digits"].uses == ("data",)


def test_the_estimator_of_the_gradient_is_cited_where_there_is_one():
    plain = [c.title for c in citations(*fitted("vae"))]
    assert "Sticking the landing" not in plain
    found = citations(*fitted("vae", **{"objective.gradient": "sticking-the-landing"}))
    assert [c.title for c in found if "gradient" in c.uses] == ["Sticking the landing"]
    assert "Sticking the landing" in titles(gradients)


def test_a_model_without_a_bound_cites_no_evaluation_of_one():
    assert not any("evaluation" in c.uses for c in citations(*fitted("rae-l2")))


@pytest.mark.parametrize("recipe", [recipe.name for recipe in recipes() if recipe.name != "draw"])
def test_the_paper_of_every_recipe_comes_first_with_its_address(recipe):
    few = {"model.prior.components": 5} if recipe == "vamp" else {}
    first = citations(*fitted(recipe, **few))[0]
    assert "recipe" in first.uses
    assert first.url.startswith("https://")

"""Which figures a run gets, and that they are drawn from the numbers of its evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lowerbound import figures
from lowerbound.assemble import assemble
from lowerbound.config import Config
from lowerbound.data import open_data
from lowerbound.errors import UserError
from lowerbound.evaluation import Evaluation
from lowerbound.experiment import subject_of
from lowerbound.illustrate import FIGURES, Subject, Unsuited, draw, suited
from lowerbound.run import Run
from lowerbound.source import Source
from lowerbound.trained import Trained

ALL = set(FIGURES) - {"painting"}
WALKS = {"traversals", "interpolation"}


@pytest.fixture
def untrained(tmp_path, digits_file):
    """The figures' subject of a model that has learned nothing."""

    def make(recipe, **overrides):
        dataset = open_data(str(digits_file))
        config = Config.load(recipe, {"data.binarisation": "none", **overrides})
        assembly = assemble(dataset, config)
        if assembly.classes:
            dataset = dataset.numbered(assembly.classes)
        run = Run.create(tmp_path / "run", assembly.config, Source.of(dataset, assembly, str(digits_file)))
        trained = Trained(assembly.model, assembly.preparation, dataset.shape)
        return Subject(run, trained, dataset, assembly.splits.test)

    return make


SMALL_NETWORK = {"model.network.hidden": [16]}
KINDS = {
    ("vae",): (SMALL_NETWORK, ALL - {"manifold", "learning-curves"}),
    ("kingma-welling-2013",): ({}, ALL - {"learning-curves"}),
    ("kingma-welling-2013", "mixture"): (
        {"model.prior": "gaussian-mixture", "model.prior.components": 3},
        ALL - {"manifold", "learning-curves", "kl-per-latent"},
    ),
    ("vae", "one dimension"): (
        {**SMALL_NETWORK, "model.latent_dim": 1},
        ALL - {"manifold", "learning-curves", "latent-space"},
    ),
    ("rae-l2",): (SMALL_NETWORK, ALL - {"manifold", "learning-curves", "kl-per-latent"}),
    ("vq-vae",): (
        {
            **SMALL_NETWORK,
            "model.latent_dim": 32,
            "model.posterior": {"name": "vector-quantized", "categories": 8, "code_dim": 4},
            "model.prior": {"name": "autoregressive", "categories": 8, "hidden": [16]},
        },
        {"samples", "reconstructions", "latent-space", "prior-and-posterior"},
    ),
    ("hyperspherical-vae",): (
        {**SMALL_NETWORK, "model.latent_dim": 3},
        ALL - {"manifold", "learning-curves", "kl-per-latent"},
    ),
    ("draw",): (
        {"model.latent_dim": 3, "model.family.steps": 2, "model.family.first_steps": "none", "model.family.units": 8},
        set(FIGURES) - {"manifold", "learning-curves"},
    ),
    ("vae", "conditional"): ({**SMALL_NETWORK, "model.condition": "label"}, ALL - {"manifold", "learning-curves"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
def test_a_run_gets_the_figures_that_make_sense_for_it(untrained, kind):
    """The manifold of two conditional dimensions is tested below; learning curves need a training."""
    overrides, names = KINDS[kind]
    subject = untrained(kind[0], **overrides)
    drawn = dict(suited(subject))
    assert set(drawn) == names
    for ax in drawn.values():
        ax.figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("recipe", "overrides", "name", "message"),
    [
        ("vae", SMALL_NETWORK, "manifold", "two dimensions, and this one has 50"),
        ("vae", SMALL_NETWORK, "learning-curves", "its first epoch has not ended"),
        ("kingma-welling-2013", {"model.prior": "gaussian-mixture"}, "manifold", "this model's is gaussian-mixture"),
        ("kingma-welling-2013", {"model.condition": "label"}, "manifold", "another manifold for each"),
        ("vae", {**SMALL_NETWORK, "model.latent_dim": 1}, "latent-space", "this model has one"),
        ("rae-l2", SMALL_NETWORK, "kl-per-latent", "a point has no KL divergence"),
        ("hyperspherical-vae", SMALL_NETWORK, "kl-per-latent", "depend on one another"),
        ("vae", SMALL_NETWORK, "painting", "this is none: draw samples"),
    ],
)
def test_a_figure_that_makes_no_sense_is_refused_in_one_sentence(untrained, recipe, overrides, name, message):
    with pytest.raises(Unsuited, match=message) as refusal:
        draw(untrained(recipe, **overrides), name)
    assert str(refusal.value).count(".") <= 1 + str(refusal.value).count("--latent-dim")


def test_between_choices_nothing_lies(untrained):
    overrides, _ = KINDS[("vq-vae",)]
    subject = untrained("vq-vae", **overrides)
    for name in WALKS:
        with pytest.raises(Unsuited, match="choices of categories, between which nothing lies"):
            draw(subject, name)


def test_the_use_of_the_latent_variables_is_that_of_the_evaluation(small_run):
    """By the same draws on the same rows, to the last digit."""
    found, usage = small_run.evaluation(), subject_of(small_run).usage
    assert isinstance(found, Evaluation)
    assert int(usage.active.sum()) == found.active_units
    np.testing.assert_allclose(usage.kl, found.kl_per_dimension, rtol=1e-12)
    assert list(usage.order) == sorted(range(2), key=lambda d: -found.kl_per_dimension[d])


def test_what_is_not_learned_from_is_shown(small_run):
    subject = subject_of(small_run)
    assert len(subject.rows) == small_run.source.test == 60
    np.testing.assert_array_equal(subject.labels, subject.dataset.labels[subject.rows])
    assert subject.codes.shape == (60, 2)


def test_a_draw_for_each_datum_has_the_moments_of_its_posterior(small_run):
    """The sum over 60 data and 2 dimensions of the squared deviations in standard deviations is χ² with 120 degrees of
    freedom: within 120 ± 5 · √240 but for one time in a million (seed of the run)."""
    subject = subject_of(small_run)
    _, drawn = subject.drawn
    with torch.no_grad():
        posterior = subject.trained.model.posterior(subject.observed)
    squares = ((torch.from_numpy(drawn) - posterior.mean) ** 2 / posterior.variance).sum().item()
    assert abs(squares - 120) < 5 * np.sqrt(240)


def test_rows_to_interpolate_between_can_be_chosen(small_run, monkeypatch):
    asked = []
    monkeypatch.setattr(figures, "interpolation", lambda decode, codes, data, **_: asked.append((codes, data)))
    subject = subject_of(small_run)
    draw(subject, "interpolation", between=(7, 3))
    ((codes, data),) = asked
    np.testing.assert_array_equal(data[0], subject.dataset.values[[7, 3]])
    np.testing.assert_allclose(codes[0], subject.trained.encode(subject.dataset.values[[7, 3]]), atol=1e-6)
    with pytest.raises(UserError, match="two rows from 0 to 299, not -1 and 3"):
        draw(subject, "interpolation", between=(-1, 3))


def test_a_conditional_model_is_told_the_label_of_what_it_shows(untrained, monkeypatch):
    """Pairs have one label each, and the codes between them are decoded with it."""
    subject = untrained("vae", **{**SMALL_NETWORK, "model.condition": "label"})
    told = []
    decode = subject.trained.decode
    monkeypatch.setattr(subject.trained, "decode", lambda z, labels: (told.append(labels), decode(z, labels))[1])
    draw(subject, "interpolation")
    assert len(told[0]) == 6 * 9
    assert all(len(set(row)) == 1 for row in told[0].reshape(6, 9))
    draw(subject, "traversals")
    assert len(set(told[1])) == 1
    labels = subject.dataset.labels
    other = int(np.flatnonzero(labels != labels[0])[0])
    with pytest.raises(UserError, match="nothing lies between two of them"):
        draw(subject, "interpolation", between=(0, other))


def test_an_unknown_figure_and_an_option_of_another_are_refused(small_run):
    subject = subject_of(small_run)
    with pytest.raises(UserError, match="Unknown figure 'manifol': did you mean manifold"):
        draw(subject, "manifol")
    with pytest.raises(UserError, match="--grid is for the figure manifold, not for samples"):
        draw(subject, "samples", grid=3)

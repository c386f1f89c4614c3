"""What is chosen for data, why, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lowerbound.assemble import assemble, build_model, choose_likelihood
from lowerbound.config import Config, ModelSettings
from lowerbound.data import Dataset
from lowerbound.errors import UserError
from lowerbound.models import DRAW
from lowerbound.parts import Part


def images(maximum=255, channels=1, n=60, seed=0, black=0.8):
    """Images of 7 × 5, of which so many pixels are black and the rest of any level."""
    g = np.random.default_rng(seed)
    levels = g.integers(0, maximum + 1, (n, channels, 7, 5), dtype=np.uint8)
    return Dataset("pictures", "image", np.where(g.random(levels.shape) < black, 0, levels).astype(np.uint8), maximum)


def load(*settings):
    return Config.load("vae", ["model.network.hidden=[4]", "model.latent_dim=3", *settings])


def test_what_was_understood_is_one_line_with_its_reason():
    found = assemble(images(), load())
    assert found.understood.startswith("60 images of 7 × 5, grey")
    assert "; likelihood bernoulli with dynamic binarisation, because " in found.understood
    assert found.config.model.likelihood == Part("bernoulli")
    assert found.config.data.binarisation == "dynamic"
    asked = assemble(images(), load("model.likelihood=discretized-logistic"))
    assert asked.understood.endswith("likelihood discretized logistic, because it was asked for")


def test_the_resolved_configuration_assembles_to_the_same():
    first = assemble(images(black=0.1), load())
    again = assemble(images(black=0.1), first.config)
    assert again.config == first.config
    for ours, theirs in zip(first.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_levels_are_those_of_the_data():
    found = assemble(images(maximum=16), load("model.likelihood=discretized-logistic"))
    assert found.config.model.likelihood == Part("discretized-logistic", {"levels": 17})
    x = found.preparation(torch.from_numpy(images(maximum=16).values))
    p = found.model.decode(torch.zeros(3))
    total = sum(p.base_dist.log_prob(torch.full(p.event_shape, k / 16)).exp() for k in range(17))
    torch.testing.assert_close(total, torch.ones(p.event_shape))
    torch.testing.assert_close(x * 16, (x * 16).round())


def test_settings_of_a_likelihood_that_was_left_open_are_kept():
    table = Dataset("table", "vector", np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32))
    found = assemble(table, load("model.likelihood.variance=shared"))
    assert found.config.model.likelihood == Part("gaussian", {"variance": "shared"})


@pytest.mark.parametrize("likelihood", ["bernoulli", "discretized-logistic", "gaussian", "continuous-bernoulli"])
@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("channels", [1, 3])
def test_p_of_x_starts_at_the_mean_of_the_training_rows(likelihood, network, channels):
    """At the origin of z, whose weights are small, the mean is near that of the data."""
    data = images(channels=channels)
    found = assemble(data, Config.load("vae", [f"model.likelihood={likelihood}", f"model.network={network}"]))
    mean = data.values[found.splits.train].mean(0) / 255
    start = found.preparation.restore(found.model.decode(torch.zeros(50)).mean).detach().numpy() / 255
    assert np.abs(start - mean).mean() < 0.05


def test_binarisation_fits_likelihood_and_data():
    binary = images(maximum=1)
    assert choose_likelihood(binary, load())[:2] == (Part("bernoulli"), "none")
    assert choose_likelihood(images(), load("data.binarisation=static"))[1] == "static"
    with pytest.raises(UserError, match="grey levels is not a likelihood"):
        assemble(images(), load("model.likelihood=bernoulli", "data.binarisation=none"))
    with pytest.raises(UserError, match=r"data\.binarisation = dynamic is for a Bernoulli likelihood"):
        assemble(images(), load("model.likelihood=gaussian", "data.binarisation=dynamic"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.likelihood=bernouli", r"Unknown model\.likelihood 'bernouli': did you mean bernoulli"),
        ("model.likelihood.varianc=shared", r"Unknown setting of model\.likelihood 'bernoulli'"),
        ("model.network=resnet", r"Unknown model\.network 'resnet'"),
        ("model.network.activation=sillu", r"Unknown activation 'sillu': did you mean silu"),
        ("model.network.hidden=[0]", r"model\.network 'mlp': hidden layers need at least one unit"),
        ("model.network.hidden=many", r"model\.network\.hidden = 'many' does not fit"),
        ("model.prior=normal", r"Unknown model\.prior 'normal'"),
        ("model.family=gan", r"Unknown model\.family 'gan': there are: draw, vae"),
        ("model.condition=label", r"model\.condition = label needs labels, and pictures has no labels: leave it out"),
        ("objective=elbow", r"Unknown objective 'elbow': did you mean elbo"),
        ("objective.kl_warmup=2", r"a warm-up longer than the training"),
        ("objective.bta=2", r"Unknown setting of objective 'elbo' 'bta': did you mean beta"),
    ],
)
def test_parts_that_are_refused(setting, message):
    with pytest.raises(UserError, match=message) as caught:
        assemble(images(), load(setting))
    assert "\n" not in str(caught.value)


def test_the_seed_decides_the_weights_and_leaves_the_caller_s_generator_alone():
    before = torch.get_rng_state()
    settings = ModelSettings(likelihood=Part("gaussian"), network=Part("mlp", {"hidden": [4]}))
    one, same, other = (build_model(settings, torch.zeros(3), seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_vamp_prior_begins_at_training_data():
    data = images()
    found = assemble(
        data, load("model.prior=vamp", "model.prior.components=5", "model.likelihood=discretized-logistic")
    )
    rows = found.preparation(torch.from_numpy(data.values[found.splits.train])).flatten(1)
    starts = found.model.prior.pseudo_inputs.detach().flatten(1)
    assert {tuple(row.tolist()) for row in starts} <= {tuple(row.tolist()) for row in rows}
    assert len(starts.unique(dim=0)) == 5
    with pytest.raises(UserError, match=r"model\.prior 'vamp': it begins with 500 training data, and there are 43"):
        assemble(data, load("model.prior=vamp"))


def test_posterior_and_prior_must_be_over_the_same_space():
    with pytest.raises(UserError, match=r"choose model\.posterior and model\.prior over the same space"):
        assemble(images(), load("model.posterior=von-mises-fisher"))
    assemble(images(), load("model.posterior=von-mises-fisher", "model.prior=uniform-sphere"))


def test_an_objective_learns_the_sizes_that_it_asks_for():
    found = assemble(images(), load("objective=beta-tc-vae"))
    assert found.objective.data_size == len(found.splits.train)
    one, same, other = (
        assemble(images(), load("objective=factor-vae", f"seed={seed}", "data.split_seed=0")).objective.network
        for seed in (1, 1, 2)
    )
    assert one(torch.zeros(2, 3)).shape == (2, 1)
    weights = [network.state_dict()["layers.0.weight"] for network in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def load_draw(*settings):
    small = {"steps": 3, "units": 4, "read": 2, "write": "none"}
    config = Config.load("vae").plain()
    config["model"]["network"] = {"name": "mlp"}
    config["model"]["family"] = {"name": "draw", **small}
    return Config.from_plain(config, "a test").overlaid(settings)


def test_a_draw_has_the_sizes_of_its_settings():
    model = assemble(images(), load_draw("model.latent_dim=2")).model
    assert isinstance(model, DRAW)
    assert (model.steps, model.latent_dim, model.code_size) == (3, 2, 6)
    assert model.reader.attention.size == 2
    assert model.writer.attention is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.posterior=full-gaussian", r"has a posterior of its own: leave model\.posterior = full"),
        ("model.prior=vamp", r"has a prior of its own"),
        ("model.network.hidden=[3]", r"has a network of its own"),
        ("model.family.read=9", r"A window of 9 × 9 filters makes no sense on an image of 7 × 5 pixels"),
        ("model.family.first_steps=4", r"first_steps = 4 makes no sense for 3 steps"),
        ("model.family.step=4", r"Unknown setting of model\.family 'draw' 'step': did you mean steps"),
    ],
)
def test_what_a_draw_cannot_be_made_of(setting, message):
    with pytest.raises(UserError, match=message):
        assemble(images(), load_draw(setting))


def test_a_draw_needs_images():
    table = Dataset("table", "vector", np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    with pytest.raises(UserError, match=r"A window needs images .* leave the setting read of DRAW at none"):
        assemble(table, load_draw())


@pytest.mark.parametrize("load", [load, load_draw])
def test_a_conditional_model_is_told_the_label(load):
    data = replace(images(), labels=np.arange(60) % 3)
    found = assemble(data, load("model.condition=label", "model.latent_dim=2"))
    assert found.classes == ("0", "1", "2")
    assert found.understood.endswith("given its label, one of 3")
    torch.manual_seed(0)
    z = torch.randn(1, found.model.embed(torch.zeros(1, 1, 7, 5), context=torch.eye(3)[:1]).shape[1])
    means = [found.model.decode(z, context=label.unsqueeze(0)).mean for label in torch.eye(3)]
    assert not torch.allclose(means[0], means[1], atol=1e-4)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.network=conv", r"model\.network = conv cannot be told of labels: choose mlp"),
        ("model.prior=vamp", r"model\.prior = vamp is made of posteriors, which would need a label each"),
    ],
)
def test_what_a_conditional_model_cannot_be_made_of(setting, message):
    data = replace(images(), labels=np.arange(60) % 3)
    with pytest.raises(UserError, match=message):
        assemble(data, Config.load("vae", ["model.condition=label", setting]))

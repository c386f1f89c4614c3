"""What is reported of a model whose encoder is deterministic: one figure, and why there is no other."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from lowerbound import VariationalAutoencoder
from lowerbound.errors import UserError
from lowerbound.evaluation import DistortionAlone, bound, evaluate, importance_sampling
from lowerbound.likelihoods import Gaussian
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import Deterministic
from lowerbound.priors import ExPostMixture
from lowerbound.run import Run

SMALL = ("--epochs", 3, "--set", "model.network.hidden=[16]", "--set", "model.prior.components=2")


def autoencoder():
    torch.manual_seed(0)
    head, likelihood = Deterministic(2), Gaussian((5,))
    return VAE(
        Conditional(MLP((5,), head.parameter_shape, hidden=(6,)), head),
        Conditional(MLP((2,), likelihood.parameter_shape, hidden=(6,)), likelihood),
        ExPostMixture(2, components=2),
    ), torch.randn(30, 5)


def test_the_distortion_and_its_error_are_those_of_a_loop():
    model, x = autoencoder()
    with torch.no_grad():
        each = [-model.decoder(model.encoder(datum.unsqueeze(0)).mean[0]).log_prob(datum).item() for datum in x]
    mean = math.fsum(each) / 30
    error = math.sqrt(math.fsum((d - mean) ** 2 for d in each) / 29 / 30)
    found = evaluate(model, x, 50, log_volume=2.5, data="thirty points")
    assert isinstance(found, DistortionAlone)
    assert (found.distortion, found.distortion_error) == pytest.approx((mean - 2.5, error), rel=1e-5)
    assert found.examples == 30
    for words in ("Data: thirty points", "2.500 nats were added to log p(x | z)", "no −ELBO and no NLL"):
        assert words in found.protocol


def test_it_says_in_one_sentence_why_there_is_no_bound_and_never_gives_one():
    model, x = autoencoder()
    found = evaluate(model, x, 50)
    figure, reason = found.summary()
    assert figure.startswith("distortion  ")
    assert reason.startswith("There is no −ELBO and no NLL, for the encoder says a point, whose KL divergence")
    assert (reason.count("."), "\n" in reason) == (1, False)
    assert {*json.loads(found.to_json())} == {"examples", "distortion", "distortion_error", "seconds", "protocol"}
    for ask in (bound, importance_sampling):
        with pytest.raises(UserError, match="neither a bound nor a likelihood"):
            ask(model, x)


@pytest.mark.parametrize("recipe", ["rae-l2", "rae-gp"])
def test_every_command_ends_well_or_says_in_a_sentence_why_not(command, digits_file, tmp_path, recipe):
    run = tmp_path / "run"
    fitted = command("fit", digits_file, "--recipe", recipe, "--out", run, *SMALL)
    assert fitted.code == 0
    assert "distortion" in fitted.out
    assert "ELBO 1" not in fitted.out
    metrics = Run.open(run).metrics()
    assert len(metrics) == 3
    assert all(math.isfinite(entry["validation_distortion"]) and entry["rate"] == math.inf for entry in metrics)
    evaluated = command("evaluate", run)
    assert evaluated.code == 0
    assert "There is no −ELBO and no NLL" in " ".join(evaluated.out.split())
    for words in (("encode", run, digits_file), ("reconstruct", run, digits_file), ("sample", run)):
        assert command(*words, "-o", tmp_path / f"{words[0]}.npz").code == 0
    refused = command("score", run, digits_file, "-o", tmp_path / "scores.npz")
    assert refused.code == 2
    assert "a point without a density" in " ".join(refused.error.split())
    assert "Traceback" not in refused.error


def test_the_estimator_maps_and_samples_and_refuses_a_score():
    x = np.random.default_rng(0).random((60, 5))
    model = VariationalAutoencoder(recipe="rae-l2", epochs=2, latent_dim=2, random_state=0).fit(x)
    codes = model.transform(x)
    assert codes.shape == (60, 2)
    prior = model.trained_.model.prior
    # The best weights' codes of the data that were learned from are what the prior was fitted to.
    assert prior.loc.std() > 0
    assert np.isfinite(model.sample(7)).all()
    for ask in (model.score, model.score_samples):
        with pytest.raises(UserError, match="a point without a density"):
            ask(x)

"""A whole evaluation against its parts, and what it refuses and warns of."""

import math
import re

import pytest
import torch
from torch import nn

from lowerbound.errors import UserError
from lowerbound.evaluation import bound, evaluate, importance_sampling
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
X = ORACLE.sample(40)


def mean_and_error(values):
    """Mean and standard error in plain arithmetic."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


def test_figures_and_their_standard_errors_are_those_of_the_parts():
    model = ORACLE.model(spread=1.3)
    found = evaluate(model, X, 50, examples=30, seed=4)
    distortion, rate = bound(model, X, seed=4)
    sampled = importance_sampling(model, X[:30], 50, seed=4)
    assert (found.negative_elbo, found.negative_elbo_error) == pytest.approx(
        mean_and_error((distortion + rate).tolist())
    )
    assert (found.nll, found.nll_error) == pytest.approx(mean_and_error((-sampled.log_likelihood).tolist()))
    assert found.distortion + found.rate == pytest.approx(found.negative_elbo)
    assert found.rate == pytest.approx(rate.mean().item())
    assert found.effective_sample_size == pytest.approx(sampled.effective_sample_size.mean().item())
    # numpy's and torch's default: linear between the order statistics, here 0.05 · 29 = 1.45 steps from the lowest.
    low = sorted(sampled.effective_sample_size.tolist())[1:3]
    assert found.effective_sample_size_low == pytest.approx(low[0] + 0.45 * (low[1] - low[0]))
    assert (found.examples, found.nll_examples, found.particles, found.seed) == (40, 30, 50, 4)
    assert (found.active_units, found.latent_dim) == (2, 2)
    assert sum(found.kl_per_dimension) == pytest.approx(found.rate)
    assert found.bits_per_dimension is None


def test_at_the_exact_posterior_the_nll_is_exact_and_nothing_is_doubtful():
    found = evaluate(ORACLE.model(), X, 20)
    assert found.nll == pytest.approx(-ORACLE.log_prob(X).mean().item(), abs=1e-9)
    assert found.effective_sample_size == pytest.approx(20)
    assert found.warnings == ()


def test_a_volume_moves_every_density_and_no_error():
    plain, moved = (evaluate(ORACLE.model(), X, 20, log_volume=volume, dimensions=5) for volume in (0.0, 2.5))
    for name in ("nll", "negative_elbo", "distortion"):
        assert getattr(moved, name) == pytest.approx(getattr(plain, name) - 2.5)
    for name in ("rate", "nll_error", "negative_elbo_error", "effective_sample_size"):
        assert getattr(moved, name) == getattr(plain, name)
    assert plain.bits_per_dimension == pytest.approx(plain.nll / (5 * math.log(2)))
    assert moved.bits_per_dimension == pytest.approx(moved.nll / (5 * math.log(2)))
    assert "2.500 nats were added to log p(x)" in moved.protocol
    assert "were added" not in plain.protocol


def test_the_protocol_says_what_was_done():
    found = evaluate(ORACLE.model(), X, 1_000, examples=10, seed=7, data="forty points")
    for words in ("Data: forty points", "each of 40 examples", "K = 1,000", "each of 10 examples", "float64, seed 7"):
        assert words in found.protocol


def test_more_examples_than_there_are_means_all():
    assert evaluate(ORACLE.model(), X, 5, examples=1_000).nll_examples == 40


def test_mask_and_context_reach_every_part():
    """With nothing observed the posterior is compared with the prior alone, and the distortion is zero."""
    found = evaluate(ORACLE.model(), X, 5, examples=20, mask=torch.zeros(40, 5, dtype=torch.bool))
    assert found.distortion == 0
    assert found.warnings[0].startswith("The decoder ignores z")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_data_that_is_not_finite_is_reported_with_its_row(odd):
    x = X.clone()
    x[3, 1] = odd
    x[17] = odd
    with pytest.raises(UserError) as error:
        evaluate(ORACLE.model(), x, 5)
    text = str(error.value)
    assert text.startswith("2 of 40 examples have entries that are not finite, the first in row 3: ")
    assert "\n" not in text


def test_what_was_not_observed_may_be_anything():
    x, mask = X.clone(), torch.ones(40, 5, dtype=torch.bool)
    mask[3, 1] = False
    model = ORACLE.model()
    network = model.encoder.network
    model.encoder.network = nn.Sequential(Filled(), network)
    x[3, 1] = 0.0
    expected = evaluate(model, x, 5, mask=mask)
    x[3, 1] = math.nan
    found = evaluate(model, x, 5, mask=mask)
    assert (found.nll, found.negative_elbo) == (expected.nll, expected.negative_elbo)


class Filled(nn.Module):
    """Zeros in place of what is not a number."""

    def forward(self, x):
        return x.nan_to_num()


def test_a_likelihood_that_is_not_finite_is_reported_with_its_row():
    """The square of 10²⁰⁰ is not finite though the number is."""
    x = X.clone()
    x[3, 1] = x[17, 2] = 1e200
    with pytest.raises(UserError) as error:
        evaluate(ORACLE.model(), x, 5)
    text = str(error.value)
    assert text.startswith("The −ELBO of 2 of 40 examples is not finite, the first in row 3: ")
    assert "\n" not in text


def test_too_few_effective_samples_are_warned_of():
    """A posterior five standard deviations off: hardly a draw counts."""
    (warning,) = evaluate(ORACLE.model(shift=2.5), X, 100).warnings
    match = re.fullmatch(
        r"The effective sample size is low \(([\d.]+) of 100\): the NLL is at least ([\d.]+) nats above what more "
        r"importance samples would give, try 1,000\.",
        warning,
    )
    effective, excess = map(float, match.groups())
    assert 1 <= effective < 5
    assert 0.1 <= excess <= 0.5


def test_a_bound_far_above_that_of_the_training_data_is_warned_of():
    values = bound(ORACLE.model(), X)
    per_datum = values.distortion + values.rate
    negative, spread = per_datum.mean().item(), per_datum.std().item()
    threshold = max(0.25 * spread, 3 * spread / math.sqrt(40))
    (warning,) = evaluate(ORACLE.model(), X, 5, training_bound=negative - 1.01 * threshold).warnings
    assert warning.startswith(f"−ELBO is {1.01 * threshold:.2f} nats higher than on the training data")
    assert evaluate(ORACLE.model(), X, 5, training_bound=negative - 0.99 * threshold).warnings == ()


def test_the_volume_does_not_look_like_learning_by_heart():
    """The bound of the training data is stated without the volume, and so it is compared."""
    found = evaluate(
        ORACLE.model(), X, 5, log_volume=-100.0, training_bound=evaluate(ORACLE.model(), X, 5).negative_elbo
    )
    assert found.warnings == ()


def test_bfloat16_says_what_it_changed():
    model, x = ORACLE.model(spread=1.3).float(), X.float()
    plain, rounded = (evaluate(model, x, 200, precision=precision) for precision in ("float32", "bfloat16"))
    match = re.search(
        r"networks in bfloat16 for the NLL, which changed it by ([+-][\d.]+) ± ([\d.]+) nats", rounded.protocol
    )
    assert float(match[1]) == pytest.approx(rounded.nll - plain.nll, abs=0.001)
    assert rounded.nll != plain.nll
    assert rounded.negative_elbo == plain.negative_elbo
    assert "bfloat16" not in plain.protocol


def test_progress_ends_at_one():
    shares = []
    evaluate(ORACLE.model(), X, 5, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": X[:1]}, "needs at least 2 examples, there are 1"),
        ({"x": X, "examples": 1}, "at least 2 are needed"),
        ({"x": X, "particles": 0}, "At least one importance sample is needed for each example, not 0"),
        ({"x": X, "precision": "half"}, "precision must be 'float32' or 'bfloat16', not 'half'"),
    ],
)
def test_what_has_no_meaning_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        evaluate(ORACLE.model(), **arguments)

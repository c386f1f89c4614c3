"""The parts of the KL term against double loops over the pairs of a batch, and where they are known exactly."""

import itertools
import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from lowerbound.models import Latent, Trace
from lowerbound.objectives import ELBO, BetaTCVAE, decompose
from lowerbound.objectives.total_correlation import log_batch_weights
from oracles import LinearGaussian

ORACLE = LinearGaussian(latents=2, dims=5)
HALF = torch.tensor(0.5)
SIZE = 11


def traced(particles=3):
    torch.manual_seed(0)
    return ORACLE.model(spread=1.4, shift=0.3).trace(ORACLE.sample(4), particles)


def with_latent(posterior, z):
    """A trace whose prior is the standard normal and whose likelihood does not matter."""
    shape = z.shape[-1:]
    prior = Independent(Normal(z.new_zeros(shape), z.new_ones(shape)), 1)
    return Trace(z[0], Independent(Normal(z, 1.0), 1), (Latent(z, posterior, prior),))


def weight(i, j, batch, sampling):
    """Of the posterior of datum j for a draw from that of datum i, from appendix C of the paper."""
    if sampling == "weighted":
        return 1 / (SIZE * batch)
    rest = batch - 1
    if i == j:
        return 1 / SIZE
    return (SIZE - rest) / (SIZE * rest) if j == (i + 1) % batch else 1 / rest


def by_loops(trace, sampling):
    """The three parts, entry by entry; the posterior is a diagonal Gaussian and the prior the standard normal."""
    latent = trace.latents[0]
    mean, scale = latent.posterior.base_dist.loc, latent.posterior.base_dist.scale
    particles, batch, dims = latent.z.shape
    information = correlation = dimensions = 0.0
    for k, i in itertools.product(range(particles), range(batch)):
        z, joint, single = latent.z[k, i], 0.0, [0.0] * dims
        for j in range(batch):
            each = [Normal(mean[j, d], scale[j, d]).log_prob(z[d]).exp().item() for d in range(dims)]
            joint += weight(i, j, batch, sampling) * math.prod(each)
            for d in range(dims):
                single[d] += weight(i, j, batch, sampling) * each[d]
        product = sum(map(math.log, single))
        own = sum(Normal(mean[i, d], scale[i, d]).log_prob(z[d]).item() for d in range(dims))
        information += own - math.log(joint)
        correlation += math.log(joint) - product
        dimensions += product - Normal(0.0, 1.0).log_prob(z).sum().item()
    return [part / (particles * batch) for part in (information, correlation, dimensions)]


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_the_parts_are_the_double_loop_over_pairs(sampling):
    trace = traced()
    assert [part.item() for part in decompose(trace, SIZE, sampling)] == pytest.approx(by_loops(trace, sampling))


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_the_parts_add_up_to_the_sampled_kl(sampling):
    trace = traced()
    kl = (trace.log_posterior() - trace.log_prior()).mean()
    torch.testing.assert_close(sum(decompose(trace, SIZE, sampling)), kl)


def test_the_weights_of_each_row_of_a_stratified_batch_add_up_to_one_with_its_own_on_the_diagonal():
    weights = log_batch_weights(4, SIZE, "stratified").exp()
    assert weights.sum(1).tolist() == pytest.approx([1] * 4)
    assert weights.diagonal().tolist() == pytest.approx([1 / SIZE] * 4)
    assert weights[3, 0].item() == pytest.approx((SIZE - 3) / (SIZE * 3))


def test_stratified_sampling_is_unbiased_and_weighted_sampling_too_low():
    """Over every ordered batch of 3 of 5 data that begins with the datum z was drawn from, against q(z) exactly."""
    torch.manual_seed(0)
    means, z = torch.randn(5, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64)
    density = Normal(means, 0.7).log_prob(z).exp()
    estimates = {"weighted": [], "stratified": []}
    for others in itertools.permutations(range(1, 5), 2):
        for sampling, values in estimates.items():
            row = log_batch_weights(3, 5, sampling)[0].exp()
            values.append((row @ density[[0, *others]]).item())
    mean = {sampling: sum(values) / len(values) for sampling, values in estimates.items()}
    assert mean["stratified"] == pytest.approx(density.mean().item())
    assert mean["weighted"] < density.mean().item()


def test_the_total_correlation_of_equal_posteriors_has_the_golden_values():
    """B draws z ~ N(0, I) under B posteriors N(0, I) in D = 10 dimensions, where every pair is the same.

    Without the constants, log Σ_j q(z | x_j) − Σ_d log Σ_j q(z_d | x_j) = (1 − D) log B, which is −82.893 for
    B = 10⁴ and is what estimators print that leave them out. With the weight 1 / (N B) of each pair it is
    (D − 1) log N, whatever B is, and with stratified weights, which add up to one, it is the true value 0.
    """
    torch.manual_seed(0)
    z = torch.randn(1, 40, 10, dtype=torch.float64)
    trace = with_latent(Independent(Normal(torch.zeros_like(z[0]), 1.0), 1), z)
    weighted = decompose(trace, 10_000).total_correlation.item()
    assert weighted == pytest.approx(82.893, abs=5e-4)
    assert weighted - 9 * math.log(10_000 * 40) == pytest.approx(-9 * math.log(40))
    assert -9 * math.log(10_000) == pytest.approx(-82.893, abs=5e-4)
    stratified = decompose(trace, 10_000, "stratified")
    assert stratified.total_correlation.item() == pytest.approx(0, abs=1e-12)
    assert stratified.mutual_information.item() == pytest.approx(0, abs=1e-12)
    assert decompose(trace, 10_000).mutual_information.item() == pytest.approx(math.log(10_000))


def test_correlated_posteriors_have_the_total_correlation_of_their_covariance():
    """Both data have one posterior with TC = −½ log |Σ|; 4 standard errors, 40,000 draws, seed 0."""
    torch.manual_seed(0)
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)
    q = MultivariateNormal(torch.zeros(2, 2, dtype=torch.float64), covariance)
    z = q.sample((20_000,))
    parts = decompose(with_latent(q, z), 1000, "stratified")
    # For one draw it is ½ (zᵀ (I − Σ⁻¹) z − log |Σ|), whose standard deviation is 0.8.
    assert parts.total_correlation.item() == pytest.approx(-0.5 * math.log(1 - 0.64), abs=4 * 0.8 / 200)
    assert parts.mutual_information.item() == pytest.approx(0, abs=1e-12)


def test_the_loss_weights_each_part_and_leaves_the_report_alone():
    trace = traced()
    value = BetaTCVAE(SIZE, alpha=0.5, beta=4.0, gamma=2.0, sampling="stratified")(trace, HALF)
    elbo = ELBO()(trace, HALF)
    information, correlation, dimensions = by_loops(trace, "stratified")
    expected = elbo.loss.item() - 0.5 * information + 3 * correlation + dimensions
    assert value.loss.item() == pytest.approx(expected)
    torch.testing.assert_close(value[1:3], elbo[1:3])
    torch.testing.assert_close(BetaTCVAE(SIZE, beta=1.0)(trace, HALF).loss, elbo.loss)


def test_the_size_of_the_data_moves_no_gradient_of_weighted_sampling():
    model = ORACLE.model(spread=1.4, shift=0.3)

    def gradient(size):
        torch.manual_seed(0)
        loss = BetaTCVAE(size)(model.trace(ORACLE.sample(4)), HALF).loss
        return torch.autograd.grad(loss, model.encoder.network.weight)[0]

    torch.testing.assert_close(gradient(10), gradient(10_000))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BetaTCVAE(0), "data_size must be at least 1"),
        (lambda: BetaTCVAE(10, beta=-1.0), "beta must be"),
        (lambda: log_batch_weights(5, 4, "stratified"), "a batch of 2 to data_size = 4 data, not of 5"),
        (lambda: log_batch_weights(1, 4, "stratified"), "not of 1"),
        (lambda: decompose(with_latent(Normal(torch.zeros(3, 2), 1.0), torch.zeros(1, 3, 2)), 4), "marginals"),
    ],
)
def test_what_cannot_be_computed_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()

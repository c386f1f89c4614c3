"""Priors: what their parameters mean, and that their draws follow their densities."""

import copy

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from lowerbound.data import Identity
from lowerbound.errors import UserError
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import POSTERIORS, Deterministic, DiagonalGaussian, VectorQuantized, VonMisesFisher
from lowerbound.priors import (
    PRIORS,
    AutoregressiveCategorical,
    ExPostMixture,
    FlowPrior,
    GaussianMixture,
    StandardNormal,
    UniformCategorical,
    UniformRelaxedCategorical,
    UniformSphere,
    VampPrior,
)
from lowerbound.trained import Trained


def encoder(head, inputs=5):
    return Conditional(MLP((inputs,), head.parameter_shape, hidden=(6,)), head)


def vamp(head, components=3):
    return VampPrior(2, components, encoder=encoder(head), examples=lambda n: torch.rand(n, 5))


def test_standard_normal_keeps_no_state():
    prior = StandardNormal(3)
    assert prior.state_dict() == {}
    p = prior()
    assert (p.batch_shape, p.event_shape) == ((), (3,))
    assert p.log_prob(torch.zeros(3)).item() == pytest.approx(3 * -0.9189385)


def test_mixture_is_the_sum_of_its_gaussians():
    torch.manual_seed(0)
    prior = GaussianMixture(2, components=3)
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
        prior.log_variance.normal_()
    z = torch.randn(5, 2)
    density = sum(
        weight * Normal(loc, torch.exp(0.5 * log_variance)).log_prob(z).sum(-1).exp()
        for weight, loc, log_variance in zip(prior.logits.softmax(0), prior.loc, prior.log_variance, strict=True)
    )
    torch.testing.assert_close(prior().log_prob(z), density.log())


@pytest.mark.parametrize("name", ["diagonal-gaussian", "full-gaussian", "flow", "householder", "relaxed-categorical"])
def test_vamp_is_the_mean_of_the_posteriors_at_its_pseudo_inputs(name):
    """Against a loop over the pseudo-inputs; the draws' densities too."""
    torch.manual_seed(0)
    prior = vamp(POSTERIORS[name](2))
    z = prior().sample((4, 3))
    assert z.shape == (4, 3, 2)
    each = [prior._encoder[0](u).log_prob(z).exp() for u in prior.pseudo_inputs]
    torch.testing.assert_close(prior().log_prob(z), (sum(each) / 3).log(), atol=1e-5, rtol=1e-5)


def test_vamp_on_the_sphere_lives_where_its_posterior_does():
    assert vamp(VonMisesFisher(2)).space == "sphere"
    assert vamp(DiagonalGaussian(2)).space == "real"


def test_vamp_starts_at_data_and_does_not_own_the_encoder():
    """The model counts and saves the encoder once, and a copy of the model has a prior with the copy's encoder."""
    torch.manual_seed(0)
    shared, x = encoder(DiagonalGaussian(2)), torch.rand(4, 5)
    decoder = Conditional(MLP((2,), (1, 5), hidden=(6,)), Bernoulli((5,)))
    model = VAE(shared, decoder, VampPrior(2, 3, encoder=shared, examples=lambda n: x[:n]))
    torch.testing.assert_close(model.prior.pseudo_inputs.data, x[:3])
    assert list(model.prior.state_dict()) == ["pseudo_inputs"]
    assert len(list(model.parameters())) == len(model.state_dict()) == 9
    twin = copy.deepcopy(model)
    assert twin.prior._encoder[0] is twin.encoder
    assert twin.prior._encoder[0] is not shared
    model.prior().log_prob(torch.zeros(2)).backward()
    assert all(p.grad is not None for p in [*shared.parameters(), model.prior.pseudo_inputs])


def test_a_flow_is_a_density_of_its_own_draws_inverse():
    """T⁻¹(T(ε)) = ε for the prior's own map, and its density has the determinant of its Jacobian."""
    torch.manual_seed(0)
    prior = FlowPrior(3, hidden=(16,)).double()
    p, noise = prior(), torch.randn(3, dtype=torch.float64)
    z = p.transform(noise)
    torch.testing.assert_close(p.transform.inv(z), noise)
    jacobian = torch.autograd.functional.jacobian(p.transform, noise)
    exact = Normal(0.0, 1.0).log_prob(noise).sum() - torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(p.log_prob(z), exact)


@pytest.mark.parametrize("settings", [{}, {"bijection": "spline", "coupling": True}])
def test_a_flow_learns_a_density_that_is_not_gaussian(settings):
    """After 80 steps on the draws of a ring it is likelier than the best Gaussian by a tenth of a nat, seed 0."""
    torch.manual_seed(0)
    angle = 2 * torch.pi * torch.rand(1_000)
    x = 2 * torch.stack([angle.cos(), angle.sin()], -1) + 0.2 * torch.randn(1_000, 2)
    best = torch.distributions.MultivariateNormal(x.mean(0), torch.cov(x.T)).log_prob(x).mean()
    prior = FlowPrior(2, hidden=(16,), **settings)
    optimizer = torch.optim.Adam(prior.parameters(), 1e-2)
    for _ in range(80):
        loss = -prior().log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert -loss > best + 0.1


def clusters(n=3_000):
    """Codes from two Gaussians with correlated entries, a third of them from the first; their weights and moments."""
    g = np.random.default_rng(0)
    first = g.random(n) < 1 / 3
    factor = np.array([[1.0, 0.0], [0.8, 0.3]])
    codes = g.normal(size=(n, 2)) @ factor.T
    return np.where(first[:, None], codes - 5, 0.5 * codes + 5).astype(np.float32), first


def test_a_mixture_fitted_afterwards_finds_the_clusters():
    """Weights, means and covariances of each cluster's own codes to 1e-3, and a density that is their mixture."""
    codes, first = clusters()
    prior = ExPostMixture(2, components=2)
    prior.fit(codes, seed=0)
    order = prior.loc[:, 0].argsort()
    for component, mine in zip(order, (first, ~first), strict=True):
        here = codes[mine].astype(np.float64)
        assert prior.logits.softmax(0)[component].item() == pytest.approx(mine.mean(), abs=1e-3)
        np.testing.assert_allclose(prior.loc[component], here.mean(0), atol=1e-3)
        factor = prior.scale_tril[component].numpy()
        np.testing.assert_allclose(factor @ factor.T, np.cov(here.T, bias=True), atol=1e-3)
    z = torch.from_numpy(codes[:50])
    each = torch.distributions.MultivariateNormal(prior.loc, scale_tril=prior.scale_tril).log_prob(z.unsqueeze(1))
    torch.testing.assert_close(prior().log_prob(z), (prior.logits.log_softmax(0) + each).logsumexp(-1))


def test_a_mixture_fitted_afterwards_is_saved_and_begins_as_a_standard_normal():
    prior, z = ExPostMixture(2, components=3), torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prior().log_prob(z), StandardNormal(2)().log_prob(z))
    prior.fit(clusters(100)[0], seed=1)
    again, twin = ExPostMixture(2, components=3), ExPostMixture(2, components=3)
    again.load_state_dict(prior.state_dict())
    twin.fit(clusters(100)[0], seed=1)
    for other in (again, twin):
        assert torch.equal(other().log_prob(z), prior().log_prob(z))
    assert list(prior.parameters()) == []


def test_a_mixture_that_cannot_be_fitted_is_refused_in_words():
    with pytest.raises(UserError, match=r"model\.prior\.components = 4 cannot be fitted to 3 codes: ask for fewer"):
        ExPostMixture(2, components=4).fit(np.zeros((3, 2), np.float32), 0)
    with pytest.raises(UserError, match=r"codes are not finite, .*: lower the learning rate"):
        ExPostMixture(2, components=1).fit(np.full((3, 2), np.nan, np.float32), 0)


@pytest.mark.parametrize("head", [Deterministic, DiagonalGaussian])
def test_a_trained_model_is_completed_with_a_density_of_its_codes(head):
    """One component has the mean of q(z | x) over the data, within 5 standard errors; the generator is left alone."""
    torch.manual_seed(0)
    q, prior = encoder(head(2)), ExPostMixture(2, components=1)
    decoder = Conditional(MLP((2,), (1, 5), hidden=(6,)), Bernoulli((5,)))
    trained, x = Trained(VAE(q, decoder, prior), Identity(), (5,)), torch.rand(400, 5)
    before = torch.get_rng_state()
    trained.complete(x.numpy(), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    codes = q(x).mean.detach()
    error = prior.scale_tril[0].diagonal() / 20 if head is DiagonalGaussian else 1e-5
    assert ((prior.loc[0] - codes.mean(0)).abs() < 5 * error).all()
    fitted = prior.loc.clone()
    trained.complete(x.numpy(), seed=3)
    assert torch.equal(prior.loc, fitted)


@pytest.mark.parametrize("name", PRIORS)
def test_draws_and_density_have_the_prior_s_shape(name):
    torch.manual_seed(0)
    prior = vamp(DiagonalGaussian(2)) if name == "vamp" else PRIORS[name](2)
    p = prior()
    assert (p.batch_shape, p.event_shape) == ((), (2,))
    z = p.sample((5, 3))
    assert z.shape == (5, 3, 2)
    assert p.log_prob(z).shape == (5, 3)
    assert torch.isfinite(p.log_prob(z)).all()
    assert p.mean.shape == (2,)


def test_uniform_priors_prefer_nothing_and_learn_nothing():
    categorical = UniformCategorical(6, categories=3)
    torch.testing.assert_close(
        categorical().log_prob(categorical().enumerate_support()), -2 * torch.log(torch.tensor(3.0)).expand(9)
    )
    for prior in (categorical, UniformRelaxedCategorical(6), UniformSphere(3)):
        assert [*prior.parameters(), *prior.state_dict()] == []


def test_a_mixture_of_posteriors_agrees_with_torch_s():
    torch.manual_seed(0)
    prior = vamp(DiagonalGaussian(2))
    q = prior._encoder[0](prior.pseudo_inputs)
    theirs = MixtureSameFamily(Categorical(logits=torch.zeros(3)), Independent(q.base_dist, 1))
    z = torch.randn(6, 4, 2)
    torch.testing.assert_close(prior().log_prob(z), theirs.log_prob(z))


@pytest.mark.parametrize("name", [name for name in PRIORS if name != "vamp"])
def test_dimension_must_be_positive(name):
    with pytest.raises(ValueError, match=r"latent_dim .*at least [12], not 0"):
        PRIORS[name](0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GaussianMixture(3, components=0), "components must be at least 1"),
        (lambda: GaussianMixture(3, spread=-1.0), "spread must not be negative"),
        (lambda: vamp(DiagonalGaussian(2), components=0), "components must be at least 1"),
        (lambda: UniformSphere(1), "latent_dim to be at least 2"),
        (lambda: UniformCategorical(5, categories=2), "multiple of categories"),
        (lambda: vamp(Deterministic(2)), "mixes posteriors that have a spread"),
        (lambda: vamp(VectorQuantized(2)), "mixes posteriors that have a spread"),
        (lambda: AutoregressiveCategorical(5, categories=2), "multiple of categories"),
        (lambda: AutoregressiveCategorical(4, categories=2, hidden=(0,)), "hidden must be at least 1"),
        (lambda: ExPostMixture(2, components=0), "components must be at least 1"),
        (lambda: UniformRelaxedCategorical(4, temperature=-1.0), "temperature must be a positive number"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()

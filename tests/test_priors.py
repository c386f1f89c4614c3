"""Priors: what their parameters mean, and that their draws follow their densities."""

import copy

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.posteriors import POSTERIORS, DiagonalGaussian, VonMisesFisher
from lowerbound.priors import (
    PRIORS,
    FlowPrior,
    GaussianMixture,
    StandardNormal,
    UniformCategorical,
    UniformRelaxedCategorical,
    UniformSphere,
    VampPrior,
)


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
        (lambda: UniformRelaxedCategorical(4, temperature=-1.0), "temperature must be a positive number"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()

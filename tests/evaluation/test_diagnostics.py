"""Diagnostics on models whose use of the latent variables is known exactly."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal

from lowerbound.evaluation import batches, diagnostics
from lowerbound.models import VAE
from lowerbound.nn import Conditional
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.priors import GaussianMixture, StandardNormal


def linear_model(scales, weight=1.0, sigma=1.0, posterior_sigma=1.0, mean=0.0):
    """q(z | x) = N(mean + scales ⊙ x, posterior_sigma²), x | z ~ N(weight z, sigma²), z and x of one size."""

    def posterior(x):
        return Independent(Normal(mean + x * torch.tensor(scales), torch.tensor(posterior_sigma)), 1)

    def decode(z):
        return Independent(Normal(weight * z, sigma), 1)

    return VAE(posterior, decode, StandardNormal(len(scales)))


def standardised(dims, count=400):
    """Data whose every column has mean 0 and variance 1."""
    x = torch.randn(count, dims, generator=torch.Generator().manual_seed(2))
    return (x - x.mean(0)) / x.std(0)


def test_a_unit_is_active_where_its_code_varies_by_more_than_a_hundredth():
    """Codes with the standard deviations 1, 0.11, 0.09 and 0: the variances are 1, 0.0121, 0.0081 and 0."""
    found = diagnostics(linear_model([1.0, 0.11, 0.09, 0.0]), standardised(4))
    assert found.active.tolist() == [True, True, False, False]
    assert found.collapse is None


def test_kl_per_dimension_is_the_closed_form():
    """KL(N(a x, s²) ‖ N(0, 1)) = ½ (a² x² + s² − 1 − log s²), and the mean of x² is 399 / 400."""
    found = diagnostics(linear_model([1.0, 0.5, 0.0], posterior_sigma=0.5), standardised(3))
    expected = [0.5 * (a**2 * 399 / 400 + 0.25 - 1 - math.log(0.25)) for a in (1.0, 0.5, 0.0)]
    assert found.kl_per_dimension.tolist() == pytest.approx(expected, rel=1e-5)


def test_dependent_dimensions_have_one_kl():
    """A full covariance that is the unit matrix has the KL of the diagonal Gaussian, in one number."""
    head = FullGaussian(3)
    features = torch.nn.Linear(3, head.parameter_shape[0], bias=False)
    features.weight.data = torch.cat([torch.diag(torch.tensor([1.0, 0.5, 0.0])), torch.zeros(6, 3)])
    model = linear_model([0.0] * 3)
    model.encoder = Conditional(features, head)
    found = diagnostics(model, standardised(3))
    assert found.kl_per_dimension.tolist() == pytest.approx([0.5 * 1.25 * 399 / 400], rel=1e-5)
    assert found.active.tolist() == [True, True, False]


def test_without_a_closed_form_the_kl_is_that_of_the_group_and_estimated():
    """The standard normal as a mixture: ½ Σ a² x² within 4 standard errors of 4,000 data, seed 0."""
    model = linear_model([1.0, 0.5])
    model.prior = GaussianMixture(2, components=3, spread=0.0)
    found = diagnostics(model, standardised(2, count=4_000))
    error = math.sqrt(1.25 + 0.5 * 1.0625) / math.sqrt(4_000)  # Var = E[a² x² ε²] + ¼ Var(Σ a² x²)
    assert found.kl_per_dimension.tolist() == pytest.approx([0.5 * 1.25], abs=4 * error)


def test_sensitivity_is_the_mean_change_of_log_p():
    """|log p(x | z) − log p(x | z')| against its formula at 400,000 draws of x, z and z'; 4 standard errors, seed 0."""
    torch.manual_seed(1)
    x = standardised(1, count=20_000)
    found = diagnostics(linear_model([1.0], weight=0.7, sigma=0.8), x)
    drawn, z, other = x.repeat(20, 1), torch.randn(400_000, 1), torch.randn(400_000, 1)
    change = ((drawn - 0.7 * z).square() - (drawn - 0.7 * other).square()).abs() / (2 * 0.8**2)
    error = change.std().item() * math.sqrt(1 / 20_000 + 1 / 400_000)
    assert found.sensitivity == pytest.approx(change.mean().item(), abs=4 * error)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (linear_model([1.0] * 10, weight=0.0), "The decoder ignores z"),
        (linear_model([0.0] * 10), "The posterior equals the prior (rate 0.000 nats)"),
        (linear_model([0.0] * 10, mean=1.0), "None of the 10 latent dimensions is active"),
        (linear_model([1.0] + [0.0] * 9), "Only 1 of 10 latent dimensions are active"),
    ],
    ids=["decoder ignores z", "posterior is prior", "constant code", "few active"],
)
def test_a_collapse_is_named_in_one_sentence(model, words):
    collapse = diagnostics(model, standardised(10)).collapse
    assert collapse.startswith(words)
    assert collapse.count(". ") == 0
    assert collapse.endswith(".")


def test_a_model_that_uses_its_latent_variables_has_not_collapsed():
    assert diagnostics(linear_model([1.0, 1.0] + [0.0] * 8), standardised(10)).collapse is None


def test_chunks_and_their_remainder_change_nothing(monkeypatch):
    model, x = linear_model([1.0, 0.05], posterior_sigma=0.5), standardised(2, count=11)
    whole = diagnostics(model, x)
    monkeypatch.setattr(batches, "_pairs_at_once", lambda *_: 4)
    chunked = diagnostics(model, x)
    assert torch.equal(chunked.active, whole.active)
    torch.testing.assert_close(chunked.kl_per_dimension, whole.kl_per_dimension)


def test_what_was_not_observed_does_not_move_the_likelihood():
    """Only the entry that the decoder ignores was observed: z seems to have no effect."""

    def decode(z):
        return Independent(Normal(z * torch.tensor([1.0, 0.0]), 1.0), 1)

    model = VAE(linear_model([1.0, 1.0]).encoder, decode, StandardNormal(2))
    x, mask = standardised(2), torch.tensor([False, True]).expand(400, -1)
    assert diagnostics(model, x).sensitivity > 0.5
    assert diagnostics(model, x, mask=mask).sensitivity == 0


def test_each_datum_keeps_its_own_context(monkeypatch):
    """The code is the context: units vary as its columns do, also in chunks."""
    model = VAE(
        lambda x, c: Independent(Normal(c, torch.ones(2)), 1),
        lambda z, c: Independent(Normal(z + c, torch.ones(2)), 1),
        StandardNormal(2),
    )
    monkeypatch.setattr(batches, "_pairs_at_once", lambda *_: 7)
    x, context = torch.zeros(50, 2), standardised(2, count=50) * torch.tensor([1.0, 0.05])
    found = diagnostics(model, x, context=context)
    assert found.active.tolist() == [True, False]
    torch.testing.assert_close(found.kl_per_dimension, 0.5 * context.double().square().mean(0))


def test_mode_and_random_numbers_are_restored():
    model = linear_model([1.0])
    model.encoder = Conditional(torch.nn.Linear(1, 2), DiagonalGaussian(1))
    model.train()
    before = torch.get_rng_state()
    found = diagnostics(model, standardised(1))
    assert model.training
    assert model.encoder.network.training
    assert torch.equal(torch.get_rng_state(), before)
    assert not found.kl_per_dimension.requires_grad


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_data_are_refused(count):
    with pytest.raises(ValueError, match=f"at least 2 are needed, not {count}"):
        diagnostics(linear_model([1.0]), torch.zeros(count, 1))

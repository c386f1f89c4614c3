import pytest
import torch

from lowerbound.lecture.bayes import RULE, bayes_rule, exact_model
from lowerbound.lecture.variational import PARTS, WAY, parts_of_the_evidence, variational_fit
from oracles import LinearGaussian


def test_bound_and_divergence_add_up_to_the_evidence_at_every_step(workshop):
    terms = workshop[PARTS]
    total = terms.fit - terms.rate + terms.gap
    assert len(total) == 60
    assert torch.allclose(total, terms.log_evidence.expand_as(total), rtol=0, atol=1e-6)
    assert (terms.gap > 0).all()


def test_the_fit_raises_the_bound_and_lowers_the_divergence_by_as_much(workshop):
    terms = workshop[PARTS]
    bound = terms.fit - terms.rate
    assert bound[-1] > bound[0] + 1
    assert terms.gap[-1] < terms.gap[0] - 1


def test_q_begins_as_the_prior(workshop):
    q = workshop[WAY].q
    assert torch.equal(q.mean[0], torch.zeros(2, dtype=torch.float64))
    assert torch.equal(q.stddev[0], torch.ones(2, dtype=torch.float64))


def test_the_bound_of_the_first_step_is_that_of_draws_from_the_prior(workshop):
    """100,000 draws, five standard errors; seed 0."""
    model, terms = exact_model(workshop), workshop[PARTS]
    torch.manual_seed(0)
    values = model.decode(model.prior().sample((100_000,))).log_prob(workshop[RULE].x)
    error = values.std() / len(values) ** 0.5
    assert terms.rate[0].item() == pytest.approx(0, abs=1e-12)
    assert abs(values.mean() - terms.fit[0]).item() < 5 * error.item()


def test_where_the_posterior_is_such_a_gaussian_the_gap_closes():
    oracle = LinearGaussian()
    model = oracle.model().requires_grad_(False)
    grid = bayes_rule(model, oracle.sample(1)[0])
    terms = parts_of_the_evidence(model, variational_fit(model, grid))
    assert terms.gap[-1].item() < 0.01
    assert (terms.fit - terms.rate + terms.gap)[-1].item() == pytest.approx(terms.log_evidence.item(), abs=1e-6)

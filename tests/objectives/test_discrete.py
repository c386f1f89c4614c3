"""A model with one discrete latent variable of 10 states, of which everything is known by enumeration."""

import itertools
import math

import pytest
import torch
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from lowerbound.models import Latent, Trace
from lowerbound.objectives import ELBO, IWAE
from lowerbound.objectives.importance import log_mean_exp

STATES, DATA = 10, 3
HALF = torch.tensor(0.5)


class Discrete:
    """z ~ Categorical, x | z ~ N(μ_z, I) in two dimensions, q(z | x) with one free logit for each datum and state."""

    def __init__(self):
        g = torch.Generator().manual_seed(0)
        self.x = torch.randn(DATA, 2, generator=g, dtype=torch.float64)
        self.means = torch.randn(STATES, 2, generator=g, dtype=torch.float64).requires_grad_()
        self.logits = torch.randn(DATA, STATES, generator=g, dtype=torch.float64).requires_grad_()
        self.prior_logits = torch.randn(STATES, generator=g, dtype=torch.float64).requires_grad_()
        self.parameters = (self.means, self.logits, self.prior_logits)

    def trace(self, z, rows):
        """Of these data at these states, [K, len(rows)]."""
        latent = Latent(z, Categorical(logits=self.logits[rows]), Categorical(logits=self.prior_logits))
        return Trace(self.x[rows], Independent(Normal(self.means[z], 1.0), 1), (latent,))

    def sample(self, particles, copies=1):
        """A trace of so many copies of the data, at states drawn from q."""
        rows = torch.arange(DATA).repeat(copies)
        return self.trace(Categorical(logits=self.logits[rows]).sample((particles,)), rows)

    def everywhere(self):
        """The trace at every state, with states in place of particles."""
        return self.trace(torch.arange(STATES).unsqueeze(1).expand(-1, DATA), torch.arange(DATA))

    def log_prob(self):
        """log p(x), averaged over the data."""
        trace = self.everywhere()
        return (trace.log_likelihood() + trace.log_prior()).logsumexp(0).mean()

    def elbo(self, beta=1.0):
        """E_q [log p(x | z)] − β KL, averaged over the data."""
        q = Categorical(logits=self.logits)
        expected = (q.probs.T * self.everywhere().log_likelihood()).sum(0)
        return (expected - beta * kl_divergence(q, Categorical(logits=self.prior_logits.expand(DATA, -1)))).mean()

    def iwae(self, particles):
        """The importance-weighted bound by summation over every combination of states, averaged over the data."""
        log_w, q = self.everywhere().log_weight(), self.logits.softmax(1).T
        combinations = torch.tensor(list(itertools.product(range(STATES), repeat=particles))).T
        return (q[combinations].prod(0) * log_mean_exp(log_w[combinations])).sum(0).mean()


CASES = [
    (ELBO(particles=2, gradient="score-function"), Discrete.elbo),
    (ELBO(particles=2, beta=0.3, gradient="score-function"), lambda model: model.elbo(0.3)),
    (IWAE(2, "score-function"), lambda model: model.iwae(2)),
]
cases = pytest.mark.parametrize(("objective", "bound"), CASES, ids=["elbo", "beta", "iwae"])


def test_the_bounds_are_ordered_exactly():
    """ELBO = L_1 < L_2 < L_3 < log p(x)."""
    model = Discrete()
    bounds = [model.iwae(particles).item() for particles in (1, 2, 3)]
    assert bounds[0] == pytest.approx(model.elbo().item())
    assert bounds[0] < bounds[1] < bounds[2] < model.log_prob().item()


@cases
def test_the_score_function_estimator_expects_the_exact_bound_and_gradient(objective, bound):
    """Its expectation over all 100 pairs of draws of each datum, with nothing sampled."""
    model = Discrete()
    q = model.logits.softmax(1).detach()
    expected = 0.0
    for datum, one, two in itertools.product(range(DATA), range(STATES), range(STATES)):
        trace = model.trace(torch.tensor([[one], [two]]), torch.tensor([datum]))
        expected = expected + q[datum, one] * q[datum, two] / DATA * objective(trace, HALF).loss
    exact = -bound(model)
    torch.testing.assert_close(expected, exact)
    ours, theirs = (torch.autograd.grad(loss, model.parameters) for loss in (expected, exact))
    torch.testing.assert_close(ours, theirs)


@cases
def test_the_gradients_of_drawn_traces_scatter_around_the_exact_one(objective, bound):
    """4.5 standard errors in every entry, 200 × 100 draws, seed 0."""
    torch.manual_seed(0)
    model = Discrete()
    exact = torch.autograd.grad(-bound(model), model.logits)[0]
    rows = [torch.autograd.grad(objective(model.sample(2, 100), HALF).loss, model.logits)[0] for _ in range(200)]
    rows = torch.stack(rows)
    assert ((rows.mean(0) - exact).abs() < 4.5 * rows.std(0) / math.sqrt(200)).all()


def test_the_baseline_lowers_the_variance():
    """Leave-one-out against no baseline on the same draws; 400 repetitions, seed 0."""
    torch.manual_seed(0)
    model, ours, plain = Discrete(), [], []
    for _ in range(400):
        trace = model.sample(4)
        loss = ELBO(particles=4, gradient="score-function")(trace, HALF).loss
        ours.append(torch.autograd.grad(loss, model.logits, retain_graph=True)[0])
        loss = -(trace.log_weight().detach() * trace.log_posterior()).mean()
        plain.append(torch.autograd.grad(loss, model.logits)[0])
    assert torch.stack(ours).var(0).mean() < 0.7 * torch.stack(plain).var(0).mean()

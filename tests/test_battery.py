"""Parts in combination: a step reaches every parameter, and loaded weights give the same numbers.

There are too many combinations to try them all. Those here contain every pair of choices that is possible at all, and
every pair that is not is refused in one sentence.
"""

import itertools
from inspect import signature

import numpy as np
import pytest
import torch

from lowerbound.files import load_tensors, save_tensors
from lowerbound.likelihoods import LIKELIHOODS
from lowerbound.models import VAE, VQVAE
from lowerbound.nn import DECODERS, ENCODERS, Conditional
from lowerbound.objectives import OBJECTIVES
from lowerbound.posteriors import POSTERIORS, check_same_space
from lowerbound.priors import PRIORS
from test_likelihoods import observed

BATCH, LATENTS, PARTICLES, EVENT = 4, 6, 3, (3, 5, 2)

# Estimators that are settings of an objective are choices of their own.
GOALS = {
    **{name: (name, {}) for name in OBJECTIVES},
    "elbo, sticking the landing": ("elbo", {"gradient": "sticking-the-landing"}),
    "elbo, score function": ("elbo", {"gradient": "score-function"}),
    "iwae, doubly reparameterized": ("iwae", {"gradient": "doubly-reparameterized"}),
    "iwae, score function": ("iwae", {"gradient": "score-function"}),
}
SMALL = {"hidden": (6,), "channels": (4, 5), "components": 2, "categories": 3}
CHOICES = [list(table) for table in (ENCODERS, LIKELIHOODS, POSTERIORS, PRIORS, GOALS)]
LEARNED = ("gaussian-mixture", "vamp", "flow")
POINTS, DISCRETE = ("vector-quantized", "deterministic"), ("categorical", "vector-quantized")
GAUSSIAN = ("diagonal-gaussian", "full-gaussian", "low-rank-gaussian")


def small(make):
    """Settings that keep a part small, of those that it has."""
    return {key: value for key, value in SMALL.items() if key in signature(make).parameters}


def assemble(network, likelihood, posterior, prior):
    head = POSTERIORS[posterior](LATENTS, **small(POSTERIORS[posterior]))
    output = LIKELIHOODS[likelihood](EVENT, **small(LIKELIHOODS[likelihood]))
    encode, decode = ENCODERS[network], DECODERS[network]
    encoder = Conditional(encode(EVENT, head.parameter_shape, **small(encode)), head)
    quantized = posterior == "vector-quantized"
    seen = head.code_shape if quantized else (LATENTS,)
    decoder = Conditional(decode(seen, output.parameter_shape, **small(decode)), output)
    given = {"encoder": encoder, "examples": lambda n: data(likelihood)[:n]} if prior == "vamp" else {}
    p = PRIORS[prior](LATENTS, **small(PRIORS[prior]), **given)
    check_same_space(head, p)
    return (VQVAE if quantized else VAE)(encoder, decoder, p)


def data(likelihood):
    return observed(likelihood, EVENT, BATCH, torch.Generator().manual_seed(0))


def objective(goal, decoder=None):
    name, settings = GOALS[goal]
    given = {"groups": 2, "particles_per_group": 3, "particles": 3, "latent_dim": LATENTS, "data_size": 100}
    given["decoder"] = decoder
    known = signature(OBJECTIVES[name]).parameters
    return OBJECTIVES[name](**{key: value for key, value in given.items() if key in known}, **settings)


def figure(trace):
    """The importance weights; where a point has none, the likelihood."""
    return trace.log_weight() if trace.has_bound else trace.log_likelihood()


def refusal(network, likelihood, posterior, prior, goal):
    """Words of the reason why a combination is not possible; None where it is."""
    theirs = getattr(PRIORS[prior], "space", None)
    if isinstance(theirs, str) and theirs != POSTERIORS[posterior].space:
        return "choose model.posterior and model.prior over the same space"
    if prior == "vamp" and posterior in POINTS:
        return "mixes posteriors that have a spread"
    if posterior in DISCRETE and objective(goal).pathwise:
        return "cannot be reparameterized"
    if goal.startswith("rae") and posterior != "deterministic":
        return "are for the posterior deterministic"
    if goal == "vq-vae" and posterior != "vector-quantized":
        return "is for the posterior vector-quantized"
    if posterior == "vector-quantized" and goal != "vq-vae":
        return "is trained by the objective vq-vae"
    if posterior == "deterministic" and not goal.startswith("rae"):
        return "a point without a density|take a Gaussian posterior"
    if goal.startswith("rae") and prior in LEARNED:
        return "does not train a prior"
    if goal == "dip-vae" and posterior not in GAUSSIAN:
        return "take a Gaussian posterior"
    if goal == "beta-tc-vae" and posterior not in (*GAUSSIAN, "householder"):
        return "take a Gaussian posterior"
    if goal == "adversarial-autoencoder" and prior in LEARNED:
        return "does not train a prior"
    return None


def covering():
    """Possible combinations that contain every pair of choices that any possible one contains, greedily chosen."""
    possible = [c for c in itertools.product(*CHOICES) if refusal(*c) is None]
    numbers = np.array([[options.index(name) for options, name in zip(CHOICES, c, strict=True)] for c in possible])
    pairs = [numbers[:, a] * 1000 + numbers[:, b] for a, b in itertools.combinations(range(len(CHOICES)), 2)]
    missing = [np.bincount(column).astype(bool) for column in pairs]
    chosen = []
    while any(each.any() for each in missing):
        gain = sum(each[column].astype(int) for each, column in zip(missing, pairs, strict=True))
        best = int(gain.argmax())
        for each, column in zip(missing, pairs, strict=True):
            each[column[best]] = False
        chosen.append(possible[best])
    return chosen


def impossible():
    """One combination for each pair of choices that is in no possible one, and the reason."""
    possible, seen, chosen = set(), set(), []
    reasons = {c: refusal(*c) for c in itertools.product(CHOICES[0][:1], CHOICES[1][:1], *CHOICES[2:])}
    for c, reason in reasons.items():
        if reason is None:
            possible.update(itertools.combinations(c, 2))
    for c, reason in reasons.items():
        fresh = set(itertools.combinations(c, 2)) - possible - seen
        if fresh:
            seen |= fresh
            chosen.append((*c, reason))
    return chosen


@pytest.mark.parametrize(("network", "likelihood", "posterior", "prior", "goal"), covering())
def test_every_pair_of_choices_trains_and_is_saved(network, likelihood, posterior, prior, goal, tmp_path):
    torch.manual_seed(0)
    model, x = assemble(network, likelihood, posterior, prior), data(likelihood)
    goal = objective(goal, model.decoder)
    parameters = [*model.parameters(), *(goal.network.parameters() if goal.network else ())]
    optimizer = torch.optim.Adam(parameters, 1e-3)

    def step():
        optimizer.zero_grad()
        value = goal(model.trace(x, goal.particles, pathwise=goal.pathwise), torch.tensor(1.0))
        (value.loss if value.auxiliary is None else value.loss + value.auxiliary).backward()
        assert torch.isfinite(value.loss)

    step()
    # A residual block starts as the identity, so the first of its two convolutions learns from the second step on.
    optimizer.step()
    step()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []

    other = assemble(network, likelihood, posterior, prior)
    save_tensors(tmp_path / "model.safetensors", model.state_dict(), {}, kind="model", version=1)
    other.load_state_dict(load_tensors(tmp_path / "model.safetensors", kind="model", version=1)[0])
    torch.manual_seed(1)
    ours = figure(model.trace(x, PARTICLES, pathwise=False))
    torch.manual_seed(1)
    assert torch.equal(ours, figure(other.trace(x, PARTICLES, pathwise=False)))


@pytest.mark.parametrize(("network", "likelihood", "posterior", "prior", "goal", "words"), impossible())
def test_what_is_not_possible_is_refused_in_one_sentence(network, likelihood, posterior, prior, goal, words):
    def loss():
        model = assemble(network, likelihood, posterior, prior)
        reduce = objective(goal, model.decoder)
        return reduce(model.trace(data(likelihood), reduce.particles, pathwise=reduce.pathwise), torch.tensor(1.0))

    with pytest.raises(ValueError, match=words) as error:
        loss()
    assert "\n" not in str(error.value)
    assert len(str(error.value).rstrip(".").split(". ")) == 1


def test_every_pair_that_is_possible_is_covered():
    covered = {pair for c in covering() for pair in itertools.combinations(enumerate(c), 2)}
    every = {
        pair
        for c in itertools.product(*CHOICES)
        if refusal(*c) is None
        for pair in itertools.combinations(enumerate(c), 2)
    }
    assert covered == every

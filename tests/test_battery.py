"""Every combination of parts: a step reaches every parameter, and loaded weights give the same numbers."""

from inspect import signature

import pytest
import torch
from safetensors.torch import load, save

from lowerbound.likelihoods import LIKELIHOODS
from lowerbound.models import VAE
from lowerbound.nn import DECODERS, ENCODERS, Conditional
from lowerbound.objectives import OBJECTIVES
from lowerbound.posteriors import POSTERIORS
from lowerbound.priors import PRIORS
from test_likelihoods import observed

BATCH, LATENTS, PARTICLES, EVENT = 4, 2, 3, (3, 5, 2)


def assemble(network, likelihood, posterior, prior):
    head, output = POSTERIORS[posterior](LATENTS), LIKELIHOODS[likelihood](EVENT)
    small = {"hidden": (6,)} if network == "mlp" else {"channels": (4, 5)}
    return VAE(
        Conditional(ENCODERS[network](EVENT, head.parameter_shape, **small), head),
        Conditional(DECODERS[network]((LATENTS,), output.parameter_shape, **small), output),
        PRIORS[prior](LATENTS),
    )


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("network", ENCODERS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_combination(network, likelihood, posterior, prior, objective):
    torch.manual_seed(0)
    model = assemble(network, likelihood, posterior, prior)
    x = observed(likelihood, EVENT, BATCH, torch.Generator().manual_seed(0))
    grouped = "groups" in signature(OBJECTIVES[objective]).parameters
    goal = OBJECTIVES[objective](**({"groups": 2, "particles_per_group": 3} if grouped else {"particles": 3}))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    value = goal(model.trace(x, goal.particles), torch.tensor(1.0))
    value.loss.backward()
    # A residual block starts as the identity, so the first of its two convolutions learns from the second step on.
    optimizer.step()
    optimizer.zero_grad()
    goal(model.trace(x, goal.particles), torch.tensor(1.0)).loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []

    other = assemble(network, likelihood, posterior, prior)
    other.load_state_dict(load(save(model.state_dict())))
    torch.manual_seed(1)
    ours = model.trace(x, PARTICLES).log_weight()
    torch.manual_seed(1)
    assert torch.equal(ours, other.trace(x, PARTICLES).log_weight())

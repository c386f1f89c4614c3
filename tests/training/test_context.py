"""Conditional models: each datum keeps its own covariate."""

from __future__ import annotations

import pytest
import torch

from lowerbound.errors import UserError
from lowerbound.likelihoods import Bernoulli
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional
from lowerbound.objectives import ELBO
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.training import fit
from training.cases import settings


def conditional_vae() -> VAE:
    torch.manual_seed(0)
    posterior, likelihood = DiagonalGaussian(2), Bernoulli((3,))
    encoder = Conditional(MLP((3,), posterior.parameter_shape, (4,), context_dim=1), posterior)
    decoder = Conditional(MLP((2,), likelihood.parameter_shape, (4,), context_dim=1), likelihood)
    return VAE(encoder, decoder, StandardNormal(2), context_dim=1)


def rows(n: int, first: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Data that bear their number in base two, and their numbers."""
    numbers = torch.arange(first, first + n) % 8
    return torch.stack([numbers // 4 % 2, numbers // 2 % 2, numbers % 2], 1).float(), numbers[:, None].float()


def test_each_datum_keeps_its_context_through_every_batch_and_every_validation(monkeypatch):
    seen = []
    model = conditional_vae()
    trace = VAE.trace

    def noting(self, x, *arguments, context=None, **options):
        seen.append((x.clone(), context.clone()))
        return trace(self, x, *arguments, context=context, **options)

    monkeypatch.setattr(VAE, "trace", noting)
    (x, c), (v, d) = rows(40, 0), rows(11, 3)
    fit(model, ELBO(), x, v, settings(epochs=3), seed=0, context=c, validation_context=d)
    assert sum(len(batch) for batch, _ in seen) > 3 * 32
    weights = torch.tensor([4.0, 2.0, 1.0])
    for batch, context in seen:
        assert torch.equal(batch @ weights, context[:, 0])


def test_a_resume_with_other_contexts_is_refused(tmp_path):
    x, c = rows(40, 0)
    fit(conditional_vae(), ELBO(), x, None, settings(epochs=1), seed=0, context=c, state_dir=tmp_path)
    for context in (c.flip(0), None):
        with pytest.raises(UserError, match="contexts"):
            fit(
                conditional_vae(),
                ELBO(),
                x,
                None,
                settings(epochs=2),
                seed=0,
                context=context,
                state_dir=tmp_path,
                resume=True,
            )

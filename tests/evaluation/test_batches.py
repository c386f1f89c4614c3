"""How many pairs of a datum and a draw are run at once."""

import pytest
import torch

from lowerbound.evaluation import batches
from lowerbound.likelihoods import Bernoulli, Gaussian
from lowerbound.models import VAE
from lowerbound.nn import MLP, Conditional, ResidualConvDecoder, ResidualConvEncoder
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal


def perceptron(hidden, dims=6):
    posterior, likelihood = DiagonalGaussian(2), Gaussian((dims,))
    return VAE(
        Conditional(MLP((dims,), posterior.parameter_shape, hidden), posterior),
        Conditional(MLP((2,), likelihood.parameter_shape, hidden), likelihood),
        StandardNormal(2),
    )


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 4), (torch.float64, 8)])
def test_the_largest_activation_decides_and_not_the_largest_weight(dtype, size):
    """300 units of one hidden layer for a pair, though its weight has 300 × 200 numbers."""
    pairs = batches._pairs_at_once(perceptron((200, 300)).to(dtype), batches.Data(torch.zeros(3, 6, dtype=dtype)))
    assert pairs == batches._ACTIVATIONS["cpu"] // (batches._ALIVE * 300 * size)


def test_the_feature_maps_of_a_convolutional_network_count():
    """Its first layer yields eight maps of the size of the image, so that an image needs at least that many numbers."""
    posterior, likelihood = DiagonalGaussian(2), Bernoulli((1, 16, 16))
    model = VAE(
        Conditional(ResidualConvEncoder((1, 16, 16), posterior.parameter_shape, channels=(8, 8)), posterior),
        Conditional(ResidualConvDecoder((2,), likelihood.parameter_shape, channels=(8, 8)), likelihood),
        StandardNormal(2),
    )
    pairs = batches._pairs_at_once(model, batches.Data(torch.zeros(1, 1, 16, 16)))
    assert 1 <= pairs <= batches._ACTIVATIONS["cpu"] // (batches._ALIVE * 8 * 16 * 16 * 4)


def test_a_model_too_large_for_the_memory_runs_one_pair_at_once(monkeypatch):
    monkeypatch.setitem(batches._ACTIVATIONS, "cpu", 1)
    assert batches._pairs_at_once(perceptron((4,)), batches.Data(torch.zeros(3, 6))) == 1


@pytest.mark.parametrize(
    ("particles", "most", "chunks"), [(5, 5, [5]), (6, 5, [3, 3]), (11, 5, [4, 4, 3]), (3, 1, [1] * 3)]
)
def test_chunks_are_few_and_equal_and_none_is_lost(particles, most, chunks):
    assert batches._chunks(particles, most) == chunks

"""Shapes of every size, the mirror between encoder and decoder, and the conditional distribution."""

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from lowerbound import likelihoods, posteriors
from lowerbound.nn import DECODERS, ENCODERS, MLP, Centre, Conditional, ResidualConvDecoder, ResidualConvEncoder

SHAPES = [(5,), (1,), (1, 28, 28), (1, 7, 5), (3, 9, 4), (1, 1, 1), (2, 1, 6), (3, 17, 64), (5, 3), (2, 7, 5, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", ENCODERS)
def test_any_shape_goes_in_and_comes_out(family, shape):
    encoder, decoder = ENCODERS[family](shape, (6,)), DECODERS[family]((3,), (2, *shape))
    assert encoder(torch.rand(4, *shape)).shape == (4, 6)
    assert decoder(torch.rand(4, 3)).shape == (4, 2, *shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", DECODERS)
def test_initial_output_is_where_it_was_asked_to_be(family, shape):
    """With inputs of zero and the last layer's weights at zero, the output is exactly what was asked."""
    decoder = DECODERS[family]((3,), (2, *shape))
    target = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    decoder.initialise_output(target)
    last = decoder.layers[-1] if isinstance(decoder, MLP) else decoder.output[-1]
    nn.init.zeros_(last.weight)
    torch.testing.assert_close(decoder(torch.randn(4, 3)), target.expand(4, *target.shape))


@pytest.mark.parametrize("family", ENCODERS)
def test_data_of_a_batch_do_not_meet(family):
    """Each output depends on its own input alone."""
    encoder = ENCODERS[family]((1, 9, 6), (4,)).double()
    x = torch.randn(5, 1, 9, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder(x)[2:3], encoder(x[2:3]))


def test_categories_of_pixels_are_channels_of_the_same_place():
    """Data [2, 7, 6, 3] with categories last are images of 6 channels, in and out."""
    torch.manual_seed(0)
    fine, folded = ResidualConvEncoder((2, 7, 6, 3), (4,)), ResidualConvEncoder((6, 7, 6), (4,))
    folded.load_state_dict(fine.state_dict())
    x = torch.randn(5, 2, 7, 6, 3)
    image = torch.stack([x[:, c, :, :, k] for c in range(2) for k in range(3)], 1)
    torch.testing.assert_close(fine(x), folded(image))
    fine, folded = ResidualConvDecoder((4,), (1, 2, 7, 6, 3)), ResidualConvDecoder((4,), (1, 6, 7, 6))
    folded.load_state_dict({**fine.state_dict(), "bias": torch.zeros(1, 6, 7, 6)})
    z = torch.randn(5, 4)
    image = folded(z)[:, 0]
    again = torch.stack([torch.stack([image[:, 3 * c + k] for k in range(3)], -1) for c in range(2)], 1)
    torch.testing.assert_close(fine(z)[:, 0], again)


def test_decoder_walks_the_encoder_s_sizes_back():
    decoder = ResidualConvDecoder((3,), (1, 1, 9, 4), channels=(4, 5, 6))
    assert decoder.smallest == (6, 2, 1)
    assert decoder.sizes == [(3, 1), (5, 2), (9, 4)]


@pytest.mark.parametrize("shape", [(1, 12, 8), (2, 9, 8), (16,), (11,), (8, 3)])
def test_decoder_resizes_and_convolves(shape):
    """A stage is residual blocks, nearest neighbours and a convolution, however it is computed; so is its gradient."""
    decoder = ResidualConvDecoder((3,), (1, *shape), channels=(4, 5)).double()
    z = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    h = decoder.input(z).unflatten(1, decoder.smallest)
    for stage, convolution, sides in zip(decoder.stages, decoder.widen, decoder.sizes, strict=True):
        h = convolution(interpolate(stage(h), size=sides, mode="nearest"))
    by_hand = decoder.output(h).movedim(1, -1).flatten()
    found = (decoder(z) - decoder.bias).movedim(-1 if shape == (8, 3) else 2, -1).flatten()
    torch.testing.assert_close(found, by_hand)
    weights = [parameter for name, parameter in decoder.named_parameters() if name != "bias"]
    direction = torch.randn(len(found), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for one, other in zip(
        torch.autograd.grad(found, weights, direction),
        torch.autograd.grad(by_hand, weights, direction),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 9, 4), (16,)])
@pytest.mark.parametrize("family", ENCODERS)
def test_networks_compile_as_one_graph(family, shape):
    """To a graph and its derivative; what a compiler makes of these is its own affair."""
    torch.compiler.reset()
    encoder, decoder = ENCODERS[family](shape, (3,)), DECODERS[family]((3,), (1, *shape))
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    weights = [*encoder.parameters(), *decoder.parameters()]

    def output(x):
        return decoder(encoder(x)).square().sum()

    compiled = torch.compile(output, fullgraph=True, dynamic=False, backend="aot_eager")
    for one, other in zip(
        torch.autograd.grad(compiled(x), weights), torch.autograd.grad(output(x), weights), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_mlp_is_its_formula():
    network = MLP((4,), (2,), hidden=(3,), activation="softplus").double()
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    first, _, last = network.layers
    expected = torch.log1p(torch.exp(x @ first.weight.T + first.bias)) @ last.weight.T + last.bias
    torch.testing.assert_close(network(x), expected)


def test_decoder_of_an_mlp_mirrors_the_hidden_layers():
    widths = [
        layer.out_features
        for layer in DECODERS["mlp"]((2,), (1, 6), hidden=(5, 4)).layers
        if hasattr(layer, "out_features")
    ]
    assert widths == [4, 5, 6]


def test_conditional_takes_any_leading_shape():
    torch.manual_seed(0)
    decoder = Conditional(MLP((3,), (1, 2, 5, 4)), likelihoods.Bernoulli((2, 5, 4)))
    z = torch.randn(7, 6, 3)
    p = decoder(z)
    assert (p.batch_shape, p.event_shape) == ((7, 6), (2, 5, 4))
    torch.testing.assert_close(p.mean[4, 3], decoder(z[4, 3]).mean)


def test_conditional_of_a_foreign_network_and_a_context():
    class Sum(nn.Module):
        def forward(self, x, context):
            return torch.cat([x.flatten(1).sum(1, keepdim=True), context.sum(1, keepdim=True)], 1)

    q = Conditional(Sum(), posteriors.DiagonalGaussian(1), in_shape=(2, 3))
    x, context = torch.rand(4, 2, 3), torch.rand(4, 5)
    torch.testing.assert_close(q(x, context).mean[:, 0], x.sum((1, 2)))
    torch.testing.assert_close(q(x, context).stddev[:, 0], torch.exp(0.5 * context.sum(1)))


def test_densities_are_float32_when_the_network_runs_in_bfloat16():
    decoder = Conditional(MLP((3,), (1, 4)), likelihoods.Bernoulli((4,)))
    with torch.autocast("cpu", torch.bfloat16):
        p = decoder(torch.rand(2, 3))
        assert p.mean.dtype == torch.float32
        assert p.log_prob(torch.ones(4)).dtype == torch.float32


def test_centre_subtracts_the_mean():
    network = MLP((2, 3), (4,))
    mean = torch.rand(2, 3)
    torch.testing.assert_close(Centre(mean, network)((mean + 1).unsqueeze(0)), network(torch.ones(1, 2, 3)))
    assert "mean" in Centre(mean, network).state_dict()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MLP((0,), (2,)), "positive sizes"),
        (lambda: MLP((3,), (2,), hidden=(4, 0)), "at least one unit"),
        (lambda: MLP((3,), (2,), activation="sillu"), "did you mean silu"),
        (lambda: ResidualConvEncoder((1, 4, 4), (2,), channels=()), "channels"),
        (lambda: ResidualConvEncoder((1, 4, 4), (2,), blocks=-1), "blocks"),
        (lambda: ResidualConvEncoder((1, 4, 4, 4, 4), (2,)), "images"),
    ],
)
def test_nonsense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()

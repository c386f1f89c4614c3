"""Networks, and the join of a network and a head into a conditional distribution."""

from lowerbound.nn.activations import ACTIVATIONS
from lowerbound.nn.conditional import Centre, Conditional
from lowerbound.nn.convolutional import ResidualConvDecoder, ResidualConvEncoder
from lowerbound.nn.mlp import MLP, mlp_decoder

ENCODERS = {"mlp": MLP, "conv": ResidualConvEncoder}
"""Networks from data to features, by the name that a configuration gives."""
DECODERS = {"mlp": mlp_decoder, "conv": ResidualConvDecoder}
"""Networks from latent variables to features of the data's shape, by the same names."""

__all__ = [
    "ACTIVATIONS",
    "DECODERS",
    "ENCODERS",
    "MLP",
    "Centre",
    "Conditional",
    "ResidualConvDecoder",
    "ResidualConvEncoder",
    "mlp_decoder",
]

"""Deep latent-variable models and what running one yields."""

from lowerbound.models.draw import DRAW
from lowerbound.models.latent import Latent, LatentModel, Trace
from lowerbound.models.quantized import VQVAE
from lowerbound.models.vae import VAE

__all__ = ["DRAW", "VAE", "VQVAE", "Latent", "LatentModel", "Trace"]

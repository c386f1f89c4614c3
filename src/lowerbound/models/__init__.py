"""Deep latent-variable models and what running one yields."""

from lowerbound.models.latent import Latent, LatentModel, Trace
from lowerbound.models.vae import VAE

__all__ = ["VAE", "Latent", "LatentModel", "Trace"]

"""Models whose every quantity is known exactly."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.likelihoods import Gaussian
from lowerbound.models import VAE
from lowerbound.nn import Conditional
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(W z + b, σ² I): log p(x), the posterior and all gradients are known.

    It is probabilistic PCA (Tipping and Bishop 1999). The columns of W are orthogonal, so that the exact posterior is
    diagonal and a `VAE` can hold it. Everything is float64.

    Args:
        latents: Dimension of z.
        dims: Dimension of x, at least that of z.
        sigma: Standard deviation of the noise.
        seed: Of W and b.
    """

    def __init__(self, latents: int = 2, dims: int = 5, sigma: float = 0.6, seed: int = 0) -> None:
        g = torch.Generator().manual_seed(seed)
        basis, _ = torch.linalg.qr(torch.randn(dims, latents, generator=g, dtype=torch.float64))
        self.weight = basis * torch.linspace(0.5, 1.5, latents, dtype=torch.float64)
        self.bias = torch.randn(dims, generator=g, dtype=torch.float64)
        self.sigma = sigma

    def sample(self, n: int, seed: int = 1) -> Tensor:
        """Data from the model, [n, dims]."""
        g = torch.Generator().manual_seed(seed)
        z = torch.randn(n, self.weight.shape[1], generator=g, dtype=torch.float64)
        noise = torch.randn(n, self.weight.shape[0], generator=g, dtype=torch.float64)
        return z @ self.weight.T + self.bias + self.sigma * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact log p(x), [n]."""
        covariance = self.weight @ self.weight.T + self.sigma**2 * torch.eye(len(self.bias), dtype=torch.float64)
        return MultivariateNormal(self.bias, covariance).log_prob(x)

    def posterior_precision(self) -> Tensor:
        """The diagonal of the exact posterior's precision, [latents]."""
        return 1 + (self.weight**2).sum(0) / self.sigma**2

    def posterior_mean(self, x: Tensor) -> Tensor:
        """The exact posterior's mean, [n, latents]."""
        return (x - self.bias) @ self.weight / self.sigma**2 / self.posterior_precision()

    def model(self, *, spread: float = 1.0, shift: float = 0.0) -> VAE:
        """The model with its posterior: exact, or with its standard deviation multiplied and its mean shifted."""
        dims, latents = self.weight.shape
        encoder, decoder = nn.Linear(dims, 2 * latents), nn.Linear(latents, dims)
        precision = self.posterior_precision()
        to_mean = (self.weight / self.sigma**2 / precision).T
        vae = VAE(
            Conditional(encoder, DiagonalGaussian(latents)),
            Conditional(decoder, Gaussian((dims,), variance="fixed", scale=self.sigma)),
            StandardNormal(latents),
        ).double()
        with torch.no_grad():
            encoder.weight.copy_(torch.cat([to_mean, torch.zeros_like(to_mean)]))
            log_variance = 2 * torch.log(torch.tensor(spread, dtype=torch.float64)) - precision.log()
            encoder.bias.copy_(torch.cat([shift - to_mean @ self.bias, log_variance]))
            decoder.weight.copy_(self.weight)
            decoder.bias.copy_(self.bias)
            vae.decoder.head.log_variance.fill_(2 * math.log(self.sigma))  # not rounded to float32
        return vae

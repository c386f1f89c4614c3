"""DRAW in plain PyTorch, as the published re-implementations have it.

Two `nn.LSTMCell`, the filter banks written as in the paper, the windows applied with `torch.bmm`, everything computed
at every step, and the gradients by automatic differentiation, in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

# Of images.
SIDE = 28


class PlainDRAW(nn.Module):
    """Gregor et al. 2015 with attention, step by step."""

    def __init__(self, steps: int, units: int, latents: int, read: int, write: int) -> None:
        super().__init__()
        self.steps, self.units, self.latents, self.sizes = steps, units, latents, (read, write)
        self.encoder = nn.LSTMCell(2 * read**2 + units, units)
        self.decoder = nn.LSTMCell(latents, units)
        self.mean, self.log_variance = nn.Linear(units, latents), nn.Linear(units, latents)
        self.read_window, self.write_window = nn.Linear(units, 5), nn.Linear(units, 5)
        self.patch = nn.Linear(units, write**2)
        self.canvas = nn.Parameter(torch.zeros(SIDE, SIDE))
        self.states = nn.Parameter(torch.zeros(4, units))

    def filters(self, numbers: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """F_X, F_Y and γ (equations 21 to 26)."""
        g_x, g_y, log_variance, log_stride, log_gamma = numbers.split(1, 1)
        g_x, g_y = (SIDE + 1) / 2 * (g_x + 1), (SIDE + 1) / 2 * (g_y + 1)
        stride = (SIDE - 1) / (size - 1) * torch.exp(log_stride)
        grid = torch.arange(1, size + 1) - size / 2 - 0.5
        pixels = torch.arange(1.0, SIDE + 1)
        variance = torch.exp(log_variance).unsqueeze(2)
        banks = []
        for centre in (g_x, g_y):
            mu = (centre + grid * stride).unsqueeze(2)
            bank = torch.exp(-((pixels - mu) ** 2) / (2 * variance))
            banks.append(bank / (bank.sum(2, keepdim=True) + 1e-8))
        return banks[0], banks[1], torch.exp(log_gamma)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """−ELBO of images [B, 28, 28], averaged, with z_t = μ_t + σ_t ε_t."""
        batch = len(x)
        h_enc, c_enc, h_dec, c_dec = (state.expand(batch, -1) for state in self.states)
        canvas = self.canvas.expand(batch, -1, -1)
        kl = torch.zeros(batch)
        for t in range(self.steps):
            error = x - torch.sigmoid(canvas)
            f_x, f_y, gamma = self.filters(self.read_window(h_dec), self.sizes[0])
            glimpses = [torch.bmm(torch.bmm(f_y, image), f_x.transpose(1, 2)).flatten(1) for image in (x, error)]
            r = gamma * torch.cat(glimpses, 1)
            h_enc, c_enc = self.encoder(torch.cat([r, h_dec], 1), (h_enc, c_enc))
            mean, log_variance = self.mean(h_enc), self.log_variance(h_enc)
            z = mean + torch.exp(0.5 * log_variance) * noise[t]
            kl = kl + 0.5 * (mean**2 + torch.exp(log_variance) - 1 - log_variance).sum(1)
            h_dec, c_dec = self.decoder(z, (h_dec, c_dec))
            f_x, f_y, gamma = self.filters(self.write_window(h_dec), self.sizes[1])
            patch = self.patch(h_dec).view(batch, self.sizes[1], self.sizes[1])
            canvas = canvas + torch.bmm(torch.bmm(f_y.transpose(1, 2), patch), f_x) / gamma.unsqueeze(2)
        distortion = binary_cross_entropy_with_logits(canvas, x, reduction="none").sum((1, 2))
        return (distortion + kl).mean()

"""Training throughput of DRAW against the straightforward PyTorch version of the same mathematics, in one run.

    python benchmarks/draw.py

The plain version is what the published re-implementations do: two `nn.LSTMCell`, the filter banks written as in the
paper, the windows applied with `torch.bmm`, everything computed at every step, and the gradients by automatic
differentiation, in float32. Both have the same weights; before anything is timed the script checks that for the same
draws they have the same loss and the same gradient. Ours is timed as it is, and with its steps compiled; what compiling
costs is the first step, and does not depend on T. All are interleaved, one step of the training at a time, and compared
by the median, since the speed of a shared machine drifts. A step of the training is the forward and the backward pass,
clipping, and Adam, on random pixels: nothing here depends on their values.
"""

from __future__ import annotations

import argparse
import copy
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lowerbound.likelihoods import Bernoulli
from lowerbound.models import DRAW
from lowerbound.objectives import ELBO
from lowerbound.training.adam import Adam
from lowerbound.training.device import choose_precision, has_cpp_compiler
from lowerbound.training.memory import freed_memory_kept
from lowerbound.training.step import Step

# Of images, and of the weights' update.
SIDE, CLIP, LEARNING_RATE = 28, 10.0, 1e-3


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

    @torch.no_grad()
    def take(self, model: DRAW) -> None:
        """The weights of ours."""
        for cell, ours in ((self.encoder, model.encoder), (self.decoder, model.decoder)):
            i, f, o, g = ours.gates.weight.chunk(4)
            weight = torch.cat([i, f, g, o])
            i, f, o, g = ours.gates.bias.chunk(4)
            inputs = cell.weight_ih.shape[1]
            cell.weight_ih.copy_(weight[:, :inputs])
            cell.weight_hh.copy_(weight[:, inputs:])
            cell.bias_ih.copy_(torch.cat([i, f, g, o]))
            cell.bias_hh.zero_()
        parts = [self.read_window, self.write_window, self.patch]
        sizes = [part.out_features for part in parts]
        pairs = [([self.mean, self.log_variance], model.to_posterior, [self.latents] * 2)]
        pairs.append((parts, model.to_canvas, sizes))
        for layers, whole, sizes in pairs:
            for layer, weight, bias in zip(layers, whole.weight.split(sizes), whole.bias.split(sizes), strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
        self.canvas.copy_(model.canvas[0, 0])
        self.states.copy_(model.states)


def check(model: DRAW, plain: PlainDRAW, x: Tensor) -> None:
    """For the same draws: the same loss, and the same gradient with respect to what both hold in one piece."""
    torch.manual_seed(1)
    ours = ELBO()(model.trace(x), torch.zeros(())).loss
    torch.manual_seed(1)
    theirs = plain(x[:, 0], torch.randn(plain.steps, len(x), plain.latents))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=0)
    gradients = torch.autograd.grad(ours, [model.canvas, model.states])
    expected = torch.autograd.grad(theirs, [plain.canvas, plain.states])
    for one, other in zip(gradients, expected, strict=True):
        difference = (one.reshape(other.shape) - other).norm() / other.norm()
        assert difference < 1e-3, f"the gradients differ by {difference:.1e}"
    print(f"loss {ours.item():.4f} and {theirs.item():.4f} nats with the same weights and draws")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("steps", 64), ("units", 256), ("latents", 100), ("read", 2), ("write", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=9, help="how often each is timed, five at least")
    parser.add_argument("--compile", choices=("always", "never"), default="always", help="whether that is timed too")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="of ours")
    options = parser.parse_args()
    if options.repeats < 5:
        parser.error("a median needs at least five repeats")

    torch.manual_seed(0)
    model = DRAW(
        Bernoulli((1, SIDE, SIDE)),
        options.latents,
        options.steps,
        options.units,
        read=options.read,
        write=options.write,
        mean=torch.full((1, SIDE, SIDE), 0.13),
    )
    plain = PlainDRAW(options.steps, options.units, options.latents, options.read, options.write)
    plain.take(model)
    x = (torch.rand(options.batch_size, 1, SIDE, SIDE) < 0.13).float()
    check(model, plain, x)

    precision = choose_precision(options.precision, x.device)

    def ours(model: DRAW) -> Callable[[], None]:
        optimizer = Adam(model.parameters())
        step = Step(model, ELBO(), nn.Identity(), optimizer, clip=CLIP, bfloat16=precision.choice == "bfloat16")
        log = torch.zeros(4)
        return lambda: step(x, None, log, 0.5, LEARNING_RATE)

    plain_optimizer = torch.optim.Adam(plain.parameters(), LEARNING_RATE)

    def theirs() -> None:
        plain_optimizer.zero_grad()
        plain(x[:, 0], torch.randn(options.steps, options.batch_size, options.latents)).backward()
        nn.utils.clip_grad_norm_(plain.parameters(), CLIP)
        plain_optimizer.step()

    contenders = {"plain PyTorch": theirs, "lowerbound": ours(copy.deepcopy(model))}
    if has_cpp_compiler() and options.compile == "always":
        model.compiled = True
        contenders["lowerbound, compiled"] = ours(model)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    with freed_memory_kept():
        for _ in range(options.repeats + 2):  # the first two warm up
            for name, train in contenders.items():
                start = time.perf_counter()
                train()
                seconds[name].append(time.perf_counter() - start)
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{sum(p.numel() for p in model.parameters()):,} weights, T = {options.steps}, batch {options.batch_size}")
    print(f"precision of ours: {precision.choice}, because {precision.reason}")
    slowest = options.batch_size / statistics.median(seconds["plain PyTorch"][2:])
    for name, (first, _, *times) in seconds.items():
        speed, low, high = options.batch_size / statistics.median(times), min(times), max(times)
        figures = f"{speed:6.1f} examples / s, {speed / slowest:.2f} times plain PyTorch"
        print(f"{name:>20}: {figures} (median of {len(times)}; a step {low:.2f} to {high:.2f} s, first {first:.1f} s)")


if __name__ == "__main__":
    main()

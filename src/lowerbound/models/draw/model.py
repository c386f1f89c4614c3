"""The recurrent attentive writer.

    x̂_t = x − E[x | c_{t−1}],   r_t = read(x, x̂_t, h_dec_{t−1}),   h_enc_t = LSTM([r_t, h_dec_{t−1}], h_enc_{t−1})
    z_t ~ q(z_t | h_enc_t),   h_dec_t = LSTM(z_t, h_dec_{t−1}),   c_t = c_{t−1} + write(h_dec_t)

with p(x | z_1 … z_T) the likelihood whose parameters are the last canvas c_T, and p(z_t) = N(0, I). For the binary
images of the paper E[x | c] is σ(c).

References:
    Gregor, Danihelka, Graves, Rezende and Wierstra, DRAW: A recurrent neural network for image generation, 2015,
    equations 3 to 8.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from lowerbound.errors import UserError
from lowerbound.likelihoods import Likelihood
from lowerbound.models.draw.course import Course, Moment, Plan, run
from lowerbound.models.draw.eyes import WholeReader, WholeWriter, WindowReader, WindowWriter
from lowerbound.models.draw.painting import Painting, painting
from lowerbound.models.draw.posterior import TrajectoryPosterior
from lowerbound.models.draw.step import Layers, Parts
from lowerbound.models.latent import Latent, LatentModel, Trace
from lowerbound.nn.recurrent import LSTM, RepeatedLinear

# More steps, units or latent variables than anybody waits for.
_MOST = 100_000
# Scale of the weights that move a window, relative to those of other layers: windows start where they see everything.
_WINDOW_WEIGHTS = 0.1
# Share of a training over which the steps grow.
_GROWTH = 0.5


class DRAW(LatentModel):
    """A variational autoencoder that reads from the data and writes on a canvas in T steps.

    The groups z_1 … z_T of Z latent variables each are everywhere one vector of D = T·Z. The trace has one `Latent`,
    whose posterior holds the densities along the trajectory that was drawn; see `kl_per_step` and `posterior`.

    Args:
        likelihood: p(x | z), whose parameters are the canvas.
        latent_dim: Latent variables of each step, Z.
        steps: How many, T.
        units: Of the encoder's LSTM, and of the decoder's.
        read: Filters along each side of the window that is read through; None: all of x and x̂ is read.
        write: The same for the window that is written through; None: each step writes on the whole canvas.
        first_steps: How many a training begins with; they grow to T over its first half. None: T throughout.
        mean: Of the training data as the model sees it, at which the canvas starts; None: the canvas starts at zero.
        learned_start: Whether canvas and states are learned where they start; if not, the states start at zero.
        context_dim: Entries of the covariate that encoder and decoder see at every step; 0: there is none.

    Raises:
        UserError: A number of steps, units or latent variables that makes no sense, or a window that does not fit the
            data.
    """

    recurrent = True
    states: Tensor
    canvas: Tensor
    counts: Tensor

    def __init__(
        self,
        likelihood: Likelihood,
        latent_dim: int = 100,
        steps: int = 64,
        units: int = 256,
        *,
        read: int | None = 2,
        write: int | None = 5,
        first_steps: int | None = None,
        mean: Float[Tensor, "*event"] | None = None,
        learned_start: bool = True,
        context_dim: int = 0,
    ) -> None:
        super().__init__()
        for name, count in (("steps", steps), ("units", units), ("latent_dim", latent_dim)):
            if not 1 <= count <= _MOST:
                raise UserError(f"{name} = {count} makes no sense for DRAW: choose a number from 1 to {_MOST:,}.")
        self.likelihood, self.latent_dim, self.context_dim = likelihood, latent_dim, context_dim
        shape = likelihood.event_shape
        self.reader = WholeReader(shape) if read is None else WindowReader(shape, read)
        self.writer = WholeWriter(likelihood) if write is None else WindowWriter(likelihood, write)
        self.encoder = LSTM(self.reader.features + units, units)
        self.to_posterior = RepeatedLinear(units, 2 * latent_dim)
        self.decoder = LSTM(latent_dim, units)
        self.outputs = (self.reader.numbers, self.writer.numbers, self.writer.patch)
        self.to_canvas = RepeatedLinear(units, sum(self.outputs))
        # What the gates see at every step reaches them once.
        self.encoder_constant = _linear(self.reader.constant_features + context_dim, 4 * units)
        self.decoder_constant = _linear(context_dim, 4 * units)
        canvas = torch.zeros(likelihood.parameter_shape) if mean is None else likelihood.initial_parameters(mean)
        for name, start in (("states", torch.zeros(4, units)), ("canvas", canvas.detach().clone())):
            if learned_start:
                self.register_parameter(name, nn.Parameter(start))
            else:
                self.register_buffer(name, start)
        # The steps that are taken, and the most: recorded with the weights, and read without waiting for a device.
        self.register_buffer("counts", torch.tensor([steps, steps]))
        self._taken, self.most_steps = steps, steps
        if first_steps is not None and not 1 <= first_steps <= steps:
            raise UserError(f"first_steps = {first_steps} makes no sense for {steps} steps: choose from 1 to {steps}.")
        self.first_steps = first_steps
        self.register_load_state_dict_pre_hook(_check_steps)
        self._place_windows()

    @torch.no_grad()
    def _place_windows(self) -> None:
        """Let every window begin over the whole image."""
        weights, biases = self.to_canvas.weight.split(self.outputs), self.to_canvas.bias.split(self.outputs)
        for part, weight, bias in zip((self.reader, self.writer), weights, biases, strict=False):
            if part.attention is not None:
                weight.mul_(_WINDOW_WEIGHTS)
                bias.copy_(part.attention.initial_parameters(writing=part is self.writer))

    @property
    def steps(self) -> int:
        """Steps that the model takes, T: as many as it was made with, or fewer where fewer were set."""
        return self._taken

    @steps.setter
    def steps(self, count: int) -> None:
        self._taken = self._checked(count)
        self.counts[0] = count

    def advance(self, share: float) -> None:
        """Take as many steps as this share of a training asks for (see `first_steps`)."""
        if self.first_steps is not None:
            grown = (self.most_steps - self.first_steps) * min(1.0, share / _GROWTH)
            self.steps = self.first_steps + int(grown)

    @property
    def code_size(self) -> int:
        """Latent variables of all steps, D = T·Z."""
        return self.steps * self.latent_dim

    def prior(self) -> Distribution:
        """p(z) = N(0, I), batch shape [], event shape [D]."""
        zero = self.states.new_zeros(self.code_size)
        return Independent(Normal(zero, torch.ones_like(zero), validate_args=False), 1, validate_args=False)

    def posterior(self, x: Float[Tensor, "B *event"], *, context: Float[Tensor, "B C"] | None = None) -> Distribution:
        """q(z | x), batch shape [B], event shape [D], whose density can be asked for at any z."""
        return TrajectoryPosterior(self, x, context)

    def trace(
        self,
        x: Float[Tensor, "B *event"],
        particles: int = 1,
        *,
        pathwise: bool = True,
        context: Float[Tensor, "B C"] | None = None,
        mask: Bool[Tensor, "B *event"] | None = None,
    ) -> Trace:
        """Run the model on data (see `LatentModel.trace`).

        What a mask hides is neither read nor missed: there the encoder's x and x̂ are zero.

        The latent's posterior has the batch shape [K, B] and the parameters that each z_t was drawn with. Density and
        KL are those of q(z | x) at the trace's own z. At other z they are not, nor is a fresh draw one from q(z | x):
        `posterior` serves for these.

        Raises:
            ValueError: A context where the model has none, or none where it has one.
        """
        rows = particles * len(x)
        noise = torch.randn(self.steps, rows, self.latent_dim, device=x.device, dtype=x.dtype)
        course = self._run(rows, x=x, noise=noise, pathwise=pathwise, context=context, mask=mask)
        shape = particles, len(x)
        likelihood = self.likelihood(course.canvas.unflatten(0, shape))
        z = course.z.flatten(1).unflatten(0, shape)
        return Trace(x, likelihood, (Latent(z, course.along(particles), self.prior()),), mask)

    def kl_per_step(self, trace: Trace) -> Float[Tensor, "K B T"]:
        """KL(q(z_t | x, z_<t) ‖ p(z_t)) of each step, in nats; they add up to `trace.kl()`."""
        return trace.latents[0].kl_per_dimension().unflatten(-1, (-1, self.latent_dim)).sum(-1)

    def log_posterior(
        self, x: Float[Tensor, "B *event"], z: Float[Tensor, "K B D"], *, context: Float[Tensor, "B C"] | None = None
    ) -> Float[Tensor, "K B"]:
        """log q(z | x) in nats, for any z.

        Raises:
            ValueError: A z of another size.
        """
        given = self._parted(z).flatten(0, 1)
        return self._run(len(given), given=given, x=x, context=context).along(len(z)).log_prob(z)

    def embed(
        self, x: Float[Tensor, "B *event"], *, context: Float[Tensor, "B C"] | None = None
    ) -> Float[Tensor, "B D"]:
        """The posterior mean of each step where the steps before it took theirs."""
        return self._run(len(x), x=x, context=context).z.flatten(1)

    def decode(self, z: Float[Tensor, "*batch D"], *, context: Float[Tensor, "*batch C"] | None = None) -> Distribution:
        """p(x | z), batch shape `batch`; a shorter z, of t·Z entries, takes t steps.

        Raises:
            ValueError: A z of another size.
        """
        given = self._parted(z).reshape(-1, z.shape[-1] // self.latent_dim, self.latent_dim)
        if context is not None:
            context = context.expand(*z.shape[:-1], context.shape[-1]).reshape(-1, context.shape[-1])
        canvas = self._run(len(given), given=given, context=context).canvas
        return self.likelihood(canvas.reshape(*z.shape[:-1], *self.likelihood.parameter_shape))

    def generate(
        self,
        n: int,
        *,
        temperature: float = 1.0,
        context: Float[Tensor, "n C"] | None = None,
        steps: int | None = None,
    ) -> Distribution:
        """p(x | z) for n draws z ~ p(z) (see `LatentModel.generate`).

        Args:
            n: How many.
            temperature: Scale of the prior's spread around its mean; 1 is the model's own.
            context: A covariate of each draw.
            steps: How many to take, at most as many as the model was made with; None: T.

        Raises:
            UserError: A number of steps that is out of range.
        """
        given = self._drawn(n, temperature, steps)
        return self.likelihood(self._run(n, given=given, context=context).canvas)

    @torch.no_grad()
    def paint(
        self,
        n: int,
        *,
        temperature: float = 1.0,
        context: Float[Tensor, "n C"] | None = None,
        steps: int | None = None,
    ) -> Painting:
        """How n draws from the model come to be; for the same random numbers they are those of `generate`."""
        return self.follow(self._drawn(n, temperature, steps).flatten(1), context=context)

    @torch.no_grad()
    def follow(self, z: Float[Tensor, "n D"], *, context: Float[Tensor, "n C"] | None = None) -> Painting:
        """How what `decode` gives for a code comes to be.

        Raises:
            ValueError: A z of another size.
        """
        return self._painting(len(z), given=self._parted(z), context=context)

    @torch.no_grad()
    def repaint(self, x: Float[Tensor, "B *event"], *, context: Float[Tensor, "B C"] | None = None) -> Painting:
        """How the reconstruction of each datum comes to be, with every z_t at its posterior mean."""
        return self._painting(len(x), x=x, context=context)

    def _painting(self, rows: int, **what: Any) -> Painting:
        moments: list[Moment] = []
        self._run(rows, **what, moments=moments)
        return painting(moments, self.reader, self.writer)

    def _drawn(self, n: int, temperature: float, steps: int | None) -> Float[Tensor, "n T Z"]:
        count = self.steps if steps is None else self._checked(steps)
        # As many draws whatever the count, so that fewer steps paint the same pictures less far.
        shape = (self.most_steps, n, self.latent_dim)
        noise = torch.randn(shape, device=self.states.device, dtype=self.states.dtype)
        return temperature * noise[:count].transpose(0, 1)

    def _checked(self, steps: int) -> int:
        if not 1 <= steps <= self.most_steps:
            raise UserError(f"This DRAW takes from 1 to {self.most_steps} steps, not {steps}: choose one of these.")
        return steps

    def _parted(self, z: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch t Z"]:
        """A code as its steps."""
        steps, rest = divmod(z.shape[-1], self.latent_dim)
        if rest or not 1 <= steps <= self.steps:
            raise ValueError(
                f"A code has {self.latent_dim} entries for each of up to {self.steps} steps, not {z.shape[-1]} in all."
            )
        return z.unflatten(-1, (steps, self.latent_dim))

    def _run(
        self,
        rows: int,
        *,
        given: Float[Tensor, "R T Z"] | None = None,
        noise: Float[Tensor, "T R Z"] | None = None,
        pathwise: bool = True,
        x: Float[Tensor, "B *event"] | None = None,
        context: Float[Tensor, "B C"] | None = None,
        mask: Bool[Tensor, "B *event"] | None = None,
        moments: list[Moment] | None = None,
    ) -> Course:
        """Step after step, for R rows: the data, where there are any, as often as it takes (see `Plan`)."""
        if (0 if context is None else context.shape[-1]) != self.context_dim:
            there = "none was given" if context is None else f"one of {context.shape[-1]} was given"
            raise ValueError(f"This DRAW takes a context of {self.context_dim} entries, and {there}.")
        x, context, mask = (_repeated(part, rows) for part in (x, context, mask))
        if x is not None and mask is not None:
            x = x.where(mask, 0.0)
        fixed = [] if x is None else [self.reader.constant(x), *([] if context is None else [context])]
        layers = Layers(
            self.encoder.gates.layer(None if x is None else _constant(self.encoder_constant, fixed)),
            self.to_posterior.layer(),
            self.decoder.gates.layer(_constant(self.decoder_constant, [] if context is None else [context])),
            self.to_canvas.layer(),
        )
        plan = Plan(
            Parts(self.likelihood, self.reader, self.writer),
            self.steps if given is None else given.shape[1],
            rows,
            mask,
            noise,
            pathwise,
            self.compiled,
            moments,
        )
        return run(plan, self.states, self.canvas, layers, x, given)


def _constant(layer: nn.Linear | None, parts: list[Tensor]) -> Tensor | None:
    """What the gates see at every step, of the parts of an input that stay the same."""
    return None if layer is None else layer(torch.cat(parts, 1)).to(layer.weight.dtype)


def _linear(inputs: int, outputs: int) -> nn.Linear | None:
    return nn.Linear(inputs, outputs, bias=False) if inputs else None


def _repeated(part: Tensor | None, rows: int) -> Tensor | None:
    """One part of the data for each row: as it is, or once for each particle."""
    if part is None or len(part) == rows:
        return part
    return part.expand(rows // len(part), *part.shape).flatten(0, 1)


def _check_steps(model: DRAW, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Take as many steps as weights were kept with, and refuse those that were trained for another number.

    Raises:
        UserError: They were.
    """
    saved = weights.get(f"{prefix}counts")
    if saved is None or saved.shape != model.counts.shape:
        return  # torch says what is wrong
    taken, most = saved.tolist()
    if most != model.most_steps:
        raise UserError(
            f"These weights are of a DRAW of {most} steps, and this one has {model.most_steps}: make it with as many, "
            f"and set fewer where fewer shall be taken."
        )
    model.steps = taken

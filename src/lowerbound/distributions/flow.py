"""Normalizing flows: a distribution pushed through an invertible map.

    z = T(ε),   log q(z) = log p(ε) − log |det ∂T/∂ε|

The maps are zuko's masked autoregressive networks, which are fast in one direction and need a pass for each dimension
in the other. A draw therefore remembers its density: log q(z) of the last draw costs nothing more, and only the density
of another z inverts the map.

References:
    Rezende and Mohamed, Variational inference with normalizing flows, 2015.
    Kingma et al., Improving variational inference with inverse autoregressive flow, 2016.
    Papamakarios, Pavlakou and Murray, Masked autoregressive flow for density estimation, 2017.
    Durkan et al., Neural spline flows, 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, Transform, constraints


@contextmanager
def _torch_as_it_was() -> Iterator[None]:
    """Undo what importing zuko does to every distribution of the process: it turns their validation off."""
    kept = {name: Distribution.__dict__[name] for name in ("_validate_args", "arg_constraints")}
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(Distribution, name, value)


with _torch_as_it_was():
    from zuko.flows import MaskedAutoregressiveTransform
    from zuko.lazy import LazyComposedTransform
    from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

Bijection = Literal["affine", "spline"]
_BINS = 8
_PAIRS = 16


def autoregressive_maps(
    dims: int, *, context: int, transforms: int, hidden: Sequence[int], bijection: Bijection, coupling: bool
) -> LazyComposedTransform:
    """A stack of maps in which entry i is moved by a function of the entries before it, the order reversed in between.

    Called with the context, [*batch, context] or None, it gives the transform, whose own direction takes one pass and
    whose inverse takes `dims` passes for each map, or two with coupling.

    Args:
        dims: Dimension of what is mapped.
        context: Dimension of what every map may depend on besides.
        transforms: How many maps.
        hidden: Units of the hidden layers of each map's network.
        bijection: What is done to an entry: affine, or a monotone rational-quadratic spline on [−5, 5].
        coupling: Only the second half of the entries is moved, by functions of the first.

    Raises:
        ValueError: An unknown bijection, or no maps.
    """
    if bijection not in ("affine", "spline"):
        raise ValueError(f"bijection must be 'affine' or 'spline', not {bijection!r}.")
    if transforms < 1:
        raise ValueError(f"transforms must be at least 1, not {transforms}.")
    if bijection == "affine":
        univariate, shapes = MonotonicAffineTransform, [torch.Size(), torch.Size()]
    else:
        univariate, shapes = (
            partial(MonotonicRQSTransform, slope=1e-3),
            [torch.Size((size,)) for size in (_BINS, _BINS, _BINS - 1)],
        )
    order = torch.LongTensor(range(dims))
    return LazyComposedTransform(
        *(
            MaskedAutoregressiveTransform(
                dims,
                context,
                passes=2 if coupling else None,
                order=order.flip(0) if i % 2 else order,  # pyright: ignore[reportArgumentType]
                univariate=univariate,
                shapes=shapes,
                hidden_features=tuple(hidden),
                activation=nn.ELU,
            )
            for i in range(transforms)
        )
    )


class _Draw(NamedTuple):
    z: Tensor
    source: Tensor
    """The same draw, as the map returned it: a gradient that is added here does not pass through z."""
    log_q: Tensor
    """Its log density as a function of the parameters, the way through z included."""


class Flow(Distribution):
    """A standard normal pushed through a map, event shape [D].

    Args:
        transform: From ε to z, both vectors.
        batch_shape: As the transform's parameters have it.
        like: A tensor whose last axis is D, with the device and the type of the draws.
    """

    has_rsample = True

    def __init__(self, transform: Transform, batch_shape: torch.Size, like: Float[Tensor, "*any D"]) -> None:
        dims = like.shape[-1:]
        self.transform, self.like = transform, like
        one = like.new_ones(()).expand(batch_shape + dims)
        self.base = Independent(Normal(torch.zeros_like(one), one, validate_args=False), 1, validate_args=False)
        self._drawn: _Draw | None = None
        self.slope: Tensor | None = None
        super().__init__(batch_shape, dims, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """Vectors of real numbers."""
        return constraints.real_vector

    def rsample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A reparameterized draw, whose density is remembered."""
        noise = self.base.rsample(torch.Size(sample_shape))
        source, log_det = self.transform.call_and_ladj(noise)  # pyright: ignore[reportAttributeAccessIssue] — zuko's
        self._drawn = _Draw(source.view_as(source), source, self.base.log_prob(noise) - log_det)
        self.slope = None
        return self._drawn.z

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*sample D"]:
        """A draw without a gradient."""
        with torch.no_grad():
            z = self.rsample(sample_shape)
        if torch.is_grad_enabled():
            # For a score function, log q must depend on the parameters, which what was remembered does not.
            self._drawn = None
        return z

    def log_prob(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """Log density in nats; at the last draw it was computed together with it."""
        drawn = self._drawn
        if drawn is None or value is not drawn.z:
            return self.density(value)
        if not drawn.log_q.requires_grad or torch.compiler.is_compiling():
            return drawn.log_q
        return _Remembered.apply(drawn.log_q, drawn.z, drawn.source, self)  # pyright: ignore[reportReturnType]

    def density(self, value: Float[Tensor, "*sample D"]) -> Float[Tensor, "*sample"]:
        """The log density computed from z, by inverting the map."""
        noise, log_det = self.transform.inv.call_and_ladj(value)  # pyright: ignore[reportAttributeAccessIssue] — zuko's
        return self.base.log_prob(noise) + log_det

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """E[z] over 16 fixed pairs ±ε: there is no closed form, and a code must not be random."""
        generator = torch.Generator().manual_seed(0)
        half = torch.randn(_PAIRS, *self.event_shape, generator=generator).to(self.like)
        points = torch.cat([half, -half]).reshape(2 * _PAIRS, *[1] * len(self.batch_shape), *self.event_shape)
        return self.transform(points.expand(-1, *self.batch_shape, -1)).mean(0)  # pyright: ignore[reportOptionalMemberAccess]


class _Remembered(torch.autograd.Function):
    """log q of a draw, with the gradient along the path through z made visible to those who ask for it.

    What is remembered is differentiated as a whole. An estimator that treats the path apart first asks for ∂ log q/∂z
    alone (`torch.autograd.grad` with respect to z). Only then the map is inverted, and from then on the path's part of
    the gradient is led through z and taken from the rest.
    """

    @staticmethod
    def forward(ctx: Any, log_q: Tensor, z: Tensor, source: Tensor, flow: Flow) -> Tensor:
        ctx.flow, ctx.z, ctx.whole = flow, z.detach(), log_q.grad_fn
        return log_q.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        flow = ctx.flow
        if not torch._C._will_engine_execute_node(ctx.whole):
            with torch.enable_grad():
                z = ctx.z.requires_grad_()
                (flow.slope,) = torch.autograd.grad(flow.density(z).sum(), z)
            return None, gradient.unsqueeze(-1) * flow.slope, None, None
        if flow.slope is None:
            return gradient, None, None, None
        path = gradient.unsqueeze(-1) * flow.slope
        return gradient, path, -path, None

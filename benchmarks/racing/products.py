"""The matrix products of a computation, and how fast the machine does these very products alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten
PRODUCTS = (
    _aten.mm,
    _aten.addmm,
    _aten.bmm,
    _aten.baddbmm,
    _aten.convolution,
    _aten.convolution_backward,
)
# How often each product is timed alone, at least. The fastest time is the limit: other work only ever slows it down.
REPEATS, LEAST_SECONDS = 5, 0.02


@dataclass(frozen=True)
class Like:
    """How a tensor lies in memory; one of the kind can be made at will."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    def make(self) -> Tensor:
        """A tensor of this kind, of ordinary numbers."""
        return torch.empty_strided(self.shape, self.strides, dtype=self.dtype).copy_(torch.randn(self.shape))


class Products(TorchDispatchMode):
    """Inside, notes every product: which operation, on tensors that lie how."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[Any, tuple[Any, ...], tuple[tuple[str, Any], ...]]] = Counter()
        self._whole: set[Any] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._overloadpacket in PRODUCTS:
            described = tuple(_describe(argument) for argument in args)
            self.counts[func, described, tuple(sorted((kwargs or {}).items()))] += 1
        elif func not in self._whole:
            # Without autograd, what is made of other operations arrives in one piece.
            with self:
                result = func.decompose(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
            self._whole.add(func)
        return func(*args, **(kwargs or {}))

    @property
    def flops(self) -> float:
        """Floating-point operations: two for each multiplication with its addition."""
        return sum(count * _flops(*key) for key, count in self.counts.items())

    def seconds_alone(self) -> float:
        """How long all of them take when nothing comes between, each as fast as the machine was seen to do it."""
        return sum(count * _fastest(func, args, kwargs) for (func, args, kwargs), count in self.counts.items())


def _describe(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return Like(tuple(argument.shape), argument.stride(), argument.dtype)
    return tuple(argument) if isinstance(argument, list) else argument


def _made(args: tuple[Any, ...]) -> list[Any]:
    return [each.make() if isinstance(each, Like) else list(each) if isinstance(each, tuple) else each for each in args]


def _flops(func: Any, args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> float:
    made = [torch.empty(each.shape, device="meta") if isinstance(each, Like) else each for each in _lists(args)]
    out = func(*made, **dict(kwargs))
    return flop_registry[func._overloadpacket](*made, **dict(kwargs), out_val=out)


def _lists(args: tuple[Any, ...]) -> list[Any]:
    return [list(each) if isinstance(each, tuple) else each for each in args]


def _fastest(func: Callable[..., Any], args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> float:
    made, named, best, spent, repeats = _made(args), dict(kwargs), float("inf"), 0.0, 0
    with torch.no_grad():
        while repeats < REPEATS or spent < LEAST_SECONDS:
            start = time.perf_counter()
            func(*made, **named)
            seconds = time.perf_counter() - start
            best, spent, repeats = min(best, seconds), spent + seconds, repeats + 1
    return best

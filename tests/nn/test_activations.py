"""Activation functions."""

import pytest
import torch

from lowerbound.nn import ACTIVATIONS


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_tanh_and_its_derivative_are_exact_but_for_rounding(dtype, compiled):
    """As a graph too, whose formula is another one; what a compiler makes of it is its own affair."""
    torch.compiler.reset()
    tanh = ACTIVATIONS["tanh"]()
    function = torch.compile(tanh, fullgraph=True, dynamic=False, backend="aot_eager") if compiled else tanh
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.logspace(-3, 0, 50)]).to(dtype).requires_grad_()
    y = function(x)
    assert y.dtype == dtype
    exact = x.detach().double().tanh()
    rounding = torch.finfo(dtype).eps
    near_zero = 2e-7 if dtype == torch.bfloat16 else 0.0
    torch.testing.assert_close(y.double(), exact, rtol=rounding, atol=near_zero)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope.double(), 1 - exact**2, rtol=rounding, atol=2 * rounding)

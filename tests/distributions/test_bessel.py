"""The scaled Bessel function against arithmetic of fifty digits, and its derivatives against finite differences."""

import mpmath
import pytest
import torch

from lowerbound.distributions.bessel import bessel_ratio, log_bessel

ORDERS = [0.0, 0.5, 1.0, 4.5, 11.0, 24.0, 24.5, 40.0]
ARGUMENTS = [1e-3, 0.1, 1.0, 7.0, 60.0, 1e3, 1e5]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("x", ARGUMENTS)
def test_value_and_ratio(order, x):
    with mpmath.workdps(50):
        low, high = (mpmath.besseli(mpmath.mpf(order) + k, mpmath.mpf(x)) for k in (0, 1))
        value, ratio = float(mpmath.log(low) - mpmath.mpf(x)), float(high / low)
    argument = torch.tensor(x, dtype=torch.float64)
    assert log_bessel(order, argument).item() == pytest.approx(value, rel=1e-13, abs=1e-13)
    assert bessel_ratio(order, argument).item() == pytest.approx(ratio, rel=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_derivatives(order):
    x = torch.tensor([0.3, 2.0, 30.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: log_bessel(order, x), x)
    assert torch.autograd.gradcheck(lambda x: bessel_ratio(order, x), x)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("x", ARGUMENTS)
def test_derivative_of_the_ratio_where_its_terms_cancel(order, x):
    with mpmath.workdps(50):
        r = mpmath.besseli(mpmath.mpf(order) + 1, mpmath.mpf(x)) / mpmath.besseli(mpmath.mpf(order), mpmath.mpf(x))
        exact = float(1 - r**2 - (2 * mpmath.mpf(order) + 1) / mpmath.mpf(x) * r)
    argument = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    bessel_ratio(order, argument).backward()
    assert argument.grad.item() == pytest.approx(exact, rel=1e-4)

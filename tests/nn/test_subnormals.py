"""Subnormal numbers are zero inside, and what they were outside."""

from __future__ import annotations

import pytest
import torch

from lowerbound.nn.subnormals import subnormals_flushed


def product_of_small_numbers() -> float:
    """1e-42, which is subnormal in float32."""
    return torch.full((3,), 1e-21).square().max().item()


@pytest.mark.parametrize("before", [False, True])
def test_subnormals_are_flushed_inside_and_the_mode_is_restored(before: bool) -> None:
    torch.set_flush_denormal(before)
    try:
        with subnormals_flushed():
            assert product_of_small_numbers() == 0
        assert (product_of_small_numbers() == 0) == before
    finally:
        torch.set_flush_denormal(False)


def test_numbers_that_threads_compute_are_flushed_too() -> None:
    with subnormals_flushed():
        assert not torch.full((1 << 20,), 1e-21).square().any()

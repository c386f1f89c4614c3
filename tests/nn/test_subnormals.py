"""Subnormal numbers are zero inside, and what they were outside."""

from __future__ import annotations

import torch

from lowerbound.nn.subnormals import subnormals_flushed


def product_of_small_numbers() -> float:
    """1e-42, which is subnormal in float32."""
    return torch.full((3,), 1e-21).square().max().item()


def test_subnormals_are_flushed_inside_and_the_mode_before_is_restored() -> None:
    assert product_of_small_numbers() > 0
    with subnormals_flushed():
        with subnormals_flushed():
            assert product_of_small_numbers() == 0
        assert product_of_small_numbers() == 0
    assert product_of_small_numbers() > 0


def test_threads_that_were_there_before_flush_them_too_and_stop_when_it_is_over() -> None:
    small, rows = torch.full((1 << 20,), 1e-21), torch.full((640, 784), 1e-21)
    assert small.square().all()  # all threads begin here, if they have not before
    with subnormals_flushed():
        assert not small.square().any()
        assert not (rows @ rows.T).any()
    assert small.square().all()
    assert (rows @ rows.T).all()

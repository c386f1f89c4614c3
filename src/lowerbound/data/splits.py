"""Which rows are learned from, which choose, and which are only looked at when all is done."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from lowerbound.data.dataset import Dataset
from lowerbound.errors import UserError

Rows = float | int | Literal["auto"]

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
MOST_VALIDATION = 1_000


class Splits(NamedTuple):
    """Row numbers, disjoint, each in rising order; together all rows, but for those of a source's test set left out."""

    train: Int[np.ndarray, " A"]
    validation: Int[np.ndarray, " B"]
    test: Int[np.ndarray, " C"]


def split(dataset: Dataset, *, seed: int, validation: Rows = "auto", test: Rows = "auto") -> Splits:
    """Draw the rows of each part at random.

    The test rows are drawn first, so that they do not depend on how many rows validate. Where the source has its own
    test set, test rows are its first ones, and its other rows are left out: nothing is ever learned from it.

    Args:
        dataset: What to split.
        seed: Of the draw; no global generator is touched.
        validation: How many rows (an integer), or the share (a float below 1) of those that are not for the test;
            "auto": what the literature takes for this data, else a tenth, at most 1,000.
        test: How many rows, or the share of all, or of the source's own test set where there is one; "auto": the
            source's own test set, else what the literature takes for this data, else a fifth.

    Raises:
        UserError: Shares out of range, more rows than there are, or none left to learn from.
    """
    count = len(dataset)
    generator = np.random.default_rng(seed)
    usual_validation, usual_test = dataset.split_counts or (None, None)
    if dataset.test_start is not None:
        own = count - dataset.test_start
        wanted = (
            own if test == "auto" else _rows(test, own, f"the {own:,} rows of the test set of {dataset.name}", "test")
        )
        test_rows = dataset.test_start + np.arange(wanted)
        rest = np.arange(dataset.test_start)
    else:
        usual = usual_test or max(1, round(TEST_SHARE * count))
        wanted = usual if test == "auto" else _rows(test, count, f"the {count:,} rows of {dataset.name}", "test")
        order = generator.permutation(count)
        test_rows, rest = order[:wanted], order[wanted:]
    remaining = len(rest)
    usual = usual_validation or min(MOST_VALIDATION, max(1, round(VALIDATION_SHARE * remaining)))
    what = f"the {remaining:,} rows of {dataset.name} that are not for the test"
    wanted = usual if validation == "auto" else _rows(validation, remaining, what, "validation")
    if wanted >= remaining:
        raise UserError(
            f"{dataset.name} has {count:,} rows, and with {len(test_rows):,} for the test and {wanted:,} to validate "
            "none is left to learn from: take fewer for them."
        )
    order = generator.permutation(rest)
    return Splits(*(np.sort(part) for part in (order[wanted:], order[:wanted], test_rows)))


def _rows(wanted: float | int, count: int, what: str, name: str) -> int:
    """How many rows are meant."""
    if isinstance(wanted, float):
        if not 0 <= wanted < 1:
            raise UserError(
                f"{name} = {wanted:g} is no share of the rows, from 0 to below 1: a whole number counts rows."
            )
        return max(1, round(wanted * count)) if wanted > 0 else 0
    if not 0 <= wanted <= count:
        raise UserError(f"{name} = {wanted:,} rows cannot be taken from {what}: take fewer, or a share such as 0.1.")
    return wanted

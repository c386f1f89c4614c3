"""Which likelihood suits the data, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from lowerbound.data.dataset import Dataset
from lowerbound.data.rows import blocks

# Handwriting has nine tenths of its pixels near black or white, photographs on a black ground some six tenths.
_NEARLY_BINARY = 0.75


class Recommendation(NamedTuple):
    """A likelihood, how its data is binarised, and the reason as a clause."""

    likelihood: str
    binarisation: Literal["dynamic", "none"]
    reason: str


def recommend_likelihood(dataset: Dataset) -> Recommendation:
    """Choose by what the values look like; the reason is true of all of them."""
    values, entries = dataset.values, "pixels" if dataset.kind == "image" else "numbers"
    low, high = values.min(), values.max()
    if low >= 0 and high <= 1 and all(((rows == 0) | (rows == 1)).all() for rows in blocks(values)):
        return Recommendation("bernoulli", "none", "because every value is 0 or 1")
    maximum = dataset.maximum
    if maximum is None and values.dtype == np.uint8 and low == 0 and high == 255:
        maximum = 255  # the rows are pixels, laid out in a line
    if maximum is not None:
        scale = f"the {entries} are whole numbers from {low} to {high}"
        if dataset.kind == "image" and dataset.shape[0] > 1:
            return Recommendation("discretized-logistic", "none", f"because {scale}")
        extreme = sum(int(((rows <= 0.1 * maximum) | (rows >= 0.9 * maximum)).sum()) for rows in blocks(values))
        share = extreme / values.size
        if share >= _NEARLY_BINARY:
            ends = "black or white" if dataset.kind == "image" else f"0 or {maximum}"
            return Recommendation(
                "bernoulli",
                "dynamic",
                f"because {share:.0%} of the {entries} are within a tenth of the scale of {ends}",
            )
        near = "near black or white" if dataset.kind == "image" else f"near 0 or {maximum}"
        few = f"only {share:.0%}" if share >= 0.01 else "less than 1%"
        return Recommendation("discretized-logistic", "none", f"because {scale}, and {few} of them {near}")
    # A model of all of [0, 1] says little about numbers that keep to a part of it.
    if low >= 0 and high <= 1 and high - low >= 0.9:
        return Recommendation("continuous-bernoulli", "none", f"because the {entries} are real numbers between 0 and 1")
    if dataset.kind == "vector":
        return Recommendation("gaussian", "none", f"because the columns are numbers from {low:.3g} to {high:.3g}")
    return Recommendation("gaussian", "none", f"because the pixels are real numbers from {low:.3g} to {high:.3g}")

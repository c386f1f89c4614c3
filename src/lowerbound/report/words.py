"""The figures of an evaluation in plain words, and what a person would want to be warned of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lowerbound.evaluation import DistortionAlone, Evaluation

STANDARD_ERRORS = (
    "± is one standard error of the mean over the data: about two times in three, the figure of an endless supply of "
    "such data lies that close. What another seed of the training would change is not in it."
)
"""What the ± says."""


class Figure(NamedTuple):
    """One number of an evaluation."""

    name: str
    value: str
    on: str
    """What it was computed on."""
    meaning: str


def explained(evaluation: Evaluation | DistortionAlone) -> list[Figure]:
    """Every figure with what it means for these very values."""
    if isinstance(evaluation, DistortionAlone):
        cost = _nats(evaluation.distortion, evaluation.distortion_error)
        meaning = (
            "What a datum still costs on average once its code is known. What the code costs is left out: this model "
            "has no likelihood, and the figure cannot be compared with a −ELBO or an NLL."
        )
        return [Figure("Distortion", cost, _rows(evaluation.examples), meaning)]
    every, some = _rows(evaluation.examples), _rows(evaluation.nll_examples)
    figures = [
        Figure(
            "−ELBO",
            _nats(evaluation.negative_elbo, evaluation.negative_elbo_error),
            every,
            "An upper bound on −log p(x): what it costs on average to describe a datum by way of its code, the sum of "
            "the next two figures.",
        ),
        Figure(
            "Distortion",
            _nats(evaluation.distortion),
            every,
            "What a datum still costs once its code is known: the smaller, the closer the reconstructions.",
        ),
        Figure(
            "Rate",
            _nats(evaluation.rate),
            every,
            f"What the code costs: how much it says of its datum, here {evaluation.rate / math.log(2):.0f} bits. "
            "Zero would mean that the codes say nothing.",
        ),
        Figure(
            f"NLL, K = {evaluation.particles:,}", _nats(evaluation.nll, evaluation.nll_error), some, _nll(evaluation)
        ),
    ]
    if evaluation.bits_per_dimension is not None:
        meaning = "The NLL for each entry of a datum, in bits: the unit in which papers on images state it."
        figures.append(Figure("Bits per dimension", f"{evaluation.bits_per_dimension:.3f}", some, meaning))
    figures += [
        Figure(
            "Effective sample size",
            f"{evaluation.effective_sample_size:.1f} of {evaluation.particles:,}",
            some,
            "On how many of the importance samples the NLL rests on average; for one datum in twenty on fewer than "
            f"{evaluation.effective_sample_size_low:.1f}. Near 1, the true NLL may lie well below the estimate.",
        ),
        Figure(
            "Active units",
            f"{evaluation.active_units:,} of {evaluation.latent_dim:,}",
            every,
            "Latent dimensions whose code varies with the data; the others carry nothing.",
        ),
    ]
    return figures


def _nll(evaluation: Evaluation) -> str:
    meaning = (
        "An estimate of −log p(x), the figure that papers state, by importance sampling. In expectation it lies above "
        "the true one, and falls as K grows."
    )
    if evaluation.nll_examples == evaluation.examples:
        gap = evaluation.negative_elbo - evaluation.nll
        meaning += f" It is {gap:.2f} nats below −ELBO: so far, at least, q(z | x) is from the true posterior."
    else:
        meaning += " It is of fewer data than −ELBO, so the two are not to be subtracted."
    if evaluation.nll < 0:
        meaning += " It is negative because a density may be above 1."
    return meaning


def doubts(evaluation: Evaluation | DistortionAlone | None, metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """What makes the figures or the model doubtful, one sentence each.

    Args:
        evaluation: The figures; None: there are none.
        metrics: The lines of `metrics.jsonl`.
    """
    found = list(evaluation.warnings) if isinstance(evaluation, Evaluation) else []
    if evaluation is None:
        found.append("There is no evaluation: no test data was left out, or the training was interrupted.")
    if not metrics:
        return found
    last = metrics[-1]
    if skipped := last.get("skipped", 0):
        found.append(
            f"{skipped:,} of {last['step']:,} steps had a loss or gradient that was not finite and were skipped: "
            "lower training.learning_rate, or set training.clip."
        )
    if last.get("beta", 1.0) < 1:
        found.append(
            f"The training ended with β = {last['beta']:.3g}, below 1: the KL term never had its full weight, and "
            "codes may lie where the prior has no mass, so that samples are worse than reconstructions."
        )
    return found


NO_DOUBTS = (
    "Nothing was found of what there is a warning for: latent variables that are not used, training data learned by "
    "heart, steps that were not finite, a weight of the KL term below 1 at the end, too few importance samples."
)
"""What there would have been warnings of."""


def duration(seconds: float) -> str:
    """Seconds in words."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s" if minutes else f"{seconds:.1f} s"


def _nats(value: float, error: float | None = None) -> str:
    return f"{value:.2f} nats" if error is None else f"{value:.2f} ± {error:.2f} nats"


def _rows(count: int) -> str:
    return f"{count:,} rows"

"""Whether single latent variables stand for single factors of variation, where the factors are known.

Every score is between 0 and 1. Codes are [N, D] real numbers, factors [N, F] whole numbers that name the value of each
factor.

References:
    Chen, Li, Grosse and Duvenaud, Isolating sources of disentanglement in VAEs, 2018, section 4 (MIG).
    Eastwood and Williams, A framework for the quantitative evaluation of disentangled representations, 2018 (DCI).
    Kumar, Sattigeri and Balakrishnan, Variational inference of disentangled latent concepts, 2018, section 3 (SAP).
    Kim and Mnih, Disentangling by factorising, 2018, section 4 (the FactorVAE score).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score
from sklearn.preprocessing import StandardScaler

Codes = Float[np.ndarray, "N D"]
Factors = Int[np.ndarray, "N F"]

# Bins of a latent variable where its entropy is counted, as in the literature's own programs.
_BINS = 20
# Variance below which a latent variable is taken for one that is not used.
_UNUSED = 1e-12


class DCI(NamedTuple):
    """Three sides of one table of importances."""

    disentanglement: float
    """Whether each latent variable matters for one factor alone."""
    completeness: float
    """Whether each factor needs one latent variable alone."""
    informativeness: float
    """Accuracy, on rows that were not learned from, of telling the factors from the codes."""


def mutual_information_gap(codes: Codes, factors: Factors, *, bins: int = _BINS) -> float:
    """MIG: for each factor, the information of the best latent variable less that of the second, over its entropy.

    Args:
        codes: One row for each datum.
        factors: Their factors.
        bins: Of equal width, for each latent variable.

    Raises:
        ValueError: Shapes that do not fit, codes that are not finite, or a factor that does not vary.
    """
    codes, factors = _checked(codes, factors, at_least=1)
    information = _mutual_information(codes, factors, bins)
    if len(information) == 1:
        information = np.vstack([information, np.zeros_like(information)])
    best = np.sort(information, axis=0)
    entropy = np.array([mutual_info_score(column, column) for column in factors.T])
    return float(((best[-1] - best[-2]) / entropy).mean())


def dci_from_importance(importance: Float[np.ndarray, "D F"]) -> tuple[float, float]:
    """Disentanglement and completeness of a table of importances.

    Each latent variable has 1 − H(importance over factors) / log F, weighted by its share of all importance, and each
    factor the same over latent variables.

    Args:
        importance: How much each latent variable matters for each factor; nothing is negative.

    Raises:
        ValueError: No table, or something negative.
    """
    importance = np.asarray(importance, dtype=np.float64)
    if importance.ndim != 2 or not (importance >= 0).all():
        raise ValueError("The importances must be a table [D, F] without negative entries.")
    total = importance.sum()
    if total == 0:
        return 0.0, 0.0
    rows, columns = importance.sum(1) / total, importance.sum(0) / total
    return float(rows @ _concentration(importance)), float(columns @ _concentration(importance.T))


def dci(codes: Codes, factors: Factors, *, seed: int = 0) -> DCI:
    """DCI, with the importances of a random forest for each factor.

    The forest is scikit-learn's, with 50 trees that look at all latent variables at each split, and a fixed seed;
    another version of it moves the scores in the third digit.

    Args:
        codes: One row for each datum.
        factors: Their factors.
        seed: Of forest and split.

    Raises:
        ValueError: Shapes that do not fit, codes that are not finite, or a factor that does not vary.
    """
    codes, factors = _checked(codes, factors, at_least=10)
    learned, tested = _parted(len(codes), seed)
    importance, accuracy = np.zeros((codes.shape[1], factors.shape[1])), []
    for f, factor in enumerate(factors.T):
        forest = RandomForestClassifier(50, min_samples_leaf=5, max_features=None, random_state=seed)  # pyright: ignore[reportArgumentType] — its types know "sqrt" alone
        importance[:, f] = forest.fit(codes[learned], factor[learned]).feature_importances_
        accuracy.append(forest.score(codes[tested], factor[tested]))
    return DCI(*dci_from_importance(importance), float(np.mean(accuracy)))


def separated_attribute_predictability(codes: Codes, factors: Factors, *, seed: int = 0) -> float:
    """SAP: for each factor, the accuracy of the best single latent variable at telling it, less that of the second.

    The accuracy is that of a logistic regression on rows that were not learned from, above what the most frequent value
    reaches, so that a code without information scores nothing.

    Args:
        codes: One row for each datum.
        factors: Their factors.
        seed: Of the split.

    Raises:
        ValueError: Shapes that do not fit, codes that are not finite, or a factor that does not vary.
    """
    codes, factors = _checked(codes, factors, at_least=10)
    learned, tested = _parted(len(codes), seed)
    gaps = []
    for factor in factors.T:
        chance = np.unique(factor[tested], return_counts=True)[1].max() / len(tested)
        scores = [max(0.0, _accuracy(z, factor, learned, tested) - chance) for z in codes.T]
        best = np.sort([0.0, *scores])
        gaps.append((best[-1] - best[-2]) / (1 - chance) if chance < 1 else 0.0)
    return float(np.mean(gaps))


def factor_vae_score(codes: Codes, factors: Factors, *, votes: int = 800, batch: int = 64, seed: int = 0) -> float:
    """The FactorVAE score: how well the latent variable that varies least tells which factor was held fixed.

    For each vote a factor is held at one of its values, and the latent variable of least variance (over that of all
    codes) in a batch of such rows is noted. The score is the accuracy of the majority vote, on votes of its own.

    Args:
        codes: One row for each datum.
        factors: Their factors.
        votes: For learning the majority, and as many for the score.
        batch: Rows of each vote.
        seed: Of every draw.

    Raises:
        ValueError: Shapes that do not fit, codes that are not finite, or a factor that does not vary.
    """
    codes, factors = _checked(codes, factors, at_least=2)
    used = codes.var(0) > _UNUSED
    if not used.any():
        return 0.0
    codes = codes[:, used] / codes[:, used].std(0)
    generator = np.random.default_rng(seed)
    tables = []
    for _ in range(2):
        table = np.zeros((codes.shape[1], factors.shape[1]))
        for _ in range(votes):
            f = generator.integers(factors.shape[1])
            value = factors[generator.integers(len(factors)), f]
            rows = generator.choice(np.flatnonzero(factors[:, f] == value), batch)
            table[codes[rows].var(0).argmin(), f] += 1
        tables.append(table)
    learned, tested = tables
    return float(tested[np.arange(len(tested)), learned.argmax(1)].sum() / votes)


def _checked(codes: Codes, factors: Factors, *, at_least: int) -> tuple[Codes, Factors]:
    codes, factors = np.asarray(codes, dtype=np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(f"Codes [N, D] and factors [N, F] do not fit: they are {codes.shape} and {factors.shape}.")
    if len(codes) < at_least:
        raise ValueError(f"At least {at_least} rows are needed, not {len(codes)}.")
    if not np.isfinite(codes).all():
        raise ValueError("The codes must be finite numbers.")
    if factors.dtype.kind not in "iub":
        raise ValueError(f"The factors must be whole numbers, they are of type {factors.dtype}.")
    constant = [f for f, column in enumerate(factors.T) if (column == column[0]).all()]
    if constant:
        raise ValueError(f"Factor {constant[0]} does not vary, and nothing can be said of it: leave it out.")
    return codes, factors


def _parted(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three quarters of the rows to learn from, a quarter to test on."""
    order = np.random.default_rng(seed).permutation(count)
    return order[count // 4 :], order[: count // 4]


def _mutual_information(codes: Codes, factors: Factors, bins: int) -> Float[np.ndarray, "D F"]:
    binned = [np.digitize(z, np.histogram_bin_edges(z, bins)[1:-1]) for z in codes.T]
    return np.array([[mutual_info_score(factor, z) for factor in factors.T] for z in binned])


def _concentration(importance: Float[np.ndarray, "A B"]) -> Float[np.ndarray, "A"]:
    """1 − H / log B of each row; 0 for a row without importance."""
    total = importance.sum(1, keepdims=True)
    share = np.divide(importance, total, out=np.full_like(importance, 1 / importance.shape[1]), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy = -(share * logs).sum(1)
    return 1 - entropy / np.log(importance.shape[1]) if importance.shape[1] > 1 else (total[:, 0] > 0).astype(float)


def _accuracy(z: np.ndarray, factor: np.ndarray, learned: np.ndarray, tested: np.ndarray) -> float:
    """Of telling a factor from one latent variable, and its square, on other rows."""
    if z[learned].var() <= _UNUSED:
        return 0.0
    features = StandardScaler().fit_transform(np.stack([z, (z - z.mean()) ** 2], 1))
    if len(np.unique(factor[learned])) < 2:
        return 0.0
    model = LogisticRegression(C=100.0, max_iter=1000).fit(features[learned], factor[learned])
    return float(model.score(features[tested], factor[tested]))

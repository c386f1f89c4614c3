"""The scikit-learn face: a transformer and a density estimator over the rows of a table."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, DensityMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from lowerbound.assemble import assemble
from lowerbound.config import Config
from lowerbound.data import Dataset, from_array
from lowerbound.data import rows as limits
from lowerbound.data.rows import FileRows, Values, blocks, mapped
from lowerbound.errors import UserError
from lowerbound.trained import Trained
from lowerbound.training import EpochRecord, fit

# Fewer rows than this are all learned from, and the last weights are kept: a handful could not tell the best ones.
_FEWEST_TO_VALIDATE = 50
# uint8 stays as it is, anything else becomes float64 on the way in, so that no value is rounded before it is looked at.
_TYPES = (np.float64, np.float32, np.uint8)


class VariationalAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator):
    """A variational autoencoder as an estimator: codes of rows, samples, and the likelihood of each row.

    Args:
        latent_dim: Dimension of the code; None: the recipe's.
        likelihood: Of a row, p(x | z), by name; "auto": what suits the values.
        recipe: Name of a recipe, or path of a TOML file.
        epochs: Bound on the passes over the data; where neither this nor `max_minutes` is given, 100.
        max_minutes: Bound on the minutes of training.
        particles: Importance samples for each row in `score_samples`, K.
        image_shape: Rows are flattened images of (height, width), or that with the channels first or last; None:
            rows are vectors.
        settings: Any other setting by its full name, as in `Config.load`: `{"model.network.hidden": [100]}`.
        random_state: Seed of everything random: an integer, a `RandomState`, or None for another one each time.

    Attributes:
        trained_ (Trained): The model with the preparation of its data.
        config_ (Config): Every setting, with what was chosen in place of "auto".
        understood_ (str): What the data was taken for, and why, in one line.
        history_ (tuple[EpochRecord, ...]): The learning curves.
        n_iter_ (int): Epochs of training.
        n_features_in_ (int): Columns.
        feature_names_in_ (ndarray): Their names, where X had names that are all text.

    A tenth of the rows, at most 1,000, are set aside to choose the best weights; of fewer than 50 rows none are.

    Examples:
        >>> import numpy as np
        >>> from lowerbound import VariationalAutoencoder
        >>> t = np.random.default_rng(0).normal(size=(400, 1))
        >>> X = np.hstack([t, -t, t**2]) + 0.1 * np.random.default_rng(1).normal(size=(400, 3))
        >>> model = VariationalAutoencoder(latent_dim=1, epochs=3, random_state=0).fit(X)
        >>> model.transform(X).shape, model.sample(5).shape, model.score_samples(X).shape
        ((400, 1), (5, 3), (400,))

    References:
        Kingma and Welling, Auto-encoding variational Bayes, 2013.
    """

    def __init__(
        self,
        latent_dim: int | None = None,
        *,
        likelihood: str = "auto",
        recipe: str = "vae",
        epochs: int | None = None,
        max_minutes: float | None = None,
        particles: int = 100,
        image_shape: Sequence[int] | None = None,
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.likelihood = likelihood
        self.recipe = recipe
        self.epochs = epochs
        self.max_minutes = max_minutes
        self.particles = particles
        self.image_shape = image_shape
        self.settings = settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows of X.

        Args:
            X: [n, D] real numbers: an array or a data frame.
            y: Nothing is learned from it.

        Raises:
            ValueError: Data, or settings, that do not fit.
            KeyboardInterrupt: The training was interrupted.
        """
        X = self._validated(X, ensure_min_samples=2)
        dataset = self._dataset(X)
        assembly = assemble(dataset, self._config(len(X)))
        trained = Trained(assembly.model, assembly.preparation, dataset.shape)
        rows, seed = assembly.splits, assembly.config.seed
        stored = dataset.part(rows.train)
        history: list[EpochRecord] = []
        result = fit(
            assembly.model,
            assembly.objective,
            torch.from_numpy(stored) if isinstance(stored, np.ndarray) else stored,
            trained.observe(dataset.values[rows.validation], seed) if len(rows.validation) else None,
            assembly.config.training,
            seed=seed,
            prepare=assembly.preparation,
            on_epoch=history.append,
        )
        if result.stopped == "interrupted":
            raise KeyboardInterrupt
        trained.complete(stored, seed)
        self.trained_, self.config_, self.understood_ = trained, assembly.config, assembly.understood
        self.history_, self.n_iter_ = tuple(history), result.epochs
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "n latent_dim"]:
        """The code of each row, the mean of q(z | x): the same for a row alone as among others.

        Args:
            X: [n, D], as for `fit`.
        """
        stored = self._stored(X)
        # In float32 the last digits depend on which rows are multiplied together.
        model = copy.deepcopy(self.trained_.model).cpu().double()
        preparation = copy.deepcopy(self.trained_.preparation).cpu()
        with torch.inference_mode():
            x = (preparation.expected(torch.from_numpy(rows)).double() for rows in blocks(stored))
            return torch.cat([model.embed(rows).flatten(1) for rows in x]).numpy()

    def inverse_transform(self, X: Float[np.ndarray, "n latent_dim"]) -> Float[np.ndarray, "n D"]:
        """The mean of p(x | z) at each code, in the units of the data.

        Args:
            X: Codes, as `transform` gives them.
        """
        check_is_fitted(self)
        codes = check_array(X)
        if codes.shape[1] != self._n_features_out:
            raise ValueError(f"X has {codes.shape[1]} columns, but a code has {self._n_features_out}.")
        return self._rows(self.trained_.decode(codes))

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> Float[np.ndarray, "n_samples D"]:
        """Draws from p(x), in the units of the data.

        Args:
            n_samples: How many.
            random_state: Of the draws; None: that of the fit, so that the same ones come again.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, not {n_samples}.")
        seed = self.config_.seed if random_state is None else _seed(random_state)
        return self._rows(self.trained_.sample(n_samples, seed=seed))

    def score_samples(self, X: Any) -> Float[np.ndarray, " n"]:
        """log p(x) of each row in nats, importance-sampled with K = `particles`: low values are anomalies.

        In expectation it is a lower bound; for real-valued data it is a log density in the units of the data. The draws
        are the same in every call.

        Args:
            X: [n, D], as for `fit`.
        """
        return self.trained_.score(self._stored(X), self.particles, seed=self.config_.seed).log_likelihood

    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride] — it is empty
        """The mean of `score_samples`, so that a search over settings finds the likeliest model.

        Args:
            X: [n, D], as for `fit`.
            y: Not looked at.
        """
        return float(self.score_samples(X).mean())

    @property
    def _n_features_out(self) -> int:
        return self.config_.model.latent_dim

    def _config(self, rows: int) -> Config:
        named = {
            "model.latent_dim": self.latent_dim,
            "training.epochs": self.epochs,
            "training.max_minutes": self.max_minutes,
            "data.validation": None if rows >= _FEWEST_TO_VALIDATE else 0,
        }
        likelihood = {} if self.likelihood == "auto" else {"model.likelihood": self.likelihood}
        given = {name: value for name, value in named.items() if value is not None}
        seed = {"seed": _seed(self.random_state), "data.test": 0}
        return Config.load(self.recipe, {**seed, **likelihood, **given, **(self.settings or {})})

    def _validated(self, X: Any, **checks: Any) -> Values:
        """The rows of X, once they are what scikit-learn takes for rows; those of a large mapped file stay there."""
        large = isinstance(X, np.memmap) and X.ndim == 2 and X.nbytes > limits.IN_MEMORY
        rows = FileRows.of_map(X) if large else None
        if rows is None:
            return self._checked(X, dtype=list(_TYPES), **checks)
        self._checked(X[:2], dtype=None, **checks)  # all values are checked with those of any file
        return rows

    def _checked(self, X: Any, **checks: Any) -> Any:
        return validate_data(self, X, **checks)

    def _dataset(self, X: Values) -> Dataset:
        if self.image_shape is None:
            return from_array(X, "X")
        shape = tuple(self.image_shape)
        if np.prod(shape) != X.shape[1]:
            raise UserError(f"image_shape = {shape} has {np.prod(shape)} pixels, but the rows of X have {X.shape[1]}.")
        dataset = from_array(mapped(X, lambda rows: rows.reshape(-1, *shape)), "X")
        if dataset.values[0].size != X.shape[1]:
            raise UserError(f"image_shape = {shape} has an opacity for each pixel: leave that channel out of X.")
        return dataset

    def _stored(self, X: Any) -> Values:
        """The rows as the training data was stored."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        # A dataset has at least two rows; one alone may be asked about.
        dataset = self._dataset(np.concatenate([X[:], X[:]]) if len(X) == 1 else X)
        self.trained_.preparation.check(dataset)
        return dataset.part(slice(len(X)))

    def _rows(self, stored: Float[np.ndarray, "n *stored"]) -> Float[np.ndarray, "n D"]:
        """Stored data in the layout of X."""
        if self.image_shape is not None and len(self.image_shape) == 3 and self.image_shape[-1] in (1, 3):
            stored = np.moveaxis(stored, 1, -1)
        return stored.reshape(len(stored), -1).astype(np.float64)


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))

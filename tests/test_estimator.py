"""The estimator: scikit-learn's own checks, its place among scikit-learn's tools, and what it is worth on data."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowerbound import VariationalAutoencoder

SMALL = {"model.network.hidden": [16]}
ONE_STREAM = (
    "score_samples is a Monte Carlo estimate whose draws come in one stream, so that a row's depend on its place; "
    "transform, which this checks too, has a test of its own"
)
EXPECTED = {
    "check_methods_sample_order_invariance": ONE_STREAM,
    "check_methods_subset_invariance": ONE_STREAM,
}


def small(**settings):
    return VariationalAutoencoder(**{"latent_dim": 2, "epochs": 5, "settings": SMALL, "random_state": 0, **settings})


@pytest.fixture(scope="module")
def table():
    """A noisy curve in five dimensions, 600 rows."""
    g = np.random.default_rng(0)
    t = g.normal(size=(600, 1))
    return np.hstack([t, -2 * t, t**2, np.sin(2 * t), g.normal(size=(600, 1))]) + 0.1 * g.normal(size=(600, 5))


@parametrize_with_checks(
    [VariationalAutoencoder(latent_dim=2, epochs=2, particles=5, settings={"model.network.hidden": [8]})],
    expected_failed_checks=lambda _: EXPECTED,
)
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


def test_a_row_has_the_same_code_alone_as_among_others(table):
    model = small().fit(table)
    codes, order = model.transform(table), np.random.default_rng(0).permutation(len(table))
    np.testing.assert_allclose(model.transform(table[order]), codes[order], rtol=1e-10)
    alone = np.concatenate([model.transform(table[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, codes[:5], rtol=1e-10)
    np.testing.assert_allclose(codes, model.trained_.encode(table.astype(np.float32)), atol=1e-5)


def test_the_random_state_decides_everything_and_leaves_the_caller_s_generators_alone(table):
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    one, same, other = small().fit(table), small().fit(table), small(random_state=1).fit(table)
    assert np.array_equal(one.transform(table), same.transform(table))
    assert np.array_equal(one.score_samples(table), same.score_samples(table))
    assert np.array_equal(one.score_samples(table), one.score_samples(table))
    assert np.array_equal(one.sample(4), one.sample(4))
    assert not np.array_equal(one.sample(4), one.sample(4, random_state=7))
    assert not np.array_equal(one.transform(table), other.transform(table))
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_no_random_state_is_another_one_each_time(table):
    one, other = (small(random_state=None, epochs=1).fit(table) for _ in range(2))
    assert one.config_.seed != other.config_.seed
    drawn = small(random_state=np.random.RandomState(3), epochs=1).fit(table)
    again = small(random_state=np.random.RandomState(3), epochs=1).fit(table)
    assert drawn.config_.seed == again.config_.seed


def test_a_curve_is_likelier_than_under_the_gaussian_with_its_moments_and_noise_is_an_anomaly(table):
    """300 epochs at seed 0; the likelihood of test rows in the units of the data, against PCA's exact one."""
    model = small(epochs=300, settings={"model.network.hidden": [64]}).fit(table[:400])
    gaussian = max(PCA(k).fit(table[:400]).score(table[400:]) for k in (1, 2, 3))
    assert model.score(table[400:]) > gaussian + 0.5
    noise = np.random.default_rng(1).permuted(table[400:], axis=0)  # the columns have the same distribution
    scores = model.score_samples(np.concatenate([table[400:], noise]))
    assert roc_auc_score(np.repeat([1, 0], 200), scores) > 0.85
    back = model.inverse_transform(model.transform(table[400:]))
    error, spread = ((back - table[400:])[:, :4] ** 2).mean(), table[400:, :4].var()
    assert error < 0.2 * spread


def test_in_a_pipeline_and_a_search(table):
    X, y = load_digits(return_X_y=True)
    images = VariationalAutoencoder(latent_dim=10, epochs=20, image_shape=(8, 8), random_state=0)
    classifier = make_pipeline(images, StandardScaler(), LogisticRegression(max_iter=500))
    assert classifier.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > 0.8
    search = GridSearchCV(small(epochs=30), {"latent_dim": [1, 3]}, cv=2).fit(table)
    assert search.best_params_["latent_dim"] in (1, 3)
    assert search.best_score_ == pytest.approx(search.cv_results_["mean_test_score"].max())
    scaled = make_pipeline(StandardScaler(), small())
    assert np.isfinite(cross_val_score(scaled, table, cv=2, n_jobs=2)).all()


def test_data_frames_keep_their_names(table):
    frame = pd.DataFrame(table, columns=list("abcde"))
    model = small().fit(frame)
    assert list(model.feature_names_in_) == list("abcde")
    assert list(model.get_feature_names_out()) == ["variationalautoencoder0", "variationalautoencoder1"]
    codes = model.set_output(transform="pandas").transform(frame)
    assert list(codes.columns) == list(model.get_feature_names_out())
    assert codes.index.equals(frame.index)
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (3, 6, 5)])
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_rows_can_be_images_and_come_back_in_their_own_layout(shape, network):
    g = np.random.default_rng(0)
    X = g.integers(0, 256, (60, int(np.prod(shape))), dtype=np.uint8)
    settings = {"model.network": network, "training.epochs": 1}
    model = VariationalAutoencoder(2, image_shape=shape, settings=settings, random_state=0).fit(X)
    assert model.config_.model.likelihood.name == "discretized-logistic"
    stored = model.trained_.reconstruct(model._dataset(X).values)
    back = model.inverse_transform(model.transform(X))
    assert back.shape == X.shape
    images = back.reshape(-1, *shape)
    planes = images[:, None] if len(shape) == 2 else np.moveaxis(images, -1, 1) if shape[-1] == 3 else images
    np.testing.assert_allclose(planes, stored, atol=0.01)
    assert model.sample(3).shape == (3, X.shape[1])
    assert set(np.unique(model.sample(3))) <= set(range(256))


def test_clone_pickle_and_settings(table):
    model = small(likelihood="student-t").fit(table)
    twin = pickle.loads(pickle.dumps(model))
    assert np.array_equal(twin.transform(table), model.transform(table))
    assert clone(model).get_params() == model.get_params()
    assert model.config_.model.likelihood.name == "student-t"
    assert (model.n_iter_, len(model.history_)) == (5, 5)
    assert model.understood_.startswith("600 rows of 5 numbers; likelihood student t")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"latent_dim": 0}, r"model\.latent_dim = 0 does not fit"),
        ({"recipe": "vea"}, r"Unknown recipe 'vea': did you mean"),
        ({"likelihood": "gausian"}, r"did you mean gaussian"),
        ({"settings": {"training.leaning_rate": 1e-3}}, r"did you mean training\.learning_rate"),
        ({"epochs": -1}, r"training\.epochs = -1 does not fit"),
        ({"image_shape": (2, 2)}, r"image_shape = \(2, 2\) has 4 pixels, but the rows of X have 5"),
        ({"particles": 0}, r"At least one draw of z"),
    ],
)
def test_what_does_not_fit_is_named(table, settings, words):
    with pytest.raises(ValueError, match=words):
        small(**settings).fit(table[:60]).score(table[:60])


def test_constant_columns_and_odd_codes_are_refused(table):
    with pytest.raises(ValueError, match="the columns 1 of the training rows do not vary"):
        small().fit(table * [1, 0, 1, 1, 1])
    model = small(epochs=1).fit(table)
    with pytest.raises(ValueError, match="X has 3 columns, but a code has 2"):
        model.inverse_transform(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="n_samples must be at least 1, not 0"):
        model.sample(0)


def test_the_package_alone_imports_neither_torch_nor_scikit_learn():
    code = "import sys, lowerbound; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

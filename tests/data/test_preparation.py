from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lowerbound.data import (
    PREPARATIONS,
    Binarise,
    Dataset,
    Identity,
    OneHot,
    Rescale,
    Standardise,
    from_array,
    preparation_for,
    restored,
)
from lowerbound.distributions import DiscretizedLogistic
from lowerbound.errors import UserError

RNG = np.random.default_rng(0)
TABLE = from_array(RNG.normal([3, -50, 0], [0.1, 20, 1], (5000, 3)), "table")
PIXELS = from_array(RNG.integers(0, 256, (40, 3, 5, 6), np.uint8), "pixels")
COUNTS = from_array(RNG.integers(0, 7, (40, 3)), "counts")
SHARES = from_array(RNG.random((40, 3)), "shares")
CASES = {
    "identity": (Identity, TABLE),
    "rescale": (Rescale, PIXELS),
    "rescale real": (Rescale, SHARES),
    "standardise": (Standardise, TABLE),
    "standardise images": (Standardise, PIXELS),
    "onehot": (OneHot, COUNTS),
}


def learned(kind, dataset: Dataset, rows=None):
    return kind.learned(dataset, np.arange(len(dataset)) if rows is None else rows)


@pytest.mark.parametrize("case", CASES)
def test_what_is_restored_is_what_was_stored(case):
    kind, dataset = CASES[case]
    stored = torch.from_numpy(dataset.values)
    preparation = learned(kind, dataset)
    x = preparation(stored)
    assert x.dtype == torch.float32
    assert x.shape == (len(dataset), *preparation.event_shape(dataset.shape))
    torch.testing.assert_close(preparation.restore(x), stored.float(), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(preparation.expected(stored), x, rtol=0, atol=0)
    torch.testing.assert_close(stored, torch.from_numpy(dataset.values), rtol=0, atol=0)


@pytest.mark.parametrize("case", [*CASES, "binarise"])
def test_a_preparation_is_made_again_without_the_data(case):
    kind, dataset = {**CASES, "binarise": (Binarise, PIXELS)}[case]
    preparation = learned(kind, dataset)
    again = restored(preparation.name, preparation.settings(), preparation.state_dict())
    assert type(again) is kind is PREPARATIONS[preparation.name]
    stored = torch.from_numpy(dataset.values)
    torch.testing.assert_close(again.frozen(stored, 3), preparation.frozen(stored, 3), rtol=0, atol=0)
    assert again.settings() == preparation.settings()


def test_what_no_preparation_was_written_as_is_refused():
    with pytest.raises(UserError, match="Unknown preparation 'rescal': did you mean rescale"):
        restored("rescal", {}, {})
    with pytest.raises(UserError, match="The preparation rescale cannot be made again from levels"):
        restored("rescale", {"levels": 3}, {})
    with pytest.raises(UserError, match="Unknown preparation 'binarize': did you mean binarise"):
        preparation_for("binarize", TABLE, np.arange(5))


@pytest.mark.parametrize("case", ["identity", "rescale", "rescale real", "standardise", "standardise images"])
def test_the_log_volume_is_the_logarithm_of_the_jacobian(case):
    """Against central differences of `forward` in float64 at every entry of one datum."""
    kind, dataset = CASES[case]
    preparation = learned(kind, dataset)
    point = torch.from_numpy(dataset.values[:1]).double()
    step = 0.5
    total = 0.0
    for index in np.ndindex(*point.shape):
        above, below = point.clone(), point.clone()
        above[index] += step
        below[index] -= step
        total += math.log((preparation(above)[index] - preparation(below)[index]).item() / (2 * step))
    assert preparation.log_volume(dataset.shape) == pytest.approx(total, abs=1e-4 * point.numel())


def test_a_density_in_the_datas_own_units_integrates_to_one():
    preparation = Standardise(torch.tensor([3.0]), torch.tensor([0.25]))
    stored = torch.linspace(-2, 8, 10_001).unsqueeze(1)
    log_density = torch.distributions.Normal(0, 1).log_prob(preparation(stored)) + preparation.log_volume((1,))
    assert torch.trapezoid(log_density.exp()[:, 0], stored[:, 0]).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("maximum", [1, 16, 255])
def test_levels_are_where_the_discretized_logistic_expects_them(maximum):
    """With levels = maximum + 1 their probabilities sum to one, and a narrow logistic at a level gives it the most."""
    levels = Rescale(maximum)(torch.arange(maximum + 1, dtype=torch.uint8))
    distribution = DiscretizedLogistic(levels.unsqueeze(1), torch.tensor(-math.log(4 * maximum)), maximum + 1)
    probability = distribution.log_prob(levels.expand(maximum + 1, -1)).exp()
    torch.testing.assert_close(probability.sum(1), torch.ones(maximum + 1), rtol=0, atol=1e-4)
    assert (probability.argmax(1) == torch.arange(maximum + 1)).all()


@pytest.mark.parametrize(
    ("maximum", "kind"), [(255, torch.uint8), (16, torch.uint8), (255, torch.float32), (None, None)]
)
def test_binarisation_is_exact_at_both_ends_and_has_the_right_frequencies_between(maximum, kind):
    """200,000 draws of each of 17 levels, seed 0: within 4.5 standard errors, more than 99.9 % for all together."""
    torch.manual_seed(0)
    draws, levels = 200_000, np.linspace(0, 16, 17).round()
    levels = levels * (maximum or 1) // 16 if maximum else levels / 16
    stored = torch.tensor(levels, dtype=kind or torch.float32)
    preparation = Binarise(maximum)
    x = preparation(stored.expand(draws, -1).contiguous())
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert x.dtype == torch.float32
    p = stored.double() / (maximum or 1)
    torch.testing.assert_close(preparation.expected(stored).double(), p, rtol=1e-6, atol=0)
    frequency = x.double().mean(0)
    assert (frequency[0].item(), frequency[-1].item()) == (0.0, 1.0)
    error = (p * (1 - p) / draws).sqrt()
    assert ((frequency - p).abs() <= 4.5 * error + 2**-16).all()


def test_binarised_pixels_are_drawn_independently():
    """Correlations of 300 neighbouring pixels over 4,000 draws, seed 0: below 5 / √4000, 97 % for all."""
    torch.manual_seed(0)
    x = Binarise(255)(torch.full((4000, 300), 128, dtype=torch.uint8))
    correlation = torch.corrcoef(x.T) - torch.eye(300)
    assert correlation.abs().max() < 5 / math.sqrt(4000)


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 1, 7, 3)])
def test_binarisation_takes_any_number_of_pixels_and_binary_data_stays_as_it_is(shape):
    stored = torch.randint(0, 2, shape, dtype=torch.uint8)
    assert Binarise(255)(stored * 255).tolist() == stored.tolist()
    assert Binarise(1)(stored).tolist() == stored.tolist()
    assert Binarise(None)(stored.float()).tolist() == stored.tolist()


def test_dynamic_draws_follow_the_callers_generator_and_differ():
    stored = torch.full((4, 100), 100, dtype=torch.uint8)
    torch.manual_seed(5)
    one, two = Binarise(255)(stored), Binarise(255)(stored)
    assert not torch.equal(one, two)
    torch.manual_seed(5)
    torch.testing.assert_close(Binarise(255)(stored), one, rtol=0, atol=0)


def test_frozen_draws_depend_on_the_seed_alone_and_leave_the_callers_generator():
    stored = torch.full((4, 100), 100, dtype=torch.uint8)
    before = torch.random.get_rng_state()
    one = Binarise(255).frozen(stored, 1)
    torch.testing.assert_close(torch.random.get_rng_state(), before, rtol=0, atol=0)
    torch.rand(3)
    torch.testing.assert_close(Binarise(255).frozen(stored, 1), one, rtol=0, atol=0)
    assert not torch.equal(Binarise(255).frozen(stored, 2), one)


def test_standardising_uses_the_training_rows_alone():
    rows = np.arange(0, len(TABLE), 2)
    preparation = learned(Standardise, TABLE, rows)
    torch.testing.assert_close(preparation.shift, torch.from_numpy(TABLE.values[rows].mean(0)), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(preparation.scale, torch.from_numpy(TABLE.values[rows].std(0)), rtol=1e-5, atol=1e-5)


def test_images_have_one_shift_and_one_scale():
    preparation = learned(Standardise, PIXELS)
    assert preparation.shift.item() == pytest.approx(PIXELS.values.mean(), rel=1e-6)
    assert preparation.scale.item() == pytest.approx(PIXELS.values.std(), rel=1e-6)


def test_columns_that_do_not_vary_in_the_training_rows_are_named():
    values = RNG.normal(size=(20, 3)).astype(np.float32)
    values[:10, 1] = 0.1
    named = Dataset("mine", "vector", values, columns=("a", "b", "c"))
    with pytest.raises(UserError, match="mine: the columns b of the training rows do not vary"):
        learned(Standardise, named, np.arange(10))
    with pytest.raises(UserError, match="mine: all pixels of the training rows do not vary"):
        learned(Standardise, from_array(np.full((3, 4, 4), 7), "mine"))


@pytest.mark.parametrize(
    ("preparation", "values", "words"),
    [
        (Rescale(16), [[0, 17]], "values from 0 to 17: this likelihood needs values from 0 to 16"),
        (Rescale(None), [[0, 1.5]], "needs values between 0 and 1"),
        (Binarise(None), [[-0.1, 1]], "needs values between 0 and 1"),
        (Binarise(255), [[0, 300]], "needs values from 0 to 255"),
        (Binarise(255), [[0, 1]], "on a scale that goes to 255: multiply them by 255"),
        (Rescale(255), [[0, 0.7]], "on a scale that goes to 255: multiply them by 255"),
        (Binarise(1), [[0, 200]], "needs values from 0 to 1"),
        (OneHot(3), [[0, 3]], "needs whole numbers from 0 to 2"),
        (OneHot(3), [[0, 1.5]], "or have fractions"),
        (OneHot(3), [[-1, 1]], "these run from -1 to 1"),
        (Standardise(torch.zeros(3), torch.ones(3)), [[0, 1]], "has 2 columns, the model needs 3"),
    ],
)
def test_new_data_that_cannot_be_prepared_is_refused(preparation, values, words):
    with pytest.raises(UserError, match=words) as caught:
        preparation.check(from_array(np.array(values * 2), "mine"))
    assert str(caught.value).startswith("mine")


@pytest.mark.parametrize(
    ("preparation", "values"),
    [
        (Identity(), [[-7, 1e9]]),
        (Rescale(16), [[0, 3]]),
        (Rescale(255), [[0, 0]]),
        (Binarise(None), [[0, 1]]),
        (Binarise(1), [[0, 1]]),
        (Standardise(torch.zeros(2), torch.ones(2)), [[-7, 1e9]]),
        (Standardise(torch.zeros(()), torch.ones(())), [[[-7, 1e9]]]),
        (OneHot(3), [[2, 1]]),
    ],
)
def test_new_data_that_can_be_prepared_passes(preparation, values):
    dataset = from_array(np.array(values * 2), "mine")
    preparation.check(dataset)
    assert torch.isfinite(preparation(torch.from_numpy(dataset.values))).all()


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("binarise", [[0, 2.5]], "needs values between 0 and 1, or 8-bit pixels"),
        ("rescale", [[-1, 1]], "needs values between 0 and 1, or 8-bit pixels"),
        ("onehot", [[0, 1000]], "needs whole numbers from 0 to 999"),
        ("onehot", [[0, 0.5]], "or have fractions"),
    ],
)
def test_data_that_a_preparation_does_not_suit_is_refused(name, values, words):
    with pytest.raises(UserError, match=words):
        preparation_for(name, from_array(np.array(values * 2), "mine"), np.arange(2))


@pytest.mark.parametrize(
    ("values", "maximum"),
    [(np.eye(3), 1), (200 * np.eye(3), 255), (0.5 * np.eye(3), None), (200 * np.ones((2, 3, 3)), 255)],
)
def test_the_scale_is_the_datas_own(values, maximum):
    assert learned(Rescale, from_array(values, "mine")).maximum == maximum

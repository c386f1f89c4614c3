from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowerbound.data import Dataset, split
from lowerbound.errors import UserError

ROWS = st.just("auto") | st.integers(0, 40) | st.floats(0, 0.4)


def rows(count: int, **facts) -> Dataset:
    return Dataset("mine", "vector", np.zeros((count, 1), np.uint8), **facts)


def sizes(dataset: Dataset, **wanted) -> list[int]:
    return [len(part) for part in split(dataset, seed=0, **wanted)]


@given(count=st.integers(100, 300), seed=st.integers(0, 2**63 - 1), validation=ROWS, test=ROWS)
def test_the_parts_are_disjoint_sorted_together_everything_and_the_same_for_the_same_seed(
    count, seed, validation, test
):
    parts = split(rows(count), seed=seed, validation=validation, test=test)
    assert sorted(np.concatenate(parts)) == list(range(count))
    again = split(rows(count), seed=seed, validation=validation, test=test)
    for part, same in zip(parts, again, strict=True):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        np.testing.assert_array_equal(part, same)


def test_another_seed_draws_other_rows_and_no_global_generator_is_touched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = split(rows(1000), seed=0), split(rows(1000), seed=1)
    assert not np.array_equal(one.test, other.test)
    assert not np.array_equal(one.validation, other.validation)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_every_row_is_as_likely_to_be_tested():
    """A fifth of 50 rows over 2,000 seeds: each row's frequency within 4.5 standard errors, 99.9 % for all together."""
    counts = np.zeros(50)
    for seed in range(2000):
        counts[split(rows(50), seed=seed).test] += 1
    assert np.abs(counts / 2000 - 0.2).max() < 4.5 * np.sqrt(0.2 * 0.8 / 2000)


def test_the_test_rows_do_not_depend_on_the_validation_rows():
    parts = [split(rows(500), seed=3, validation=wanted).test for wanted in ("auto", 0, 7, 0.3)]
    for test in parts[1:]:
        np.testing.assert_array_equal(test, parts[0])


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [
        (1000, {}, [720, 80, 200]),
        (100_000, {}, [79_000, 1_000, 20_000]),
        (1000, {"validation": 0}, [800, 0, 200]),
        (1000, {"test": 0}, [900, 100, 0]),
        (1000, {"test": 0.0, "validation": 0.0}, [1000, 0, 0]),
        (1000, {"test": 0.5, "validation": 0.1}, [450, 50, 500]),
        (1000, {"test": 1, "validation": 1}, [998, 1, 1]),
        (3, {}, [1, 1, 1]),
    ],
)
def test_auto_is_a_fifth_and_a_tenth_of_the_rest_at_most_a_thousand(count, wanted, expected):
    assert sizes(rows(count), **wanted) == expected


def test_what_the_literature_takes_is_the_default_where_there_is_something():
    frames = rows(1965, split_counts=(200, 200))
    assert sizes(frames) == [1565, 200, 200]
    assert sizes(frames, test=100) == [1665, 200, 100]
    assert sizes(frames, validation=0.5, test=165) == [900, 900, 165]


def test_a_sources_own_test_set_is_the_test_set_and_never_learned_from():
    dataset = rows(1200, test_start=1000)
    parts = split(dataset, seed=0)
    assert parts.test.tolist() == list(range(1000, 1200))
    assert [len(part) for part in parts] == [900, 100, 200]
    for test, count in ((50, 50), (0.5, 100), (0, 0), (200, 200)):
        parts = split(dataset, seed=0, test=test)
        assert parts.test.tolist() == list(range(1000, 1000 + count))
        assert sorted([*parts.train, *parts.validation]) == list(range(1000))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"test": 1.0}, "test = 1 is no share of the rows"),
        ({"validation": -0.1}, "validation = -0.1 is no share"),
        ({"test": 101}, "test = 101 rows cannot be taken from the 100 rows of mine"),
        ({"validation": -1}, "validation = -1 rows cannot be taken"),
        ({"validation": 81}, "validation = 81 rows cannot be taken from the 80 rows of mine that are not for the test"),
        ({"validation": 80}, "none is left to learn from"),
        ({"test": 100}, "none is left to learn from"),
    ],
)
def test_parts_that_cannot_be_are_refused(wanted, words):
    with pytest.raises(UserError, match=words):
        split(rows(100), seed=0, **wanted)


def test_more_than_the_sources_own_test_set_is_refused():
    with pytest.raises(UserError, match="test = 201 rows cannot be taken from the 200 rows of the test set of mine"):
        split(rows(1200, test_start=1000), seed=0, test=201)


def test_two_rows_cannot_be_three_parts():
    with pytest.raises(UserError, match="mine has 2 rows"):
        split(rows(2), seed=0)

"""What the races write, how they find the first passing, and that an interrupted one continues."""

from __future__ import annotations

import itertools
from unittest import mock

import pytest

from benchmarks.best import Protocol
from benchmarks.races.nats import first_passing, times_until
from benchmarks.racing.checkpoints import Checkpoints, trained
from benchmarks.racing.contender import Contender
from benchmarks.racing.tables import duration, put_between_markers, table, thousands
from lowerbound.errors import UserError


def test_a_table_replaces_what_is_between_its_markers_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- race:a -->\nold\n<!-- end -->\nmiddle\n<!-- race:b -->\nkept\n<!-- end -->\n")
    put_between_markers(page, "race", "a", table(["x", "y"], [["1", "\\2"]]))
    new = "<!-- race:a -->\n\n| x | y |\n| --- | --- |\n| 1 | \\2 |\n\n<!-- end -->"
    assert page.read_text() == f"before\n{new}\nmiddle\n<!-- race:b -->\nkept\n<!-- end -->\n"


@pytest.mark.parametrize("text", ["no markers", "<!-- race:a -->\nwithout an end"])
def test_a_page_without_a_place_for_the_table_is_refused(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(UserError, match="race:a"):
        put_between_markers(page, "race", "a", "new")
    assert page.read_text() == text


@pytest.mark.parametrize(("count", "threshold"), [(1, 5.0), (7, 3.5), (7, 0.5), (7, 100.0), (8, 0.0), (3, -1.0)])
def test_the_first_passing_is_that_of_a_search_through_all(count, threshold):
    nlls = [float(count - i) ** 2 for i in range(count)]
    expected = next((i for i, nll in enumerate(nlls) if nll <= threshold), None)
    assert first_passing(count, nlls.__getitem__, threshold) == expected
    assert first_passing(count, nlls.__getitem__, threshold, known=range(0, count, 3)) == expected


def test_the_search_for_many_thresholds_looks_at_few_checkpoints():
    nlls, seen = [82 + 20 / (1 + i) for i in range(60)], set()

    def nll_of(index):
        seen.add(index)
        return nlls[index]

    found = [first_passing(60, nll_of, threshold, tuple(seen)) for threshold in (90, 86, 85, 84.78, 84, 83)]
    assert found == [2, 4, 6, 7, 9, 19]
    assert len(seen) <= 17  # of which twelve prove that these are the first


def test_weights_are_kept_at_growing_intervals_up_to_the_end():
    times = times_until(600.0)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert times[-1] == 600
    assert all(gap >= 5 for gap in gaps[:-1])
    assert gaps[-2] > gaps[0]


def test_numbers_are_written_with_three_digits_that_count():
    assert [thousands(value) for value in (19_234, 99.96, 0.012345)] == ["19,200", "100", "0.0123"]
    assert [duration(value) for value in (0.5, 119, 121, 8000)] == ["0.5 s", "119 s", "2.02 min", "2.22 h"]


def test_an_nll_is_computed_once_and_kept(tmp_path):
    path, asked = tmp_path / "nll.json", []

    def nll_of_model(model):
        asked.append(model)
        return 80.0 + model

    for _ in range(2):
        checkpoints = Checkpoints([1.0, 2.0], lambda index: index, nll_of_model, path)
        assert checkpoints.nll(1) == 81
        assert checkpoints.nll(1) == 81
    assert asked == [1]
    assert checkpoints.nll(0) == 80
    assert asked == [1, 0]


def test_a_training_is_not_repeated_unless_its_settings_differ(tmp_path):
    class Here:
        """A contender in this process, which counts its trainings."""

        trainings = 0

        def __init__(self, contender, settings, logs):
            self.seed = settings["seed"]

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def turn(self):
            Here.trainings += 1
            return 1.0, {"kept": [self.seed]}

    contender = Contender("ours", "with_lowerbound", "lowerbound")
    settings = {"directory": str(tmp_path / "a"), "seed": 0}
    with mock.patch("benchmarks.racing.checkpoints.Worker", Here):
        assert [trained(contender, settings, tmp_path) for _ in range(2)] == [{"kept": [0]}] * 2
        assert Here.trainings == 1
        (tmp_path / "a" / "old").touch()
        assert trained(contender, {**settings, "seed": 1}, tmp_path) == {"kept": [1]}
        assert Here.trainings == 2
        assert not (tmp_path / "a" / "old").exists()


def test_the_best_table_has_a_dash_for_a_seed_that_is_missing(tmp_path):
    protocol = Protocol([10.0, 60.0], particles=100, together=3, threads=1, out=tmp_path)
    text = protocol.described({0: [84.0, 82.0], 2: [85.0, 82.5]}, [0, 1, 2])
    assert "| 10 | 84.00 | – | 85.00 | 84.50 |" in text
    assert "| 60 | 82.00 | – | 82.50 | 82.25 |" in text
    assert "K = 100" in text
    assert "3 at a time, with 1 thread each" in text

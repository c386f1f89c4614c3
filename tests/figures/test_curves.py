"""The learning curves carry the figures of the epochs."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from lowerbound.figures import compared_curves, learning_curves
from lowerbound.figures.canvas import OKABE_ITO

METRICS = [
    {
        "epoch": epoch,
        "distortion": 90 + 200 / epoch,
        "rate": 20.0 - 5 / epoch,
        "validation_distortion": 92 + 200 / epoch + 0.2 * epoch,
        "validation_rate": 21.0 - 5 / epoch,
    }
    for epoch in range(1, 101)
]


def panels(ax):
    return {panel.get_title(loc="left"): panel for panel in ax.figure.axes}


def column(*names):
    return np.array([sum(entry[name] for name in names) for entry in METRICS])


def test_curves_are_the_metrics():
    drawn = panels(learning_curves(METRICS))
    parts = {
        "−ELBO (nats)": ("distortion", "rate"),
        "Distortion (nats)": ("distortion",),
        "Rate (nats)": ("rate",),
    }
    assert list(drawn) == list(parts)
    for title, names in parts.items():
        training, validation, *_ = drawn[title].lines
        assert (training.get_label(), validation.get_label()) == ("training", "validation")
        for line, prefix in ((training, ""), (validation, "validation_")):
            np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 101))
            np.testing.assert_allclose(line.get_ydata(), column(*(prefix + name for name in names)))


def test_the_best_epoch_is_where_the_validation_bound_is_lowest():
    ax = learning_curves(METRICS)
    bound = column("validation_distortion", "validation_rate")
    best = ax.lines[2]
    assert best.get_xdata().tolist() == [bound.argmin() + 1]
    assert best.get_ydata().tolist() == [bound.min()]
    assert best.get_label() == f"best: {bound.min():.2f}, epoch {bound.argmin() + 1}"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation", best.get_label()]


def test_the_scale_is_that_of_all_but_the_first_tenth():
    """All of epochs 11 to 100 lies within the limits, and they are not stretched by the first ones."""
    for title, names in (("Distortion (nats)", ["distortion"]), ("Rate (nats)", ["rate"])):
        low, high = panels(learning_curves(METRICS))[title].get_ylim()
        late = np.concatenate([column(*names), column("validation_" + names[0])]).reshape(2, -1)[:, 10:]
        assert low < late.min()
        assert late.max() < high
        assert high - low == pytest.approx(1.1 * np.ptp(late))


def test_a_training_of_few_epochs_is_shown_whole():
    low, high = learning_curves(METRICS[:3]).get_ylim()
    bounds = column("distortion", "rate")[:3]
    assert low < bounds.min()
    assert bounds.max() < high


def test_no_curve_runs_through_the_key():
    """The key is above the axes and inside of the figure."""
    ax = learning_curves(METRICS)
    ax.figure.draw_without_rendering()
    key = ax.get_legend().get_window_extent()
    assert key.y0 > ax.get_window_extent().y1
    assert ax.figure.bbox.contains(*key.max)
    assert not any(key.overlaps(panel._left_title.get_window_extent()) for panel in ax.figure.axes)


def test_epochs_without_a_validation_leave_a_gap_and_none_at_all_no_curve():
    sparse = [dict(entry) for entry in METRICS[:6]]
    for entry in sparse[:3]:
        entry["validation_distortion"] = entry["validation_rate"] = None
    np.testing.assert_array_equal(learning_curves(sparse).lines[1].get_xdata(), [4, 5, 6])
    alone = [{name: value for name, value in entry.items() if "validation" not in name} for entry in METRICS]
    ax = learning_curves(alone)
    assert [line.get_label() for line in ax.lines] == ["training"]


def test_one_epoch_is_a_dot_over_a_whole_number():
    ax = learning_curves(METRICS[:1])
    assert [line.get_marker() for line in ax.lines] == ["o", "o", "o"]
    assert [tick for tick in ax.get_xticks() if tick != round(tick)] == []


def test_an_axis_that_is_given_is_shared_among_the_panels():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert learning_curves(METRICS, ax=right) is right
    assert not left.lines
    assert len(figure.axes) == 4


def test_no_epoch_is_refused():
    with pytest.raises(ValueError, match="before the first epoch has ended"):
        learning_curves([])


def test_where_the_rate_is_infinite_the_distortion_stands_alone():
    endless = [{**entry, "rate": math.inf, "validation_rate": math.inf} for entry in METRICS]
    ax = learning_curves(endless)
    assert list(panels(ax)) == ["Distortion (nats)"]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), column("validation_distortion"))
    assert ax.lines[2].get_ydata().tolist() == [column("validation_distortion").min()]


def test_curves_of_several_runs_lie_over_one_another():
    """Each run has its colour in every panel; one without a validation is dotted, and of its training data."""
    alone = [{name: value for name, value in entry.items() if "validation" not in name} for entry in METRICS[:30]]
    drawn = panels(compared_curves({"whole": METRICS, "$alone": alone}))
    parts = {"−ELBO (nats)": ("distortion", "rate"), "Distortion (nats)": ("distortion",), "Rate (nats)": ("rate",)}
    assert list(drawn) == list(parts)
    for title, names in parts.items():
        whole, other = drawn[title].lines
        np.testing.assert_allclose(whole.get_ydata(), column(*(f"validation_{name}" for name in names)))
        np.testing.assert_allclose(other.get_ydata(), column(*names)[:30])
        assert [whole.get_color(), other.get_color()] == list(OKABE_ITO[:2])
        assert [whole.get_linestyle(), other.get_linestyle()] == ["-", ":"]
    named = next(iter(drawn.values())).get_legend().get_texts()
    assert [text.get_text() for text in named] == ["whole", r"\$alone"]


def test_a_run_without_a_bound_is_named_though_it_has_no_curve_in_the_first_panel():
    endless = [{**entry, "rate": math.inf, "validation_rate": math.inf} for entry in METRICS]
    first, distortion, rate = panels(compared_curves({"bound": METRICS, "none": endless})).values()
    assert [len(panel.lines) for panel in (first, distortion, rate)] == [1, 2, 1]
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["bound", "none"]
    with pytest.raises(ValueError, match="before the first epoch has ended"):
        compared_curves({"a": [], "b": []})

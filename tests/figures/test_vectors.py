"""What is drawn of vectors carries their values."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from lowerbound.figures import reconstructions, samples

DATA = np.random.default_rng(0).normal([3.0, -40.0], [2.0, 0.1], (500, 2))


def histograms(ax):
    return [patch for patch in ax.patches if isinstance(patch, StepPatch)]


def test_draws_like_the_data_have_the_data_s_outline():
    """For both columns the line of the model is the upper edge of the data's area."""
    area, line, area2, line2 = histograms(samples(DATA, DATA))
    for filled, outline in ((area, line), (area2, line2)):
        assert filled.get_fill()
        assert not outline.get_fill()
        np.testing.assert_allclose(filled.get_data().values, outline.get_data().values)


def test_histograms_count_in_standard_deviations_of_the_data():
    """200 draws, shifted by one standard deviation, over 500 data: shares and not counts are compared."""
    shifted = DATA[:200] + DATA.std(0)
    area, line, *_ = histograms(samples(shifted, DATA))
    values, edges, baseline = line.get_data()
    scaled = np.clip((shifted[:, 0] - DATA[:, 0].mean()) / DATA[:, 0].std(), -3.5, 3.5)
    counts = np.histogram(scaled, edges)[0]
    heights = values - baseline
    np.testing.assert_allclose(heights / heights.sum(), counts / 200)
    scale = (area.get_data().values - baseline).sum() / heights.sum()
    assert scale == pytest.approx(1)


def test_columns_bear_their_names_from_the_top_down():
    ax = samples(DATA, columns=["length", "a name that is much too long for the margin"])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["length", "a name that is…he margin"]
    assert ax.get_yticks()[0] > ax.get_yticks()[1]
    assert "draws" in ax.get_xlabel()
    assert [label.get_text() for label in samples(DATA).get_yticklabels()] == ["0", "1"]


def test_more_columns_than_a_page_holds_are_left_out_with_a_word():
    ax = samples(np.random.default_rng(0).normal(size=(20, 1_000)))
    assert len(histograms(ax)) == 40
    assert "first 40 of 1,000 columns" in ax.get_xlabel()


def test_a_constant_column_is_drawn():
    ax = samples(np.ones((20, 2)))
    assert all(np.isfinite(patch.get_data().values).all() for patch in histograms(ax))


def test_curves_are_the_values_in_standard_deviations():
    reconstructed = DATA * 0.5
    ax = reconstructions(DATA, reconstructed, columns=["a", "b"])
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_marker() == "o"]
    assert len(lines) == 2 * 8
    bases = [line.get_ydata()[0] for line in ax.lines if line not in lines]
    for i in range(8):
        original, copy = lines[2 * i : 2 * i + 2]
        np.testing.assert_allclose(original.get_ydata() - bases[i], (DATA[i] - DATA.mean(0)) / DATA.std(0))
        np.testing.assert_allclose(copy.get_ydata() - bases[i], (reconstructed[i] - DATA.mean(0)) / DATA.std(0))
        assert original.get_color() != copy.get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["original", "reconstruction"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]


def test_bands_do_not_overlap():
    ax = reconstructions(DATA, DATA)
    lows, highs = [], []
    for line in ax.lines:
        if line.get_marker() == "o":
            lows.append(line.get_ydata().min())
            highs.append(line.get_ydata().max())
    for above, below in zip(lows[:-2:2], highs[2::2], strict=True):
        assert above > below


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: samples(np.zeros((0, 3))), r"Vectors have the shape \[N, D\], not \[0, 3\]"),
        (lambda: samples(DATA, DATA[:, :1]), "The draws have 2 columns, and the data 1"),
        (lambda: samples(DATA, np.zeros((5, 2, 2))), r"Vectors have the shape"),
        (lambda: samples(DATA, columns=["a"]), "There are 2 columns and 1 names"),
        (lambda: reconstructions(DATA, DATA, columns=["a", "b", "c"]), "There are 2 columns and 3 names"),
        (lambda: reconstructions(DATA, DATA[:3]), "differ in shape"),
    ],
)
def test_bad_shapes_are_refused(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


@pytest.mark.parametrize("draw", [samples, lambda x, ax=None: reconstructions(x, x, ax=ax)])
def test_an_axis_that_is_given_is_drawn_on_and_returned(draw):
    given = Figure().add_subplot()
    assert draw(DATA, ax=given) is given
    assert given.patches or given.lines


def test_a_dollar_sign_in_the_name_of_a_column_begins_no_formula():
    values = np.random.default_rng(0).normal(size=(20, 2))
    names = ["price_$ and cost_$", r"$\\frac{$"]
    for ax in (samples(values, columns=names), reconstructions(values, values, columns=names)):
        ax.figure.draw_without_rendering()
        labels = [*ax.get_xticklabels(), *ax.get_yticklabels()]
        assert {r"price_\$ and cost_\$", r"\$\\frac{\$"} <= {label.get_text() for label in labels}

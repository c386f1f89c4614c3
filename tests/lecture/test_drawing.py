import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from lowerbound.lecture import draw_graph
from lowerbound.lecture.drawing import figure_of
from lowerbound.lecture.graphical import GRAPH
from lowerbound.lecture.painting import NETWORKS as DRAW_NETWORKS
from lowerbound.lecture.reparameterization import NETWORKS


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def test_a_graph_has_every_node_every_edge_and_its_plate():
    nodes = {"z": (0, 1, "latent"), "x": (0, 0, "observed"), "θ": (1, 0.5, "parameter"), "net": (2, 0, "layer")}
    ax = draw_graph(nodes, [("z", "x"), ("θ", "x")], dashed=[("x", "z")], plate=(-1, -1, 2, 3, "N"), title="a model")
    assert [text.get_text() for text in ax.texts] == ["z", "x", "θ", "net", "N"]
    assert [arrow.get_linestyle() for arrow in arrows(ax)] == ["solid", "solid", "dashed"]
    assert ax.get_title() == "a model"
    kinds = [type(patch) for patch in ax.patches]
    assert (kinds.count(Circle), kinds.count(FancyBboxPatch), kinds.count(Rectangle)) == (3, 1, 1)


def test_what_is_seen_is_grey_and_what_is_hidden_is_white():
    ax = draw_graph({"z": (0, 1, "latent"), "x": (0, 0, "observed")}, [])
    hidden, seen = (patch.get_facecolor()[:3] for patch in ax.patches)
    assert hidden == (1, 1, 1)
    assert seen[0] == seen[1] == seen[2] < 0.9


@pytest.mark.parametrize("edge", [("z", "y"), ("y", "z")])
def test_an_edge_without_its_node_is_refused(edge):
    with pytest.raises(KeyError):
        draw_graph({"z": (0, 0, "latent")}, [edge])


def test_an_axis_is_drawn_on_and_returned():
    ax = Figure().subplots()
    assert draw_graph({"z": (0, 0, "latent")}, [], ax=ax) is ax


def test_in_the_model_z_leads_to_x_and_only_the_encoder_goes_back(workshop):
    ax = workshop[GRAPH]
    assert [arrow.get_linestyle() for arrow in arrows(ax)] == ["solid"] * 3 + ["dashed"] * 2


def test_with_the_trick_the_draw_is_an_input_and_without_it_stands_in_the_way(workshop):
    left, right = figure_of(workshop[NETWORKS]).axes
    labels = [[text.get_text() for text in ax.texts] for ax in (left, right)]
    assert "Sample z from\nN(μ(X), Σ(X))" in labels[0]
    assert {"Sample ε\nfrom N(0, I)", "×", "+"} <= set(labels[1])
    assert (len(arrows(left)), len(arrows(right))) == (10, 12)


def test_no_label_is_wider_than_its_box(workshop):
    for exhibit in (NETWORKS, DRAW_NETWORKS):
        figure = figure_of(workshop[exhibit])
        figure.draw_without_rendering()
        for ax in figure.axes:
            shapes = [patch for patch in ax.patches if not isinstance(patch, FancyArrowPatch)]
            for text, shape in zip(ax.texts, shapes, strict=True):
                inner, outer = text.get_window_extent(), shape.get_window_extent()
                assert inner.width <= outer.width, text.get_text()
                assert inner.height <= outer.height, text.get_text()

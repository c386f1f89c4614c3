"""The latent space: what is decoded where, and which code has which colour."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from torch.distributions import Independent, Normal

from lowerbound.figures import latent_scatter, manifold
from lowerbound.figures.canvas import BLUE, OKABE_ITO, PETROFF
from lowerbound.figures.latent import latent_grid, principal_components
from lowerbound.models import VAE
from lowerbound.priors import StandardNormal


def image_model(height=20, width=24, channels=1):
    """Each image is the plane z_1 in its left half and z_2 in its right half, brought to [0, 1] by the normal CDF."""

    def decode(z):
        halves = torch.special.ndtr(z)[..., None, None, :].repeat_interleave(width // 2, -1)
        return Independent(Normal(halves.expand(*z.shape[:-1], channels, height, width), 1.0), 3)

    return VAE(lambda x: x, decode, StandardNormal(2))


def cells(ax, height, width, grid, gap=0):
    """The drawn images, [row, column, H, W], the first row on top."""
    (image,) = ax.images
    picture = np.asarray(image.get_array())
    assert picture.shape[:2] == (grid * (height + gap) - gap, grid * (width + gap) - gap)
    return np.array(
        [
            [picture[r * (height + gap) :, c * (width + gap) :][:height, :width] for c in range(grid)]
            for r in range(grid)
        ]
    )


def test_the_unit_square_goes_through_the_inverse_cdf():
    """Image (row, column) has z_1 at the probability (column + ½) / 5 and z_2 at (row + ½) / 5 counted from below."""
    drawn = cells(manifold(image_model(), 5), 20, 24, 5)
    for row in range(5):
        for column in range(5):
            np.testing.assert_allclose(drawn[row, column, :, :12], (column + 0.5) / 5, rtol=1e-5)
            np.testing.assert_allclose(drawn[row, column, :, 12:], (4 - row + 0.5) / 5, rtol=1e-5)


def test_grid_points_are_quantiles():
    """Φ(z) by the error function, for the corners and the middle of 3 × 3 points."""
    z = latent_grid(3).double()
    probabilities = [[0.5 * (1 + math.erf(v / math.sqrt(2))) for v in point] for point in z.tolist()]
    expected = [[(c + 0.5) / 3, (2 - r + 0.5) / 3] for r in range(3) for c in range(3)]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert torch.equal(latent_grid(1), torch.zeros(1, 2))


def test_the_axes_of_the_manifold_say_where_its_ends_are():
    ax = manifold(image_model(), 20)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_1$", "$z_2$")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["−1.96", "+1.96"]
    left, right = ax.get_xticks()
    lower, upper = ax.get_yticks()
    assert left < right
    assert lower > upper  # rows of pixels are counted downwards
    assert [label.get_text() for label in ax.get_yticklabels()] == ["−1.96", "+1.96"]
    ax.figure.draw_without_rendering()
    for text in (*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label):
        box = text.get_window_extent()
        assert min(*box.min, *(ax.figure.bbox.max - box.max)) >= 0


def test_small_images_are_set_apart():
    drawn = manifold(image_model(8, 8), 3)
    cells(drawn, 8, 8, 3, gap=1)
    (image,) = drawn.images
    assert (np.asarray(image.get_array())[8] == 0).all()


def test_colours_and_restored_units_reach_the_picture():
    ax = manifold(image_model(channels=3), 2, restore=lambda x: 255 * x, limits=(0, 255))
    drawn = cells(ax, 20, 24, 2)
    assert drawn.shape[-1] == 3
    np.testing.assert_allclose(drawn[0, 0, :, :12], 0.25, rtol=1e-5)
    np.testing.assert_allclose(drawn[0, 0, :, 12:], 0.75, rtol=1e-5)


def test_a_manifold_of_vectors_or_without_points_is_refused():
    model = VAE(lambda x: x, lambda z: Independent(Normal(z, 1.0), 1), StandardNormal(2))
    with pytest.raises(ValueError, match=r"Images have the shape \[N, C, H, W\], not \[400, 2\]"):
        manifold(model)
    with pytest.raises(ValueError, match="at least one image in each direction, not 0"):
        manifold(image_model(), 0)


def clusters(classes, count=60):
    """So many clusters on a circle, in the order of the classes again and again."""
    labels = np.arange(count * classes) % classes
    angle = 2 * math.pi * labels / classes
    centres = 10 * np.stack([np.cos(angle), np.sin(angle)], 1)
    return centres + np.random.default_rng(0).normal(size=(len(labels), 2)), labels, centres[:classes]


@pytest.mark.parametrize(("classes", "palette"), [(3, OKABE_ITO), (8, OKABE_ITO), (10, PETROFF)])
def test_each_code_has_its_place_and_the_colour_of_its_class(classes, palette):
    codes, labels, _ = clusters(classes)
    (points,) = latent_scatter(codes, labels + 5).collections
    np.testing.assert_allclose(points.get_offsets(), codes)
    for drawn, label in zip(points.get_facecolors(), labels, strict=True):
        assert tuple(drawn[:3]) == pytest.approx(to_rgb(palette[label]))


def test_each_class_bears_its_name_within_its_cluster_on_its_colour():
    codes, labels, centres = clusters(10)
    ax = latent_scatter(codes, labels)
    assert [text.get_text() for text in ax.texts] == [str(i) for i in range(10)]
    for text, centre, color in zip(ax.texts, centres, PETROFF, strict=True):
        assert np.linalg.norm(np.array(text.get_position()) - centre) < 2
        assert text.get_bbox_patch().get_facecolor() == pytest.approx(to_rgba(color))


def test_names_of_overlapping_classes_do_not_hide_one_another():
    """Two classes share the place where both are densest; one has a place of its own beside it."""
    g = np.random.default_rng(0)
    shared, own = g.normal(0, 1, (300, 2)), g.normal([8, 0], 1, (100, 2))
    codes = np.concatenate([shared, own])
    labels = np.concatenate([np.arange(300) % 2, np.zeros(100, int)])
    first, second = (np.array(text.get_position()) for text in latent_scatter(codes, labels).texts)
    assert np.linalg.norm(first - [8, 0]) < 3
    assert np.linalg.norm(second) < 3


def test_codes_without_labels_have_one_colour():
    (points,) = latent_scatter(np.random.default_rng(0).normal(size=(20, 2))).collections
    np.testing.assert_allclose(points.get_facecolors()[:, :3], [to_rgb(BLUE)])


def test_many_classes_are_numbers_on_a_scale():
    codes, labels, _ = clusters(26, count=3)
    ax = latent_scatter(codes, labels)
    np.testing.assert_array_equal(ax.collections[0].get_array(), labels)
    assert not ax.texts
    assert len(ax.figure.axes) == 2


def test_both_directions_have_one_scale_even_where_one_dimension_has_collapsed():
    """A unit is as long to the right as upwards, and the axis keeps a height that has room for its numbers."""
    codes = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 0.01]
    ax = latent_scatter(codes)
    ax.figure.draw_without_rendering()
    (x0, y0), (x1, y1) = ax.transData.transform([(0, 0), (1, 1)])
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert ax.get_window_extent().height > 0.25 * ax.get_window_extent().width


@pytest.mark.parametrize("shape", [(40, 3), (6, 30)])
def test_codes_of_more_dimensions_are_drawn_along_their_principal_components(shape):
    """Against the singular value decomposition, up to signs, for more data than dimensions and for fewer."""
    codes = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 1, shape[1])
    ax = latent_scatter(codes)
    u, s, _ = np.linalg.svd(codes - codes.mean(0), full_matrices=False)
    drawn = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(np.abs(drawn), np.abs(u[:, :2] * s[:2]), atol=1e-9)
    shares = s**2 / (s**2).sum()
    assert ax.get_xlabel() == f"component 1 ({shares[0]:.0%})"
    assert ax.get_ylabel() == f"component 2 ({shares[1]:.0%})"


def test_the_sign_of_a_principal_component_is_that_of_its_largest_entry():
    codes = np.random.default_rng(0).normal(size=(30, 4))
    for scores in (principal_components(codes)[0], principal_components(-codes)[0]):
        assert (scores[np.abs(scores).argmax(0), (0, 1)] > 0).all()


def test_classes_bear_the_names_of_their_labels_and_no_formula():
    codes, labels, _ = clusters(3)
    ax = latent_scatter(codes, labels, label_names=["shirt", "$x^$", "<b>"])
    assert [text.get_text() for text in ax.texts] == ["shirt", r"\$x^\$", "<b>"]
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize("shape", [(0, 2), (5, 1), (5,), (5, 2, 1)])
def test_codes_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"Codes have the shape \[N, D\] with D at least 2"):
        latent_scatter(np.zeros(shape))


@pytest.mark.parametrize("shape", [(4,), (5, 1)])
def test_labels_that_are_not_one_for_each_code_are_refused(shape):
    with pytest.raises(ValueError, match=f"There are 5 codes and {shape[0]} labels"):
        latent_scatter(np.zeros((5, 2)), np.zeros(shape, int))


@pytest.mark.parametrize(
    "draw", [lambda ax: manifold(image_model(), 2, ax=ax), lambda ax: latent_scatter(np.eye(2), ax=ax)]
)
def test_an_axis_that_is_given_is_drawn_on_and_returned(draw):
    given = Figure().add_subplot()
    assert draw(given) is given
    assert given.images or given.collections

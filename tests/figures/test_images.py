"""What is drawn of images is the images, pixel by pixel."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from lowerbound.figures import reconstructions, samples, tile


def images(count, channels=1, height=3, width=4):
    return np.random.default_rng(0).random((count, channels, height, width)).astype(np.float32)


def picture(ax):
    (image,) = ax.images
    return np.asarray(image.get_array())


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("gap", [0, 2])
def test_tiles_stand_row_by_row_with_gaps_between_and_not_around(channels, gap):
    """Against a loop over rows and columns; seven images in three columns leave two places empty."""
    given = images(7, channels)
    sheet = tile(given, 3, gap=gap, background=0.5)
    expected = np.full((3 * 3 + 2 * gap, 3 * 4 + 2 * gap, channels), 0.5, np.float32)
    for i, image in enumerate(given):
        top, left = i // 3 * (3 + gap), i % 3 * (4 + gap)
        for channel in range(channels):
            expected[top : top + 3, left : left + 4, channel] = image[channel]
    np.testing.assert_array_equal(sheet, expected[..., 0] if channels == 1 else expected)


def test_the_background_is_white_in_the_images_own_type():
    for given, white in ((np.zeros((1, 1, 2, 2), np.uint8), 255), (np.zeros((1, 1, 2, 2), np.float32), 1)):
        sheet = tile(given, 2)
        assert sheet.dtype == given.dtype
        np.testing.assert_array_equal(sheet, [[0, 0, white, white]] * 2)


@pytest.mark.parametrize(
    ("count", "shape", "columns"),
    [(100, (8, 8), 10), (50, (8, 8), 10), (24, (8, 8), 6), (7, (8, 8), 3), (1, (8, 8), 1), (16, (20, 10), 8)],
)
def test_a_sheet_is_near_to_a_square_and_has_no_ragged_row_where_that_can_be(count, shape, columns):
    assert tile(np.zeros((count, 1, *shape))).shape == (-(-count // columns) * shape[0], columns * shape[1])


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 2, 3, 4), (0, 1, 3, 4), (2, 1, 0, 4)])
def test_what_is_no_image_is_not_tiled(shape):
    with pytest.raises(ValueError, match=r"Images have the shape \[N, C, H, W\] with C = 1, 3 or 4"):
        tile(np.zeros(shape))


def test_fewer_than_one_column_is_refused():
    with pytest.raises(ValueError, match="at least one column, not 0"):
        tile(images(2), 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_are_the_tiled_images(channels):
    given = images(6, channels)
    np.testing.assert_array_equal(picture(samples(given)), tile(given, gap=1))


def test_limits_say_what_is_black_and_white():
    levels = np.array([[[[0, 4], [12, 16]]]], np.uint8)
    np.testing.assert_array_equal(picture(samples(levels, limits=(0, 16))), [[0, 0.25], [0.75, 1]])
    np.testing.assert_allclose(picture(samples(levels)), levels[0, 0] / 255)
    np.testing.assert_array_equal(picture(samples(np.array([[[[-0.5, 0.5], [1.5, 1.0]]]]))), [[0, 0.5], [1, 1]])


def test_channels_that_are_no_colours_are_averaged():
    given = images(1, 2)
    np.testing.assert_allclose(picture(samples(given)), given[0].mean(0), rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (28, 20), (300, 200)])
def test_on_a_figure_of_its_own_each_pixel_is_a_whole_number_of_pixels(shape):
    ax = samples(images(1, 1, *shape))
    ax.figure.draw_without_rendering()
    width, height = ax.get_window_extent().size
    zoom = round(height / shape[0])
    assert zoom >= 1
    assert (width, height) == pytest.approx((zoom * shape[1], zoom * shape[0]))


def test_reconstructions_stand_below_their_originals():
    """Thirteen images: a band of ten, and a band of three below it."""
    originals = images(13)
    reconstructed = 1 - originals
    ax = reconstructions(originals, reconstructed)
    sheet = picture(ax)
    tops = [0, 4, 9, 13]  # bands are two rows of three pixels, one between them and two below
    assert sheet.shape == (16, 10 * 5 - 1)
    for i in range(13):
        band, column = divmod(i, 10)
        for top, drawn in zip(tops[2 * band : 2 * band + 2], (originals, reconstructed), strict=True):
            np.testing.assert_array_equal(sheet[top : top + 3, 5 * column : 5 * column + 4], drawn[i, 0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["original", "reconstruction"] * 2
    assert ax.get_yticks().tolist() == [top + 1 for top in tops]


def test_names_of_the_rows_are_within_the_figure():
    ax = reconstructions(images(2), images(2))
    ax.figure.draw_without_rendering()
    for label in ax.get_yticklabels():
        box = label.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= ax.get_window_extent().x0


def test_reconstructions_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        reconstructions(images(3), images(2))


@pytest.mark.parametrize("draw", [samples, lambda x, ax=None: reconstructions(x, x, ax=ax)])
def test_neither_images_nor_vectors_are_refused(draw):
    for shape in ((4,), (4, 3, 3), (4, 1, 1, 3, 3)):
        with pytest.raises(ValueError, match="have the shape"):
            draw(np.zeros(shape))


@pytest.mark.parametrize("draw", [samples, lambda x, ax=None: reconstructions(x, x, ax=ax)])
def test_an_axis_that_is_given_is_drawn_on_and_returned(draw):
    given = Figure().add_subplot()
    assert draw(images(4), ax=given) is given
    assert given.images

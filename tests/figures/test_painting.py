"""Sheets and animations of a painting show its canvases pixel by pixel, and its windows where they are."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image, ImageSequence

from lowerbound.errors import UserError
from lowerbound.figures import animate, painting_sheet
from lowerbound.figures.painting import READ, WRITE
from lowerbound.nn.attention import Window
from lowerbound.trained import Painted


def canvases(count=2, steps=3, shape=(1, 8, 6), seed=0):
    return np.random.default_rng(seed).random((count, steps, *shape)).astype(np.float32)


def windows(count=2, steps=3, *, x=3.5, y=4.0, extent=2.0, sigma=1.0):
    """The same window everywhere; each number may be given for every image and step."""
    values = {"x": x, "y": y, "stride": 1.0, "extent": extent, "sigma": sigma, "intensity": 1.0}
    return Window(**{name: torch.as_tensor(value).float().expand(count, steps) for name, value in values.items()})


def picture(ax):
    (image,) = ax.images
    return np.asarray(image.get_array())


def colour(name):
    return (255 * np.array(to_rgb(name))).round().astype(np.uint8)


def cell(sheet, row, column, shape=(8, 6), margin=1):
    """One image of a sheet with its margin, [H', W', 3], and by how much it is enlarged."""
    height, width = (size + 2 * margin for size in shape)
    columns = round(sheet.shape[1] / sheet.shape[0] * height / width * ROWS)
    zoom = sheet.shape[1] // (columns * width)
    top, left = row * height * zoom, column * width * zoom
    return sheet[top : top + height * zoom, left : left + width * zoom], zoom


ROWS = 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_has_a_row_for_each_image_and_a_column_for_each_step(channels):
    given = canvases(shape=(channels, 8, 6))
    sheet = picture(painting_sheet(Painted(given, None, None)))
    for row in range(2):
        for step in range(3):
            found, zoom = cell(sheet, row, step)
            inside = found[zoom:-zoom, zoom:-zoom][zoom // 2 :: zoom, zoom // 2 :: zoom]
            expected = np.broadcast_to(given[row, step], (3, 8, 6)).transpose(1, 2, 0)
            np.testing.assert_array_equal(inside, (255 * expected).round())
            assert (found[:zoom] == 255).all()
            assert (found[:, -zoom:] == 255).all()


def test_originals_stand_first_and_long_paintings_are_shown_from_the_first_step_to_the_last():
    given, originals = canvases(steps=40), canvases(steps=1, seed=1)[:, 0]
    ax = painting_sheet(Painted(given, None, None), originals)
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert (names[:2], names[-1], len(names)) == (["original", "1"], "40", 13)
    steps = np.array([int(name) for name in names[1:]])
    assert set(np.diff(steps)) <= {3, 4}
    found, zoom = cell(picture(ax), 1, 0)
    inside = found[zoom:-zoom, zoom:-zoom, 0][zoom // 2 :: zoom, zoom // 2 :: zoom]
    np.testing.assert_array_equal(inside, (255 * originals[1, 0]).round())
    found, _ = cell(picture(ax), 0, 5)
    inside = found[zoom:-zoom, zoom:-zoom, 0][zoom // 2 :: zoom, zoom // 2 :: zoom]
    np.testing.assert_array_equal(inside, (255 * given[0, steps[4] - 1, 0]).round())


@pytest.mark.parametrize("sigma", [0.2, 1.0, 2.0, 1e6])
def test_the_lines_of_a_window_lie_around_the_pixels_that_it_covers(sigma):
    """Columns 3 and 4 and rows 3.5 ± 1 of pixels; a pixel wide for σ ≤ 1, half of one for 2, and never nothing."""
    painted = Painted(np.zeros((2, 3, 1, 8, 6), np.float32), None, windows(x=3.5, y=4.0, extent=2.0, sigma=sigma))
    found, zoom = cell(picture(painting_sheet(painted)), 1, 2)
    line = max(1, round(zoom / max(sigma, 1)))
    left, right = (1 + 2) * zoom, (1 + 4) * zoom
    top, bottom = (1 + 3.5 - 1) * zoom, (1 + 3.5 + 1) * zoom
    expected = np.zeros(found.shape[:2], bool)
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            outer = left - line <= column < right + line and round(top) - line <= row < round(bottom) + line
            inner = left <= column < right and round(top) <= row < round(bottom)
            expected[row, column] = outer and not inner
    np.testing.assert_array_equal((found == colour(WRITE)).all(2), expected)


def test_each_step_has_its_own_windows_and_each_kind_its_colour():
    x = torch.tensor([[2.0, 3.0, 4.0], [5.0, 5.0, 1.0]])
    painted = Painted(np.zeros((2, 3, 1, 8, 6), np.float32), windows(x=x.flip(1), extent=1.0), windows(x=x, extent=1.0))
    ax = painting_sheet(painted)
    for row in range(2):
        for step in range(3):
            found, zoom = cell(picture(ax), row, step)
            for name, places in ((WRITE, x), (READ, x.flip(1))):
                columns = np.flatnonzero((found == colour(name)).all(2).any(0))
                if name == WRITE or abs(places[row, step] - x[row, step]) >= 3:  # else the other covers it in part
                    assert (columns.min() + columns.max() + 1) / 2 == (places[row, step] + 0.5) * zoom
    assert [text.get_text() for text in ax.texts] == ["written through", "read through"]


def test_a_window_does_not_reach_into_the_neighbour():
    """Far outside, and larger than the image."""
    for settings in ({"x": 60.0}, {"y": -1e9}, {"extent": 400.0}, {"x": -1e30, "extent": 1e30}):
        painted = Painted(np.zeros((2, 3, 1, 8, 6), np.float32), None, windows(**settings))
        plain = picture(painting_sheet(painted._replace(write=None)))
        np.testing.assert_array_equal(picture(painting_sheet(painted)), plain)


def frames(path):
    with Image.open(path) as image:
        shown = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(image)]
        image.seek(0)
        times = []
        for number in range(len(shown)):
            image.seek(number)
            times.append(image.info["duration"])
    return shown, times


@pytest.mark.parametrize("ending", [".gif", ".apng", ".GIF"])
@pytest.mark.parametrize(("channels", "off"), [(1, 4), (3, 40)])
def test_an_animation_has_a_frame_for_each_step_and_one_without_windows(tmp_path, ending, channels, off):
    """In a GIF grey to four levels of 256, and colours to its palette; the windows' own colours exactly."""
    given = canvases(count=3, steps=4, shape=(channels, 8, 6))
    painted = Painted(given, windows(3, 4, x=1.5, y=1.5), windows(3, 4, x=4.5, y=6.0))
    path = animate(painted, tmp_path / f"a{ending}")
    shown, times = frames(path)
    assert (len(shown), times[-1] > times[0]) == (5, True)
    exact = ending == ".apng"
    zoom = shown[0].shape[0] // 10  # three images are one row
    for step, frame in enumerate(shown):
        for name in (READ, WRITE):
            assert (frame == colour(name)).all(2).any() == (step < 4)
        first = frame[zoom : 9 * zoom, zoom : 7 * zoom][zoom // 2 :: zoom, zoom // 2 :: zoom]
        expected = np.broadcast_to(255 * given[0, min(step, 3)], (3, 8, 6)).transpose(1, 2, 0).round()
        clear = np.ones((8, 6), bool)
        clear[:4, :4] = clear[3:, 2:] = step == 4
        assert np.abs(first - expected)[clear].max() <= (0 if exact else off)


def test_an_animation_of_reconstructions_has_the_originals_beside(tmp_path):
    given, originals = canvases(count=1), canvases(count=1, steps=1, seed=1)[:, 0]
    shown, _ = frames(animate(Painted(given, None, None), tmp_path / "a.apng", originals))
    zoom = shown[0].shape[1] // 16
    for frame in shown:
        first = frame[zoom : 9 * zoom, zoom : 7 * zoom, 0][zoom // 2 :: zoom, zoom // 2 :: zoom]
        np.testing.assert_array_equal(first, (255 * originals[0, 0]).round())
    second = shown[0][zoom : 9 * zoom, 9 * zoom : 15 * zoom, 0][zoom // 2 :: zoom, zoom // 2 :: zoom]
    np.testing.assert_array_equal(second, (255 * given[0, 0, 0]).round())


def test_an_animation_of_another_kind_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.mp4 must end in \.gif or \.apng: the ending says what is written\.$"):
        animate(Painted(canvases(), None, None), tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("draw", [painting_sheet, lambda *given: animate(given[0], "a.gif", *given[1:])])
def test_what_is_no_painting_of_images_is_refused(draw):
    with pytest.raises(ValueError, match=r"shape \[N, T, C, H, W\], not \[2, 3, 9\]"):
        draw(Painted(np.zeros((2, 3, 9), np.float32), None, None))
    with pytest.raises(ValueError, match="differ in shape"):
        draw(Painted(canvases(), None, None), canvases(count=1)[:, 0])


def test_an_axis_that_is_given_is_drawn_on_and_returned():
    given = Figure().add_subplot()
    assert painting_sheet(Painted(canvases(), None, None), ax=given) is given
    assert given.images

"""Saving, colours, and what importing the figures costs."""

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from lowerbound.errors import UserError
from lowerbound.figures import canvas, samples, save


def sheet():
    return samples(np.random.default_rng(0).random((4, 1, 8, 8)))


@pytest.mark.parametrize(
    ("ending", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")]
)
def test_the_ending_says_what_is_written(tmp_path, ending, start):
    path = save(sheet(), str(tmp_path / f"sheet{ending}"))
    assert path == tmp_path / f"sheet{ending}"
    assert path.read_bytes().startswith(start)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_the_picture_has_the_pixels_of_the_images_each_as_a_square(tmp_path):
    """Sixty-four pixels and the gap, enlarged by a whole number without interpolation."""
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8)).astype(np.uint8)
    with Image.open(save(samples(images), tmp_path / "sheet.png")) as image:
        pixels = np.asarray(image.convert("L")).astype(int)
    zoom = len(pixels) // 17
    assert pixels.shape == (17 * zoom, 17 * zoom)
    blocks = pixels.reshape(17, zoom, 17, zoom)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert abs(blocks[:8, 0, :8, 0] - images[0, 0]).max() <= 1
    assert abs(blocks[9:, 0, 9:, 0] - images[3, 0]).max() <= 1
    assert (blocks[8] == 255).all()


def test_an_axis_in_a_subfigure_saves_the_whole_figure(tmp_path):
    figure = Figure(figsize=(4, 2), dpi=50)
    left, _ = figure.subfigures(1, 2)
    with Image.open(save(left.add_subplot(), tmp_path / "a.png")) as image:
        assert image.size == (200, 100)


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet", "sheet.png.gz"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"must end in \.png, \.svg or \.pdf"):
        save(sheet(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    path = save(sheet(), tmp_path / "sheet.png")
    before = path.read_bytes()
    ax = sheet()

    def fail(file, **_):
        file.write(b"half of a picture")
        raise RuntimeError("no more ink")

    monkeypatch.setattr(ax.figure, "savefig", fail)
    with pytest.raises(RuntimeError, match="no more ink"):
        save(ax, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"Cannot write .*sheet\.png") as error:
        save(sheet(), tmp_path / "missing" / "sheet.png")
    assert "\n" not in str(error.value)


# Machado, Oliveira and Fernandes, A physiologically-based model for simulation of color vision deficiency, 2009.
VISIONS = {
    "usual": np.eye(3),
    "without long cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without medium cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "without short cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


def seen(color, vision):
    """CIE L*a*b* of a colour as it is seen."""
    srgb = np.array(to_rgb(color))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(VISIONS[vision]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ linear / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(
    ("colors", "least"),
    [((canvas.GREY, canvas.BLUE, canvas.VERMILLION), 20), (canvas.OKABE_ITO, 10), (canvas.PETROFF, 7)],
    ids=["curves", "Okabe and Ito", "Petroff"],
)
def test_colours_are_told_apart_whatever_one_s_vision(vision, colors, least):
    """A difference of 2.3 in L*a*b* is just noticed."""
    assert min(np.linalg.norm(seen(a, vision) - seen(b, vision)) for a, b in combinations(colors, 2)) > least


def test_importing_the_figures_imports_neither_matplotlib_nor_torch():
    code = (
        "import sys, lowerbound.figures as f; assert not {'matplotlib', 'torch'} & set(sys.modules); "
        "f.tile; assert 'matplotlib' not in sys.modules; f.samples; assert 'matplotlib.pyplot' not in sys.modules; "
        "f.manifold; f.learning_curves; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_figure_is_there_and_nothing_else():
    import lowerbound.figures as figures

    assert all(callable(getattr(figures, name)) for name in figures.__all__)
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        figures.pie  # noqa: B018

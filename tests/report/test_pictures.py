"""Pictures within a page are small, whole and the same each time."""

import numpy as np
import pytest

from lowerbound.figures import kl_per_latent, samples
from lowerbound.report.pictures import embedded, picture
from report.pages import opened

NOISE = np.random.default_rng(0).integers(0, 256, (60, 3, 40, 40)).astype(np.uint8)


@pytest.mark.parametrize("most", [200_000, 30_000])
def test_a_picture_of_noise_is_made_as_small_as_it_must_be(most):
    address = embedded(samples(NOISE), as_drawing=False, most=most)
    assert len(address) < most * 4 / 3 + 100
    assert np.asarray(opened(address).convert("L")).std() > 3


def test_a_picture_that_is_small_already_keeps_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 5)).astype(np.uint8)
    shown = np.asarray(opened(embedded(samples(image), as_drawing=False)).convert("RGB"))
    size = len(shown) // 5
    np.testing.assert_array_equal(shown[size // 2 :: size, size // 2 :: size], image[0].transpose(1, 2, 0))


def test_a_drawing_is_lines_unless_that_is_too_long():
    ax = kl_per_latent(np.linspace(3, 0, 20))
    assert opened(embedded(ax, as_drawing=True)).tag == "{http://www.w3.org/2000/svg}svg"
    assert opened(embedded(ax, as_drawing=True, most=15_000)).size[0] > 100


def test_the_same_figure_gives_the_same_bytes():
    assert len({embedded(kl_per_latent(np.linspace(3, 0, 20)), as_drawing=True) for _ in range(2)}) == 1


def test_a_figure_that_nobody_has_words_for_is_shown_under_its_name():
    shown = picture("new-figure", kl_per_latent(np.ones(3)))
    assert (shown.title, shown.caption) == ("New figure", "")

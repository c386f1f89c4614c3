"""Walks: which codes are decoded, and where they stand."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from lowerbound.figures import interpolation, traversals


class Decoder:
    """From codes to images of 4 × 5 whose pixels are the first entries of the code; it remembers what it was asked."""

    def __init__(self, shape=(1, 4, 5)):
        self.shape, self.asked = shape, np.empty(0)

    def __call__(self, codes):
        self.asked = codes
        return codes.mean(1).reshape(-1, *[1] * len(self.shape)) * np.ones((1, *self.shape))


CODES = np.random.default_rng(0).normal(size=(400, 6)) * [3, 1, 1, 1, 1, 2] + [0, 0, 5, 0, 0, 0]


def test_a_traversal_moves_one_dimension_from_quantile_to_quantile_and_leaves_the_others():
    """The start is the code nearest to the mean, in standard deviations, by brute force."""
    decode = Decoder()
    traversals(decode, CODES, [5, 0], steps=7)
    asked = decode.asked.reshape(2, 7, 6)
    distance = [sum(((c - CODES.mean(0)) / CODES.std(0)) ** 2) for c in CODES]
    start = CODES[int(np.argmin(distance))]
    for row, dimension in zip(asked, (5, 0), strict=True):
        expected = np.repeat(start[None], 7, 0)
        low, high = np.sort(CODES[:, dimension])[[0, -1]]
        assert low < row[0, dimension] < row[-1, dimension] < high
        for end, share in ((0, 0.01), (-1, 0.99)):
            assert (CODES[:, dimension] < row[end, dimension]).mean() == pytest.approx(share, abs=1 / 400)
        expected[:, dimension] = row[0, dimension] + (row[-1, dimension] - row[0, dimension]) * np.arange(7) / 6
        np.testing.assert_allclose(row, expected)


def test_on_the_sphere_a_traversal_stays_there():
    on_sphere = CODES / np.linalg.norm(CODES, axis=1, keepdims=True)
    decode = Decoder()
    traversals(decode, on_sphere, [0, 2], steps=9, space="sphere")
    np.testing.assert_allclose(np.linalg.norm(decode.asked, axis=1), 1)
    first = decode.asked.reshape(2, 9, 6)[0]
    others = first[:, 1:] / np.linalg.norm(first[:, 1:], axis=1, keepdims=True)
    np.testing.assert_allclose(others, others[:1].repeat(9, 0), atol=1e-12)


def test_each_row_of_a_traversal_bears_the_name_of_its_dimension():
    ax = traversals(Decoder(), CODES, [5, 0, 2], steps=4)
    (image,) = ax.images
    assert np.asarray(image.get_array()).shape == (3 * 5 - 1, 4 * 6 - 1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$z_{6}$", "$z_{1}$", "$z_{3}$"]
    assert list(ax.get_yticks()) == [1.5, 6.5, 11.5]
    ax.figure.draw_without_rendering()
    for text in (*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label):
        box = text.get_window_extent()
        assert min(*box.min, *(ax.figure.bbox.max - box.max)) >= 0


def test_an_interpolation_goes_straight_between_the_data_that_stand_at_its_ends():
    codes = CODES[:6].reshape(3, 2, 6)
    data = np.stack([np.full((1, 4, 5), share) for share in np.linspace(0, 1, 6)]).reshape(3, 2, 1, 4, 5)
    decode = Decoder()
    ax = interpolation(decode, codes, data, steps=5)
    asked = decode.asked.reshape(3, 5, 6)
    for row in range(3):
        for step in range(5):
            np.testing.assert_allclose(asked[row, step], codes[row, 0] + step / 4 * (codes[row, 1] - codes[row, 0]))
    picture = np.asarray(ax.images[0].get_array())
    for row in range(3):
        np.testing.assert_allclose(picture[5 * row : 5 * row + 4, :5], data[row, 0, 0], atol=1e-6)
        np.testing.assert_allclose(picture[5 * row : 5 * row + 4, -5:], data[row, 1, 0], atol=1e-6)


def test_on_the_sphere_an_interpolation_is_a_great_circle():
    """From e_1 to e_2 the angle grows in even steps; codes of another length are brought to one first."""
    codes = np.zeros((1, 2, 3))
    codes[0, 0, 0] = codes[0, 1, 1] = 0.5
    decode = Decoder()
    interpolation(decode, codes, np.zeros((1, 2, 1, 4, 5)), steps=4, space="sphere")
    angles = np.pi / 2 * np.arange(4) / 3
    np.testing.assert_allclose(decode.asked, np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1), atol=1e-12)


def test_the_same_datum_twice_is_a_way_without_length():
    codes = np.repeat(np.eye(3)[:1, None], 2, 1)
    decode = Decoder()
    interpolation(decode, codes, np.zeros((1, 2, 1, 4, 5)), steps=3, space="sphere")
    np.testing.assert_array_equal(decode.asked, np.eye(3)[[0, 0, 0]])


def test_walks_of_vectors_are_curves_that_brighten():
    walked = traversals(lambda z: z[:, :3] * 2, CODES, [0, 1], steps=5, columns=["a", "$b", "c"])
    curves = [line for line in walked.lines if len(line.get_xdata()) == 3]
    assert len(curves) == 2 * 5
    brightness = [sum(to_rgba(line.get_color())[:3]) for line in curves[:5]]
    assert brightness == sorted(brightness)
    assert [label.get_text() for label in walked.get_xticklabels()] == ["a", r"\$b", "c"]
    assert [label.get_text() for label in walked.get_yticklabels()] == ["$z_{1}$", "$z_{2}$"]
    between = interpolation(lambda z: z[:, :3], CODES[:4].reshape(2, 2, 6), CODES[:4, :3].reshape(2, 2, 3))
    assert [label.get_text() for label in between.get_yticklabels()] == ["pair 1", "pair 2"]


def test_an_axis_that_is_given_is_drawn_on_and_returned():
    for draw in (
        lambda ax: traversals(Decoder(), CODES, [0], ax=ax),
        lambda ax: interpolation(Decoder((3,)), CODES[:2].reshape(1, 2, 6), np.zeros((1, 2, 3)), ax=ax),
    ):
        given = Figure().add_subplot()
        assert draw(given) is given
        assert given.images or given.lines


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: traversals(Decoder(), CODES, []), r"Dimensions are numbers from 0 to 5, not \[\]"),
        (lambda: traversals(Decoder(), CODES, [6]), r"not \[6\]"),
        (lambda: traversals(Decoder(), CODES, [0], names=["a", "b"]), "1 dimensions and 2 names"),
        (lambda: traversals(Decoder(), CODES, [0], steps=1), "at least its two ends, not 1"),
        (lambda: traversals(Decoder(), CODES[:0], [0]), r"Codes have the shape \[N, D\]"),
        (lambda: traversals(Decoder(), CODES, [0], space="one-hot"), "not 'one-hot'"),
        (lambda: interpolation(Decoder(), CODES[:3].reshape(1, 3, 6), np.zeros((1, 2, 3))), r"\[R, 2, D\]"),
    ],
)
def test_walks_that_lead_nowhere_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()

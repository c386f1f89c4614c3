"""The attention windows against the paper's equations, written as loops."""

import math

import pytest
import torch

from lowerbound.errors import UserError
from lowerbound.nn.attention import Attention, Filters, read, write


def paper_filters(numbers, size, height, width):
    """F_X, F_Y and γ of one window, entry by entry (Gregor et al. 2015, equations 19 to 26)."""
    g_x, g_y, log_variance, log_stride, log_intensity = numbers.tolist()
    centre_x, centre_y = (width + 1) / 2 * (g_x + 1), (height + 1) / 2 * (g_y + 1)
    stride = (max(height, width) - 1) / (size - 1) * math.exp(log_stride)

    def filters(centre, length):
        rows = []
        for i in range(1, size + 1):
            mu = centre + (i - size / 2 - 0.5) * stride
            row = [math.exp(-((a - mu) ** 2) / (2 * math.exp(log_variance))) for a in range(1, length + 1)]
            rows.append([value / sum(row) for value in row])
        return torch.tensor(rows, dtype=torch.float64)

    return filters(centre_x, width), filters(centre_y, height), math.exp(log_intensity)


def some_numbers(count, seed=0):
    """Windows of many places and widths, some of them over the border, by less than a filter reaches."""
    g = torch.Generator().manual_seed(seed)
    numbers = torch.randn(count, 5, generator=g, dtype=torch.float64) * torch.tensor([0.2, 0.2, 1.0, 0.2, 1.0])
    return numbers.index_copy(1, torch.tensor([2]), numbers[:, 2:3].abs())


def sharp_window(attention, x, y, intensity=1.0):
    """Filters of one pixel each, side by side, with the centre at column x and row y."""
    place = torch.tensor([2 * x / (attention.width + 1) - 1, 2 * y / (attention.height + 1) - 1])
    scales = torch.tensor([-20.0, -math.log(attention.unit), math.log(intensity)])
    return torch.cat([place, scales]).double().unsqueeze(0)


@pytest.mark.parametrize(("size", "height", "width"), [(2, 28, 28), (5, 28, 28), (3, 6, 4), (4, 7, 12)])
def test_filter_banks_are_the_paper_s_loop(size, height, width):
    numbers = some_numbers(50)
    filters, intensity = Attention(size, height, width).double()(numbers)
    for row, each in enumerate(numbers):
        columns, rows, gamma = paper_filters(each, size, height, width)
        torch.testing.assert_close(filters.columns[row], columns, atol=1e-6, rtol=0)
        torch.testing.assert_close(filters.rows[row], rows, atol=1e-6, rtol=0)
        assert math.isclose(intensity[row].item(), gamma)


def test_a_window_is_told_in_pixels():
    """The place of the window agrees with the filters' centres of mass, far from the border."""
    attention = Attention(3, 41, 61).double()
    numbers = torch.tensor([[0.1, -0.2, 0.5, math.log(0.1), 0.3]], dtype=torch.float64)
    window, (filters, intensity) = attention.window(numbers), attention(numbers)
    across = (filters.columns * torch.arange(1.0, 62)).sum(-1)[0]
    down = (filters.rows * torch.arange(1.0, 42)).sum(-1)[0]
    spread = (filters.columns[0, 1] * (torch.arange(1.0, 62) - across[1]) ** 2).sum().sqrt()
    torch.testing.assert_close(torch.stack([window.x[0], window.y[0]]), torch.stack([across[1], down[1]]))
    torch.testing.assert_close(window.stride, (across[2] - across[1]).reshape(1))
    torch.testing.assert_close(window.extent, (across[2] - across[0] + 1).reshape(1))
    torch.testing.assert_close(window.sigma[0], spread, atol=1e-6, rtol=0)
    torch.testing.assert_close(window.intensity, intensity)


@pytest.mark.parametrize("channels", [1, 3])
def test_reading_and_writing_are_the_paper_s_products(channels):
    numbers = some_numbers(4)
    filters, _ = Attention(3, 6, 8).double()(numbers)
    g = torch.Generator().manual_seed(1)
    images = torch.randn(4, channels, 6, 8, generator=g, dtype=torch.float64)
    patches = torch.randn(4, channels, 3, 3, generator=g, dtype=torch.float64)
    for row in range(4):
        down, across = filters.rows[row], filters.columns[row]
        for channel in range(channels):
            expected = down @ images[row, channel] @ across.T
            torch.testing.assert_close(read(images, filters)[row, channel], expected)
            expected = down.T @ patches[row, channel] @ across
            torch.testing.assert_close(write(patches, filters)[row, channel], expected)


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 11)])
def test_a_sharp_window_of_unit_stride_reads_a_crop(height, width):
    attention = Attention(3, height, width).double()
    images = torch.arange(2.0 * height * width, dtype=torch.float64).reshape(1, 2, height, width)
    filters, _ = attention(sharp_window(attention, x=5, y=4))
    torch.testing.assert_close(read(images, filters), images[:, :, 2:5, 3:6], atol=1e-9, rtol=0)


def test_what_was_written_is_read_back():
    attention = Attention(3, 8, 11).double()
    filters, _ = attention(sharp_window(attention, x=7, y=3))
    patch = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(read(write(patch, filters), filters), patch, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 7)])
def test_gradients_are_finite_differences(height, width):
    attention = Attention(3, height, width).double()
    numbers = some_numbers(3).requires_grad_()
    images = torch.randn(3, 2, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def glimpse(numbers, images):
        filters, intensity = attention(numbers)
        patch = read(images, filters)
        return patch, write(patch, filters), intensity

    assert torch.autograd.gradcheck(glimpse, (numbers, images.requires_grad_()))


def test_gradients_hold_where_a_filter_leaves_the_image():
    """Windows of which filters are partly, nearly and wholly outside."""
    attention = Attention(3, 6, 5).double()
    places = torch.tensor([-1.6, -1.1, -0.9, 0.7, 1.2, 2.1], dtype=torch.float64)
    numbers = torch.stack([places, places.flip(0), *torch.tensor([[-3.0], [-0.2], [0.1]]).expand(3, 6)], 1)
    filters, _ = attention(numbers)
    assert {(total > 0.5).item() for total in filters.columns.sum(2).flatten()} == {True, False}
    assert torch.autograd.gradcheck(lambda n: (*attention(n)[0], attention(n)[1]), (numbers.requires_grad_(),))


@pytest.mark.parametrize("place", [-40.0, 40.0, 1e6])
def test_a_window_outside_of_the_image_reads_and_writes_nothing(place):
    attention = Attention(4, 10, 8)
    numbers = torch.tensor([[place, place, 0.0, -1.0, 0.0]], requires_grad=True)
    filters, intensity = attention(numbers)
    images, patches = torch.ones(1, 1, 10, 8), torch.ones(1, 1, 4, 4)
    assert (read(images, filters) == 0).all()
    assert (write(patches, filters) == 0).all()
    (read(images, filters).sum() * intensity.sum() + write(patches, filters).sum()).backward()
    assert numbers.grad is not None
    assert torch.isfinite(numbers.grad).all()


def test_a_filter_between_two_pixels_is_not_lost_however_narrow():
    """At column 2.5 and row 3.4, with σ = e⁻⁵."""
    filters, _ = Attention(1, 5, 5)(torch.tensor([[2.5 / 3 - 1, 3.4 / 3 - 1, -10.0, 0.0, 0.0]]))
    torch.testing.assert_close(filters.rows[0, 0], torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]))
    torch.testing.assert_close(filters.columns.sum(-1), torch.ones(1, 1))


def test_a_window_begins_over_the_whole_image():
    attention = Attention(5, 28, 28)
    window = attention.window(attention.initial_parameters().unsqueeze(0))
    assert (window.x.item(), window.y.item(), window.stride.item()) == (14.5, 14.5, 6.75)
    assert window.sigma.item() == pytest.approx(6.75 / 2)


@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_a_patch_is_at_first_written_as_strongly_as_it_is(size):
    """A patch of ones: the filters sum to one each, and what they write is as much as the image has pixels."""
    attention = Attention(size, 28, 28)
    filters, intensity = attention(attention.initial_parameters(writing=True).unsqueeze(0))
    change = write(torch.ones(1, 1, size, size), filters) / intensity.reshape(-1, 1, 1, 1)
    assert change.mean().item() == pytest.approx(1)


@pytest.mark.parametrize("number", [-1e4, 1e4])
@pytest.mark.parametrize("which", [2, 3, 4])
def test_numbers_of_any_size_give_finite_windows_and_gradients(number, which):
    numbers = torch.zeros(2, 5)
    numbers[0, which] = number
    numbers.requires_grad_()
    attention = Attention(2, 12, 12)
    filters, intensity = attention(numbers)
    patch = read(torch.ones(2, 1, 12, 12), filters) * intensity.reshape(-1, 1, 1, 1)
    (write(patch, filters) / intensity.reshape(-1, 1, 1, 1)).sum().backward()
    assert torch.isfinite(patch).all()
    assert torch.isfinite(numbers.grad).all()


@pytest.mark.parametrize("size", [0, -1, 13])
def test_a_window_that_makes_no_sense_is_refused_in_one_sentence(size):
    with pytest.raises(UserError, match=r"makes no sense on an image of 9 × 12 pixels: choose a size from 1 to 12\.$"):
        Attention(size, 9, 12)


def test_filters_know_rows_from_columns():
    filters, _ = Attention(2, 5, 9)(torch.zeros(1, 5))
    assert isinstance(filters, Filters)
    assert (filters.rows.shape, filters.columns.shape) == ((1, 2, 5), (1, 2, 9))

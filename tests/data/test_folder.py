from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lowerbound.data import open_data
from lowerbound.errors import UserError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 6), np.uint8)
COLOUR = RNG.integers(0, 256, (5, 6, 3), np.uint8)


def save(path, pixels: np.ndarray, **options):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "tiff", "PNG", "pgm", "gif"])
def test_grey_images_are_read_exactly_and_in_the_order_of_their_names(tmp_path, ending):
    for name, value in (("b", 100), ("a", 50), ("c", 200)):
        save(tmp_path / f"{name}.{ending}", np.full((5, 6), value, np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / f".hidden.{ending}").write_text("not an image")
    dataset = open_data(tmp_path)
    assert dataset.values.shape == (3, 1, 5, 6)
    assert dataset.values.dtype == np.uint8
    assert dataset.values[:, 0, 0, 0].tolist() == [50, 100, 200]
    assert (dataset.maximum, dataset.name) == (255, tmp_path.name)


@pytest.mark.parametrize("options", [{"suffix": "png"}, {"suffix": "webp", "lossless": True}, {"suffix": "tiff"}])
def test_colour_images_are_read_exactly_with_the_channels_first(tmp_path, options):
    suffix = options.pop("suffix")
    save(tmp_path / f"a.{suffix}", COLOUR, **options)
    save(tmp_path / f"b.{suffix}", 255 - COLOUR, **options)
    values = open_data(tmp_path).values
    np.testing.assert_array_equal(values[0], COLOUR.transpose(2, 0, 1))
    np.testing.assert_array_equal(values[1], 255 - COLOUR.transpose(2, 0, 1))


def test_jpegs_are_read_within_their_losses(tmp_path):
    smooth = np.linspace(0, 255, 16 * 16).reshape(16, 16).astype(np.uint8)
    save(tmp_path / "a.jpg", smooth, quality=95)
    save(tmp_path / "b.jpeg", smooth, quality=95)
    values = open_data(tmp_path).values
    assert np.abs(values[:, 0].astype(int) - smooth).max() <= 8


def test_grey_and_colour_together_are_colour(tmp_path):
    save(tmp_path / "a.png", GREY)
    save(tmp_path / "b.png", COLOUR)
    dataset = open_data(tmp_path)
    np.testing.assert_array_equal(dataset.values[0], np.stack([GREY] * 3))
    assert dataset.notes == ("1 of the images are grey and 1 colour: all are read as colour.",)


def test_opacity_is_left_out_and_colours_under_it_kept(tmp_path):
    opacity = RNG.integers(0, 256, (5, 6, 1), np.uint8)
    save(tmp_path / "a.png", np.concatenate([COLOUR, opacity], 2))
    save(tmp_path / "b.png", COLOUR)
    dataset = open_data(tmp_path)
    np.testing.assert_array_equal(dataset.values[0], COLOUR.transpose(2, 0, 1))
    assert dataset.notes == ("The opacity of 1 images is left out.",)
    for name in "ab":
        save(tmp_path / f"{name}.png", np.concatenate([GREY[..., None], opacity], 2))
    np.testing.assert_array_equal(open_data(tmp_path).values[:, 0], [GREY, GREY])


def test_palettes_are_resolved_into_their_colours(tmp_path):
    for name in "ab":
        image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "L").convert("P")
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.save(tmp_path / f"{name}.png", transparency=1)
    dataset = open_data(tmp_path)
    assert dataset.values[0, 0].tolist() == [[255, 0], [0, 255]]
    assert dataset.values[0, 2].tolist() == [[0, 255], [255, 0]]
    assert dataset.notes == ("The opacity of 2 images is left out.",)


def test_one_bit_images_are_black_and_white(tmp_path):
    for name in "ab":
        Image.fromarray(GREY > 127).save(tmp_path / f"{name}.png")
    np.testing.assert_array_equal(open_data(tmp_path).values[0, 0], np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_sixteen_bit_grey_images_keep_all_their_levels(tmp_path, ending):
    deep = RNG.integers(0, 2**16, (5, 6), np.uint16)
    for name in "ab":
        save(tmp_path / f"{name}.{ending}", deep)
    dataset = open_data(tmp_path)
    assert dataset.values.dtype == np.float32
    np.testing.assert_array_equal(dataset.values[1, 0], deep)
    assert dataset.maximum is None
    assert dataset.notes == ("The images have more than 8 bits for each pixel: they are read as real numbers.",)
    assert open_data(tmp_path, resize=(3, 3)).values.shape == (2, 1, 3, 3)
    save(tmp_path / f"c.{ending}", GREY)
    with pytest.raises(UserError, match=rf"mixes images of 8 bits with grey ones of more, such as .*c\.{ending}"):
        open_data(tmp_path)


def test_sixteen_bit_colour_is_read_as_bytes_and_says_so(tmp_path):
    """Pillow cannot write such a file, so it is put together here."""
    deep = RNG.integers(0, 2**16, (5, 6, 3), np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    chunks = (b"IHDR", struct.pack(">IIBBBBB", 6, 5, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    dataset = open_data(tmp_path)
    np.testing.assert_array_equal(dataset.values[0], (deep >> 8).transpose(2, 0, 1))
    assert dataset.notes == ("2 colour images have 16 bits for each channel, of which 8 are read.",)


def test_real_valued_images_are_read_exactly(tmp_path):
    real = RNG.random((5, 6), np.float32)
    for name in "ab":
        save(tmp_path / f"{name}.tiff", real)
    np.testing.assert_array_equal(open_data(tmp_path).values[0, 0], real)


def test_folders_are_classes(tmp_path):
    for name, value in (("cats/1", 10), ("cats/2", 20), ("ants/1", 30)):
        save(tmp_path / f"{name}.png", np.full((5, 6), value, np.uint8))
    (tmp_path / "empty").mkdir()
    dataset = open_data(tmp_path)
    assert dataset.label_names == ("ants", "cats")
    assert dataset.labels.tolist() == [0, 1, 1]
    assert dataset.values[:, 0, 0, 0].tolist() == [30, 10, 20]
    save(tmp_path / "loose.png", GREY)
    with pytest.raises(UserError, match=r"has images beside folders of images \(ants, cats\)"):
        open_data(tmp_path)


def test_an_image_of_another_size_is_named_with_both_sizes_and_the_remedy(tmp_path):
    for name in "abc":
        save(tmp_path / f"{name}.png", GREY)
    save(tmp_path / "a.png", GREY[:4])
    with pytest.raises(UserError) as caught:
        open_data(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'a.png'} is 4 × 6, while 2 of the 3 images of {tmp_path} are 5 × 6: bring all to one height and "
        "width with --resize, such as 5x6."
    )
    dataset = open_data(tmp_path, resize=(7, 3))
    assert dataset.shape == (1, 7, 3)
    assert dataset.notes == ("The images were resized to 7 × 3.",)


@pytest.mark.parametrize(("ending", "options"), [("png", {}), ("tiff", {}), ("webp", {"lossless": True})])
def test_a_picture_that_its_camera_turned_is_turned(tmp_path, ending, options):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    save(tmp_path / f"a.{ending}", COLOUR, exif=exif, **options)
    save(tmp_path / f"b.{ending}", np.rot90(COLOUR, -1), **options)
    values = open_data(tmp_path).values
    np.testing.assert_array_equal(values[0], values[1])


def test_a_photograph_that_its_camera_turned_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8  # to be turned against the clock by a quarter
    halves = np.zeros((16, 32), np.uint8)
    halves[:, 16:] = 255
    save(tmp_path / "a.jpg", halves, exif=exif)
    save(tmp_path / "b.jpg", np.rot90(halves))
    values = open_data(tmp_path).values
    assert values.shape == (2, 1, 32, 16)
    np.testing.assert_array_equal(values[0] > 127, values[1] > 127)


def test_of_a_moving_picture_the_first_frame_is_read(tmp_path):
    frames = [Image.fromarray(np.full((5, 6), value, np.uint8)) for value in (10, 200)]
    for name in "ab":
        frames[0].save(tmp_path / f"{name}.gif", save_all=True, append_images=frames[1:])
    dataset = open_data(tmp_path)
    assert (dataset.values == 10).all()
    assert dataset.notes == ("2 files have more than one frame, of which the first is read.",)


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_an_image_that_is_empty_or_broken_is_named(tmp_path, keep):
    noise = RNG.integers(0, 256, (40, 40), np.uint8)
    save(tmp_path / "a.png", noise)
    save(tmp_path / "b.png", noise)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:keep])
    words = "empty" if keep == 0 else "broken or no image"
    with pytest.raises(UserError, match=rf"b\.png is {words}: replace it, or take it out of the folder\.$"):
        open_data(tmp_path)


def test_a_folder_without_images_says_what_would_be_one(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    save(tmp_path / "deep" / "deeper" / "a.png", GREY)
    with pytest.raises(UserError, match=r"has no images \(.*\.png.*\), neither in it nor one folder below"):
        open_data(tmp_path)

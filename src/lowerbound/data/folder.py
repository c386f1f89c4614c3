"""Folders: of images, with sub-folders as classes where there are any, or of Parquet files."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from lowerbound.data.arrays import checked_size, maximum_of, resized_image, resizing_note
from lowerbound.data.dataset import Dataset, narrow
from lowerbound.data.parquet import open_parquet
from lowerbound.data.streams import reading
from lowerbound.errors import UserError

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
_GREY = frozenset({"1", "L", "LA", "La"})
_DEEP = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_ALPHA = frozenset({"LA", "La", "RGBA", "RGBa", "PA"})
_ORIENTATION = 0x0112
_FAILURES = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class _Form(NamedTuple):
    """What an image file says before its pixels are decoded."""

    size: tuple[int, int]
    """Height and width."""
    colour: bool
    deep: bool
    """Grey with more than 8 bits."""
    alpha: bool
    reduced: bool
    """Colour with more than 8 bits for each channel, of which Pillow reads 8."""
    frames: int


def open_folder(folder: Path, resize: tuple[int, int] | None) -> Dataset:
    """The images of a folder, by name; those of its sub-folders, each a class; or its Parquet files.

    Args:
        folder: The folder.
        resize: Height and width that the images are brought to.

    Raises:
        UserError: No images, one that is broken, or images that do not go together.
    """
    with reading(folder):
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        images = _images(entries)
        classes = {entry.name: _images(sorted(entry.iterdir())) for entry in entries if entry.is_dir()}
    classes = {name: files for name, files in classes.items() if files}
    tables = [entry for entry in entries if entry.suffix.lower() == ".parquet"]
    if images and classes:
        raise UserError(f"{folder} has images beside folders of images ({', '.join(classes)}): open one or the other.")
    if images:
        return _read(folder, images, resize)
    if classes:
        labels = np.repeat(np.arange(len(classes)), [len(files) for files in classes.values()])
        files = [file for group in classes.values() for file in group]
        return _read(folder, files, resize, labels=labels, label_names=tuple(classes))
    if tables:
        return open_parquet(tables, folder)
    raise UserError(
        f"{folder} has no images ({', '.join(sorted(IMAGES))}), neither in it nor one folder below: give a folder that "
        "has, or the path of a file."
    )


def _images(entries: list[Path]) -> list[Path]:
    return [entry for entry in entries if entry.suffix.lower() in IMAGES and not entry.name.startswith(".")]


def _read(
    folder: Path,
    files: list[Path],
    resize: tuple[int, int] | None,
    *,
    labels: np.ndarray | None = None,
    label_names: tuple[str, ...] | None = None,
) -> Dataset:
    """Read the headers of all files, and then the pixels straight into one array."""
    forms = [_form(file) for file in files]
    deep, colour = any(form.deep for form in forms), any(form.colour for form in forms)
    if deep and not all(form.deep for form in forms):
        odd = _odd([form.deep for form in forms])
        raise UserError(
            f"{folder} mixes images of 8 bits with grey ones of more, such as {files[odd]}: their scales differ, "
            "so bring them to one."
        )
    if resize is None:
        _check_sizes(folder, files, forms)
    height, width = forms[0].size if resize is None else checked_size(resize)
    values = np.empty((len(files), 3 if colour else 1, height, width), np.float32 if deep else np.uint8)
    for target, file in zip(values, files, strict=True):
        image = _pixels(file, "RGB" if colour else None if deep else "L")
        target[:] = image if resize is None else resized_image(image, resize)
    values = narrow(values, str(folder))
    notes = [*_notes(forms), *([resizing_note(resize)] if resize else [])]
    maximum = maximum_of(values, "image")
    return Dataset(str(folder), "image", values, maximum, labels, label_names, notes=tuple(notes))


@contextmanager
def _image(path: Path) -> Iterator[Image.Image]:
    with reading(path):
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty: replace it, or take it out of the folder.")
        path.open("rb").close()  # what may not be read is not broken
    try:
        with Image.open(path) as image:
            yield image
    except _FAILURES as error:
        raise UserError(f"{path} is broken or no image: replace it, or take it out of the folder.") from error


def _form(path: Path) -> _Form:
    with _image(path) as image:
        # Before anything that decodes the image, as a palette can.
        deep_colour = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
        turned = _orientation(image) >= 5
        colour = image.mode not in _GREY | _DEEP and not _grey_palette(image)
        return _Form(
            size=(image.width, image.height) if turned else (image.height, image.width),
            colour=colour,
            deep=image.mode in _DEEP,
            alpha=image.mode in _ALPHA or "transparency" in image.info,
            reduced=colour and deep_colour,
            frames=getattr(image, "n_frames", 1),
        )


def _orientation(image: Image.Image) -> int:
    """How a camera held the picture, which viewers obey: 1 for upright, from 5 on it lies on its side.

    TIFF images are turned by Pillow itself, and a PNG that says so behind its pixels would have to be decoded for it.
    """
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    return image.getexif().get(_ORIENTATION, 1)


def _grey_palette(image: Image.Image) -> bool:
    """Whether it is an image of numbered colours, as a GIF is, which are all grey."""
    if image.mode != "P":
        return False
    colours = np.reshape(image.getpalette("RGB") or [], (-1, 3))
    return bool((colours == colours[:, :1]).all())


def _pixels(path: Path, mode: str | None) -> np.ndarray:
    """[C, H, W]: 8-bit in a mode of Pillow, or float32 where that is None."""
    with _image(path) as opened:
        image = opened if _orientation(opened) == 1 else ImageOps.exif_transpose(opened)
        if mode is None:
            return np.asarray(image).astype(np.float32)[None]
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        pixels = np.asarray(image.convert(mode))
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _odd(values: list) -> int:
    """The position of the first one that is not as most are."""
    usual = Counter(values).most_common(1)[0][0]
    return next(i for i, value in enumerate(values) if value != usual)


def _check_sizes(folder: Path, files: list[Path], forms: list[_Form]) -> None:
    sizes = [form.size for form in forms]
    if len(set(sizes)) == 1:
        return
    odd = _odd(sizes)
    (height, width), count = Counter(sizes).most_common(1)[0]
    raise UserError(
        f"{files[odd]} is {sizes[odd][0]} × {sizes[odd][1]}, while {count:,} of the {len(files):,} images of {folder} "
        f"are {height} × {width}: bring all to one height and width with --resize, such as {height}x{width}."
    )


def _notes(forms: list[_Form]) -> Iterator[str]:
    colour = sum(form.colour for form in forms)
    if 0 < colour < len(forms):
        yield f"{len(forms) - colour:,} of the images are grey and {colour:,} colour: all are read as colour."
    if alpha := sum(form.alpha for form in forms):
        yield f"The opacity of {alpha:,} images is left out."
    if any(form.deep for form in forms):
        yield "The images have more than 8 bits for each pixel: they are read as real numbers."
    if reduced := sum(form.reduced for form in forms):
        yield f"{reduced:,} colour images have 16 bits for each channel, of which 8 are read."
    if animated := sum(form.frames > 1 for form in forms):
        yield f"{animated:,} files have more than one frame, of which the first is read."

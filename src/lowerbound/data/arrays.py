"""What the shape of an array says about the data in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from lowerbound.data.dataset import Dataset, narrow
from lowerbound.data.rows import Values, blocks, mapped
from lowerbound.data.spool import Made, collected
from lowerbound.errors import UserError

_HALF = 127


def from_array(values: Values, name: str, *, labels: np.ndarray | None = None) -> Dataset:
    """Understand an array: [N, D] vectors, [N, H, W] grey images, [N, H, W, C] or [N, C, H, W] images.

    Args:
        values: Any real type; whole numbers from 0 to 255 become uint8, anything else float32.
        name: Of the data, for errors and the run.
        labels: One for each row: numbers, or text, which becomes names.

    Raises:
        UserError: A shape that is none of these, or values that cannot be learned from.
    """
    values = narrow(values, name)
    if values.ndim < 2:
        raise UserError(
            f"{name} holds {'one number for each row' if values.ndim else 'a single number'}, as labels do: give the "
            "file that holds the images or the columns."
        )
    if values.ndim == 2:
        kind = "vector"
        note = f"A two-dimensional array is read as {len(values):,} vectors of {values.shape[1]:,} numbers."
    elif values.ndim == 3:
        kind, values = "image", mapped(values, lambda rows: rows[:, None])
        note = "A three-dimensional array is read as grey images."
    elif values.ndim == 4:
        kind = "image"
        values, note = _channels_first(values, name)
    else:
        raise UserError(f"{name} has {values.ndim} dimensions {values.shape}: images have three or four, vectors two.")
    values = mapped(values, np.ascontiguousarray)
    maximum, notes = maximum_of(values, kind), (note,)
    if maximum not in (None, 1, 255):
        notes += (f"No pixel is above {maximum}, so the scale is read as 0 to {maximum} (data.maximum sets another).",)
    dataset = Dataset(name, kind, values, maximum, notes=notes)
    return dataset if labels is None else _labelled(dataset, labels)


def maximum_of(values: Values, kind: str) -> int | None:
    """The largest level of the integer scale that values [N, …] lie on: 1 for binary data, 255 for 8-bit images.

    Images that keep to the lower half of a byte, all of them, are on a shorter scale.
    """
    if values.dtype != np.uint8 or not values.size:
        return None
    highest = int(values.max())
    if highest <= 1:
        return 1
    if kind == "vector":
        return None
    return highest if highest <= _HALF else 255


def on_scale(dataset: Dataset, maximum: int) -> Dataset:
    """The dataset with its values read as levels 0 … maximum.

    Raises:
        UserError: Values that are no such levels.
    """
    if dataset.values.dtype != np.uint8 or dataset.values.max() > maximum:
        kind = "real values" if dataset.values.dtype != np.uint8 else f"values up to {dataset.values.max()}"
        raise UserError(f"data.maximum = {maximum} does not fit: {dataset.name} holds {kind}.")
    return replace(dataset, maximum=maximum, notes=(*dataset.notes, f"The scale is 0 to {maximum}, as was asked for."))


def resized(dataset: Dataset, size: tuple[int, int]) -> Dataset:
    """The images brought to a height and a width, with antialiasing.

    Raises:
        UserError: Vectors, or a size below one pixel.
    """
    if dataset.kind != "image":
        raise UserError(f"{dataset.name} holds vectors, which cannot be resized: only images can.")
    shape = (*dataset.values.shape[:2], *checked_size(size))
    # The filter overshoots at edges, beyond what the data can be.
    low, high = dataset.values.min(), dataset.values.max()
    images = (
        np.stack([resized_image(image, size) for image in some]).clip(low, high) for some in blocks(dataset.values)
    )
    values = collected(Made(images, shape, dataset.values.dtype))
    return replace(dataset, values=values, notes=(*dataset.notes, resizing_note(size)))


def resized_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One image [C, h, w], uint8 or float32, as [C, H, W]."""
    height, width = size
    planes = (Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS) for plane in image)
    return np.stack([np.asarray(plane) for plane in planes])


def checked_size(size: tuple[int, int]) -> tuple[int, int]:
    """A height and a width.

    Raises:
        UserError: One of them is below 1.
    """
    if min(size) < 1:
        raise UserError(f"Images cannot be resized to {size[0]} × {size[1]}: height and width must be at least 1.")
    return size


def resizing_note(size: tuple[int, int]) -> str:
    """What is said about resized images."""
    return f"The images were resized to {size[0]} × {size[1]}."


def _channels_first(values: Values, name: str) -> tuple[Values, str]:
    if values.shape[3] in (1, 3, 4):
        alpha = " Its fourth channel, the opacity, is left out." if values.shape[3] == 4 else ""
        channels = min(values.shape[3], 3)
        images = mapped(values, lambda rows: rows[..., :channels].transpose(0, 3, 1, 2))
        return images, f"A four-dimensional array is read as images with the channels last.{alpha}"
    if values.shape[1] in (1, 3):
        return values, "A four-dimensional array is read as images with the channels first."
    raise UserError(f"{name} of shape {values.shape} has no axis of 1, 3 or 4 channels, neither second nor last.")


def _labelled(dataset: Dataset, labels: np.ndarray) -> Dataset:
    count = len(dataset)
    if labels.shape not in ((count,), (count, 1)):
        raise UserError(f"{dataset.name} has {count:,} rows, but its labels have the shape {labels.shape}.")
    labels = labels.reshape(count)
    if labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and (labels == np.rint(labels)).all()):
        return replace(dataset, labels=labels.astype(np.int64))
    if labels.dtype.kind in "US":
        names, codes = np.unique(labels.astype(str), return_inverse=True)
        return replace(dataset, labels=codes.astype(np.int64), label_names=tuple(map(str, names)))
    return replace(dataset, notes=(*dataset.notes, f"Labels of type {labels.dtype} are no classes, and are left out."))

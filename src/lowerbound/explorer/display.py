"""Data as a browser shows it, and what a browser sends as data."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps

from lowerbound.errors import UserError

# What may be decoded: a picture of more pixels than these is no picture of a datum.
_MOST_PIXELS = 40_000_000
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_FAILURES = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


@dataclass(frozen=True)
class Display:
    """How the data of a run is shown."""

    kind: Literal["image", "vector"]
    shape: tuple[int, ...]
    """Of one stored datum: (C, H, W) or (D,)."""
    limits: tuple[float, float]
    """Of images: what is black and what is white."""
    whole: bool
    """Whether the values are levels of an integer scale."""

    @classmethod
    def of(cls, kind: Literal["image", "vector"], limits: tuple[float, float] | None, stored: np.ndarray) -> Display:
        """The display of some data; real-valued pixels are shown from the lowest to the highest that there is.

        Args:
            kind: Of the data.
            limits: What is black and what is white; None: the values are real.
            stored: The data.
        """
        if limits is not None:
            return cls(kind, stored.shape[1:], limits, whole=True)
        low, high = float(stored.min()), float(stored.max())
        return cls(kind, stored.shape[1:], (low, high if high > low else low + 1.0), whole=False)

    @property
    def channels(self) -> int:
        """Of a picture as it is shown: 1 or 3."""
        return 3 if self.kind == "image" and self.shape[0] >= 3 else 1

    def show(self, values: np.ndarray) -> list[Any]:
        """Each datum as JSON: pixels as base64 of H · W · channels bytes, or a vector's numbers.

        Args:
            values: In the data's units, [N, C, H, W] or [N, D].

        Raises:
            UserError: Values that are not finite.
        """
        if not np.isfinite(values).all():
            raise UserError("The decoder's answer at this code is not finite: choose a code nearer to the data.")
        if self.kind == "vector":
            return [[float(f"{value:.6g}") for value in row] for row in values]
        low, high = self.limits
        # Two channels, or an odd number of them, have no colour: their mean is shown.
        shown = values[:, :3] if self.channels == 3 else values.mean(1, keepdims=True)
        pixels = np.clip((shown - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
        return [base64.b64encode(image.tobytes()).decode() for image in pixels.transpose(0, 2, 3, 1)]

    def read_image(self, data: bytes, *, invert: bool) -> tuple[np.ndarray, str]:
        """An image file as one datum [1, C, H, W], and what was done to it in one sentence.

        It is cut to the data's aspect around its middle and brought to its size.

        Args:
            data: The bytes of a file.
            invert: Whether black and white are to be exchanged.

        Raises:
            UserError: The data are no images, or this file is none, is broken, or is of absurd size.
        """
        if self.kind != "image":
            raise UserError("This model is of rows of numbers and not of images: give the numbers of a row.")
        channels, height, width = self.shape
        image = _decoded(data, "RGB" if self.channels == 3 else "L")
        note = f"An image of {image.height} × {image.width} pixels"
        if image.size != (width, height):
            image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
            note += f", cut and brought to {height} × {width}"
        if invert:
            image = ImageOps.invert(image)
            note += ", black and white exchanged"
        pixels = np.asarray(image, np.float32).reshape(height, width, -1).transpose(2, 0, 1)
        planes = pixels if len(pixels) == channels else np.resize(pixels, (channels, height, width))
        return self._stored(planes[None] / 255), f"{note}."

    def read_values(self, values: Sequence[float]) -> np.ndarray:
        """The numbers of a row as one datum [1, D].

        Raises:
            UserError: The data are no vectors, or the row has another length, or numbers that float32 cannot hold.
        """
        if self.kind != "vector":
            raise UserError("This model is of images and not of rows of numbers: give an image.")
        if len(values) != self.shape[0]:
            raise UserError(f"A row of this data has {self.shape[0]:,} numbers, and {len(values):,} were given.")
        with np.errstate(over="ignore"):
            row = np.asarray([values], np.float32)
        if not np.isfinite(row).all():
            raise UserError("A row must hold finite numbers of the size that float32 has.")
        return row

    def _stored(self, unit: np.ndarray) -> np.ndarray:
        """Values in [0, 1] on the data's scale."""
        low, high = self.limits
        values = low + unit * (high - low)
        return values.round().astype(np.uint8) if self.whole else values.astype(np.float32)


def _decoded(data: bytes, mode: str) -> Image.Image:
    """An image file in one mode of Pillow, upright, on black where it is transparent."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            # Known from the header, before a pixel is decoded.
            if image.width * image.height > _MOST_PIXELS:
                raise UserError(
                    f"An image of {image.height:,} × {image.width:,} pixels is too large: {_MOST_PIXELS:,} at most."
                )
            upright = ImageOps.exif_transpose(image)
            if upright.mode in ("LA", "PA", "RGBA") or "transparency" in upright.info:
                flat = Image.new("RGBA", upright.size, "black")
                upright = Image.alpha_composite(flat, upright.convert("RGBA"))
            return upright.convert("RGB").convert(mode)
    except UserError:
        raise
    except _FAILURES:
        raise UserError("This is no image that can be read: give a PNG, JPEG, WebP, GIF or BMP.") from None

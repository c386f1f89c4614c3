"""Many images in one."""

from __future__ import annotations

import math

import numpy as np


def tile(
    images: np.ndarray, columns: int | None = None, *, gap: int = 0, background: float | None = None
) -> np.ndarray:
    """Lay images out row by row.

    Args:
        images: [N, C, H, W]; grey (C = 1), RGB (3) or RGBA (4), of any type.
        columns: Images in a row; None: so that the whole comes near to a square.
        gap: Pixels between neighbours.
        background: Value of the gaps, and of what remains of the last row; None: white, which is 255 for integers and
            1 for the rest.

    Returns:
        [H', W'] if the images are grey, else [H', W', C], of the type of the images.

    Raises:
        ValueError: No images, not of that shape, another number of channels, or fewer than one column.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3, 4) or 0 in images.shape:
        raise ValueError(f"Images have the shape [N, C, H, W] with C = 1, 3 or 4, not {list(images.shape)}.")
    count, channels, height, width = images.shape
    if columns is None:
        columns = _near_square(count, height + gap, width + gap)
    if columns < 1:
        raise ValueError(f"There must be at least one column, not {columns}.")
    rows = math.ceil(count / columns)
    if background is None:
        background = 255 if np.issubdtype(images.dtype, np.integer) else 1
    cells = np.full((rows * columns, height + gap, width + gap, channels), background, images.dtype)
    cells[:count, :height, :width] = images.transpose(0, 2, 3, 1)
    sheet = cells.reshape(rows, columns, height + gap, width + gap, channels).swapaxes(1, 2)
    sheet = sheet.reshape(rows * (height + gap), columns * (width + gap), channels)
    sheet = sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap]
    return sheet[..., 0] if channels == 1 else sheet


def _near_square(count: int, height: int, width: int) -> int:
    """Columns that make the sheet near to a square; rather a bit wider than with a last row half empty."""
    ideal = min(count, max(1, round(math.sqrt(count * height / width))))
    full = [columns for columns in range(1, count + 1) if count % columns == 0 and 0.8 <= columns / ideal <= 1.7]
    return min(full, key=lambda columns: abs(math.log(columns / ideal)), default=ideal)

"""The steps in which a DRAW paints, as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from lowerbound.errors import UserError
from lowerbound.explorer.display import Display
from lowerbound.models import DRAW
from lowerbound.nn.attention import Attention, Window
from lowerbound.trained import Painted, Trained


@torch.inference_mode()
def follow(
    trained: Trained, display: Display, code: Float[np.ndarray, "1 D"], labels: Int[np.ndarray, " 1"] | None
) -> dict[str, Any]:
    """How the picture of a code comes to be.

    Args:
        trained: The model, with its preparation.
        display: Of its data.
        code: The code.
        labels: What the model is told.

    Raises:
        UserError: The model paints all at once.
    """
    model = _painter(trained)
    z = torch.from_numpy(code).to(trained.device)
    canvas, read, write = model.follow(z, context=trained.context(labels))
    means = trained.preparation.restore(model.likelihood(canvas[:, 0]).mean).float().cpu().numpy()
    windows = (window and Window(*(value.T for value in window)) for window in (read, write))
    return shown(display, trained, Painted(means[None], *windows))


def shown(display: Display, trained: Trained, painted: Painted) -> dict[str, Any]:
    """The canvases of one datum after each step, and the windows through which the step read and wrote."""
    model = _painter(trained)
    return {
        "pictures": display.show(painted.canvases[0]),
        "read": _placed(painted.read, model.reader.attention),
        "write": _placed(painted.write, model.writer.attention),
    }


def _painter(trained: Trained) -> DRAW:
    if isinstance(trained.model, DRAW):
        return trained.model
    raise UserError("This model paints all at once: only a DRAW has steps to look at.")


def _placed(window: Window | None, attention: Attention | None) -> list[list[float]] | None:
    """For each step: column and row of the window's centre counted from 0, its side in pixels, and each filter's σ."""
    if window is None or attention is None:
        return None
    side = (attention.size - 1) * window.stride + 1
    numbers = torch.stack([window.x - 1, window.y - 1, side, window.sigma], -1)[0]
    return [[float(f"{value:.4g}") for value in row] for row in numbers.tolist()]

"""The learning curves of a run as a file: one line of JSON for each epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowerbound.errors import UserError
from lowerbound.files import write_text


class Metrics:
    """`metrics.jsonl`.

    Args:
        path: Of the file, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last_epoch: int | None = None

    def entries(self) -> list[dict[str, Any]]:
        """Its lines, one for each epoch; a last line that was not finished is left out.

        Raises:
            UserError: The file is damaged.
        """
        if not self.path.exists():
            return []
        lines = self.path.read_text("utf-8", errors="replace").splitlines(keepends=True)
        entries: list[dict[str, Any]] = []
        for number, line in enumerate(lines, start=1):
            if number == len(lines) and not line.endswith("\n"):
                break
            try:
                entry = json.loads(line)
                entry["epoch"]
            except (json.JSONDecodeError, KeyError, TypeError):
                raise UserError(
                    f"{self.path} is damaged in line {number}: delete that line, or the whole file."
                ) from None
            entries.append(_restored(entry))
        return entries

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add the line of an epoch.

        Where that epoch was reported before, its line and later ones are replaced: a resume reports again what came
        after the last saved state.

        Raises:
            UserError: It cannot be written.
        """
        line = _as_line(entry)
        if self._last_epoch == entry["epoch"] - 1:
            try:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(line)
            except OSError as error:
                raise UserError(f"Cannot write {self.path} ({error.strerror}): free some space.") from error
        else:
            kept = [_as_line(one) for one in self.entries() if one["epoch"] < entry["epoch"]]
            write_text(self.path, "".join([*kept, line]))
        self._last_epoch = entry["epoch"]


def _as_line(entry: Mapping[str, Any]) -> str:
    """JSON, with null for what is no number."""
    finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()}
    return json.dumps(finite, allow_nan=False) + "\n"


def _restored(entry: dict[str, Any]) -> dict[str, Any]:
    """The numbers that null stands for, where it does not mean that there was no validation.

    A rate without a number beside a distortion is the infinite one of a deterministic encoder; a mean of an epoch
    without any is NaN.
    """
    for prefix in ("", "validation_"):
        if entry.get(f"{prefix}distortion") is not None and entry.get(f"{prefix}rate", 0.0) is None:
            entry[f"{prefix}rate"] = math.inf
    for mean in ("loss", "distortion", "rate", "gradient_norm"):
        if entry.get(mean, 0.0) is None:
            entry[mean] = math.nan
    return entry

"""Nearest names for a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from lowerbound.errors import UserError


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that nothing bears, with the nearest names that something does.

    Args:
        what: What was looked for, such as "likelihood" or "setting of the recipe".
        name: The name as the user wrote it.
        known: Every name that would have been right.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}."
    return UserError(f"Unknown {what} '{name}': {hint}")

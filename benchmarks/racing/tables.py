"""Tables in Markdown, and their place in a page between two markers, so that nobody types a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lowerbound.errors import UserError
from lowerbound.files import write_text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def thousands(value: float) -> str:
    """Three digits that count, with separators: 19,200."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """In the unit that suits: 5.2 s, 12 min, 3.1 h."""
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"


def publish(page: Path, kind: str, name: str, text: str, *, quick: bool) -> None:
    """Print a text, and put it into its page unless it only checks that everything works.

    Raises:
        UserError: The page has no markers for it.
    """
    print(f"## {name}\n\n{text}\n", flush=True)
    if not quick:
        put_between_markers(page, kind, name, text)


def put_between_markers(page: Path, kind: str, name: str, text: str) -> None:
    """Replace what is between `<!-- KIND:NAME -->` and the next `<!-- end -->`; everything else stays.

    Raises:
        UserError: The page has no such markers.
    """
    start = f"<!-- {kind}:{name} -->"
    pattern = re.compile(f"({re.escape(start)}\n).*?(<!-- end -->)", re.DOTALL)
    whole = page.read_text(encoding="utf-8")
    if len(pattern.findall(whole)) != 1:
        raise UserError(f"{page} needs the lines {start} and <!-- end --> once, for the table to go between.")
    write_text(page, pattern.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", whole))

"""Commands that write pages about runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lowerbound.cli.shared import RunPath
from lowerbound.console import out
from lowerbound.outputs import check_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowerbound.report import Row

_PAGES = (".html",)


def report(
    run: RunPath,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to.", show_default="report.html in the run")
    ] = None,
) -> None:
    """Write a page about a run: what was fitted, how well, pictures, warnings, and how to do it again."""
    from lowerbound.files import make_directory
    from lowerbound.run import Run

    opened = Run.open(run)
    if output is None:
        make_directory(opened.drawn)
    path = check_output(output or opened.report, _PAGES)
    from lowerbound.experiment import subject_of
    from lowerbound.illustrate import suited
    from lowerbound.report import write_report

    subject = subject_of(opened)
    out.print(f"Report: {write_report(subject, dict(suited(subject)), path)}", markup=False)


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN …", help="Directories of runs.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to.")] = Path("compare.html"),
) -> None:
    """Set runs side by side: settings that differ, figures, curves over each other, pictures."""
    from lowerbound.run import Run

    opened = [Run.open(run) for run in runs]
    check_output(output, _PAGES)
    from lowerbound.experiment import subject_of
    from lowerbound.report import compare, write_comparison

    compared = compare(opened)
    console = Console(highlight=False)
    console.print(_table("settings that differ", compared.names, compared.settings))
    console.print(_table("\nfigures", compared.names, compared.figures))
    for caveat in compared.caveats:
        out.print(f"[yellow]Warning:[/yellow] {escape(caveat)}")
    out.print(f"Page: {write_comparison([subject_of(run) for run in opened], output)}", markup=False)


def _table(title: str, names: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in (title, *names):
        table.add_column(escape(name), overflow="fold")
    for row in rows:
        table.add_row(escape(row.name), *map(escape, row.values))
    return table

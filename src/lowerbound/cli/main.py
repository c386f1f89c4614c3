"""The entry point of the command line, and what a mistake gets."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from lowerbound.cli.catalogue import datasets, recipes
from lowerbound.cli.explore import explore, export
from lowerbound.cli.fit import evaluate, fit
from lowerbound.cli.lecture import lecture
from lowerbound.cli.pictures import figure
from lowerbound.cli.report import compare, report
from lowerbound.cli.use import encode, reconstruct, sample, score
from lowerbound.console import out
from lowerbound.errors import UserError

_COMMANDS = (
    fit,
    evaluate,
    sample,
    encode,
    reconstruct,
    score,
    figure,
    report,
    compare,
    explore,
    export,
    lecture,
    recipes,
    datasets,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for _command in _COMMANDS:
    app.command()(_command)


def main() -> NoReturn:
    """The entry point: a user's mistake is one sentence and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except UserError as error:
        _fail(str(error))
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        out.print("\nInterrupted.")
        sys.exit(130)
    except BrokenPipeError:  # somebody reads only the first lines: `lowerbound recipes | head`
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        # What the parser of the command line refuses; anything else is a fault of ours and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())  # pyright: ignore[reportAttributeAccessIssue]


def _fail(message: str) -> NoReturn:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]Error:[/red] {escape(message)}")
    sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        out.print(f"lowerbound {version('lowerbound')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Deep latent-variable models, learned with the variational lower bound."""

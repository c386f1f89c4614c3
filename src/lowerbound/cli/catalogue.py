"""Commands that list what has a name: recipes and data sets."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lowerbound.console import out


def recipes(name: Annotated[str | None, typer.Argument(help="Show one as TOML.", show_default=False)] = None) -> None:
    """List the recipes, or show one."""
    from lowerbound.recipes import find_recipe, recipes

    if name is not None:
        from lowerbound.config import Config

        found = find_recipe(name)
        out.print(escape(f"# {found.title}. {found.description}\n# {found.paper} ({found.year}), {found.url}\n"))
        out.print(escape(Config.load(name).to_toml()))
        return
    table = Table("recipe", "what it is", "paper", box=None, pad_edge=False)
    for recipe in recipes():
        published = f"\nPublished: {recipe.published}" if recipe.published else ""
        what = f"{recipe.title}. {recipe.description}{published}"
        table.add_row(recipe.name, escape(what), escape(f"{recipe.paper} ({recipe.year})"))
    Console(highlight=False).print(table)


def datasets() -> None:
    """List the data sets that have a name."""
    from lowerbound.data import datasets

    table = Table("name", "what it is", "where", box=None, pad_edge=False)
    for named in datasets():
        what = f"{named.title}: {named.contents}. {named.reference}"
        table.add_row(named.name, escape(what), escape(named.place or "not here yet"))
    Console(highlight=False).print(table)
    out.print("Or a path: .npy, .npz, IDX (gzip'd or not), .csv, .parquet, or a folder of images.")

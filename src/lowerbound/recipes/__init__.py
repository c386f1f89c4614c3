"""Recipes: one TOML for each model, with its reference and the figure that was published for it.

A recipe is an overlay on the defaults of `lowerbound.config`; its `[recipe]` table says where the model comes from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from lowerbound.errors import UserError
from lowerbound.names import unknown


@dataclass(frozen=True)
class Recipe:
    """A named set of settings and where it comes from."""

    name: str
    title: str = ""
    description: str = ""
    paper: str = ""
    year: int | None = None
    url: str = ""
    published: str = ""
    """The figure that the paper prints for this model, with its protocol; empty where it prints none."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The tables of the file, without `[recipe]`."""
    source: str = ""
    """The file in words, for errors."""


def recipes() -> tuple[Recipe, ...]:
    """Every recipe that comes with the library, in order of name."""
    files = sorted(_files().items())
    return tuple(_parse(path.read_text("utf-8"), name, f"the recipe '{name}'") for name, path in files)


def find_recipe(name: str | Path) -> Recipe:
    """The recipe of that name, or the one in that file.

    Args:
        name: A name that `recipes` lists, or the path of a TOML file (it ends in `.toml`, or has a directory in it).

    Raises:
        UserError: No such name (the nearest ones are given) or file, or the file is not a recipe: with file, line and
            reason.
    """
    path = Path(name)
    if isinstance(name, str) and path.suffix != ".toml" and len(path.parts) == 1:
        files = _files()
        if name not in files:
            raise unknown("recipe", name, files)
        return _parse(files[name].read_text("utf-8"), name, f"the recipe '{name}'")
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise UserError(f"There is no recipe file {path}.") from None
    except OSError as error:
        raise UserError(f"The recipe file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"The recipe file {path} is not UTF-8 text.") from None
    return _parse(text, path.stem, f"the recipe file {path}")


def _files() -> dict[str, Any]:
    folder = resources.files(__name__)
    return {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}


def _parse(text: str, name: str, source: str) -> Recipe:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{source[0].upper()}{source[1:]} is not valid TOML: {error}.") from None
    about = tables.pop("recipe", {})
    if not isinstance(about, dict):
        raise UserError(f"[recipe] in {source} must be a table, it is {about!r}.")
    known = {entry.name: entry for entry in fields(Recipe) if entry.name not in ("name", "settings", "source")}
    for key, value in about.items():
        if key not in known:
            raise unknown(f"entry of [recipe] in {source}", key, known)
        kind = int if key == "year" else str
        if not isinstance(value, kind):
            wanted = "a number" if kind is int else "text"
            raise UserError(f"recipe.{key} in {source} must be {wanted}, it is {value!r}.")
    return Recipe(name, settings=tables, source=source, **about)

"""How a run is made again: the command with every setting that its recipe does not say."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import tomlkit

from lowerbound.config import Config
from lowerbound.errors import UserError
from lowerbound.recipes import find_recipe
from lowerbound.run import Run


def command(run: Run) -> str | None:
    """The command line that makes a run again; None where its recipe is a user's file, or its data came from Python."""
    if not run.source.source or recipe_of(run.config) is None:
        return None
    words = ["lowerbound", "fit", run.source.source, "--recipe", run.config.recipe]
    for name, value in changed(run.config):
        words += ["--set", f"{name}={_written(value)}"]
    return shlex.join(words)


def recipe_of(config: Config) -> Any:
    """The recipe of the library that a configuration began from; None where it was another one."""
    try:
        recipe = find_recipe(config.recipe)
    except UserError:
        return None
    return recipe if recipe.source == f"the recipe '{recipe.name}'" else None


def changed(config: Config) -> list[tuple[str, Any]]:
    """Every setting that is not as the recipe has it: full name and value."""
    return list(_differences(Config.load(config.recipe).plain(), config.plain(), ""))


def flat(config: Config) -> dict[str, Any]:
    """Every setting by its full name; a part's name stands under the name of the part."""
    return dict(_leaves(config.plain(), ""))


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            if "name" in value:
                yield f"{prefix}{key}", value["name"]
            yield from _leaves({k: v for k, v in value.items() if k != "name"}, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _differences(base: Mapping[str, Any], tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if value == base.get(key):
            continue
        if not isinstance(value, Mapping):
            yield name, value
        elif "name" not in value:
            yield from _differences(base[key], value, f"{name}.")
        elif value["name"] != base[key]["name"] or base[key].keys() - value.keys():
            yield from _leaves({key: value}, prefix)  # another part, with none of the settings of the first
        else:
            yield from _differences(base[key], value, f"{name}.")


def _written(value: Any) -> str:
    """A value as `--set` takes it: words as they are, unless TOML would read something else in them."""
    if isinstance(value, str):
        try:
            tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError:
            if value[:1] not in tuple("[{\"'") and value == value.strip():
                return value
    return tomlkit.item(value).as_string()

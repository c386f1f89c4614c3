"""Parts: what the configuration names, and how a name becomes an object.

A part is a name and its settings, `{ name = "gaussian", variance = "learned" }`; the bare name is a part without
settings. The class that bears the name declares its own settings in the signature of its `__init__`, so that a new
class needs one line in the table of its own file and nothing anywhere else. The word "none" is for None.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import pydantic

from lowerbound.errors import UserError
from lowerbound.names import unknown

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """A name with its settings, as the configuration gives it."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: str | Mapping[str, Any] | Part, where: str) -> Part:
        """Read a part from the configuration: a bare name, or a table with a `name`.

        Args:
            value: The name, the table, or a part (which is returned as it is).
            where: The setting's full name, for the error.

        Raises:
            UserError: The value is neither, or the table has no name.
        """
        match value:
            case Part():
                return value
            case str():
                return cls(value)
            case Mapping() if isinstance(value.get("name"), str):
                return cls(value["name"], {key: entry for key, entry in value.items() if key != "name"})
        raise UserError(f"{where} must be a name, or a table with a name and settings; it is {value!r}.")

    def plain(self) -> dict[str, Any]:
        """The table that `parse` reads back."""
        return {"name": self.name, **self.settings}


def lookup(part: Part, table: Mapping[str, Callable[..., T]], where: str) -> Callable[..., T]:
    """The class or function that a part names.

    Raises:
        UserError: Nothing in the table bears the name; the nearest names are given.
    """
    if part.name not in table:
        raise unknown(where, part.name, table)
    return table[part.name]


def build(part: Part, table: Mapping[str, Callable[..., T]], where: str, /, *given: Any, **offered: Any) -> T:
    """Make the object that a part names.

    Args:
        part: The name and the settings.
        table: Every name with its class or function.
        where: The setting's full name, such as `model.likelihood`, for errors.
        *given: Leading positional arguments that the library supplies (shapes, say) and a configuration cannot.
        **offered: The same by keyword, for those that declare a parameter of that name.

    Raises:
        UserError: An unknown name or setting (with the nearest names), a setting of the wrong type or out of range.
    """
    make = lookup(part, table, where)
    function = make.__init__ if inspect.isclass(make) else make
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(make).parameters.values())[len(given) :]
    taken = {p.name: offered[p.name] for p in parameters if p.name in offered}
    own = {p.name: p for p in parameters if p.name not in taken and p.kind is not p.VAR_KEYWORD}
    for name in part.settings:
        if name not in own:
            raise unknown(f"setting of {where} '{part.name}'", name, own)
    settings = {}
    for name, value in part.settings.items():
        if value == "none" and NoneType in get_args(hints.get(name)):
            settings[name] = None
            continue
        try:
            adapter = pydantic.TypeAdapter(hints.get(name, Any), config={"arbitrary_types_allowed": True})
            settings[name] = adapter.validate_python(value)
        except pydantic.ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise UserError(f"{where}.{name} = {value!r} does not fit: {reason}.") from None
    missing = [
        n for n, p in own.items() if p.default is p.empty and n not in settings and p.kind is not p.VAR_POSITIONAL
    ]
    if missing:
        raise UserError(f"{where} '{part.name}' needs the setting {missing[0]}.")
    try:
        return make(*given, **taken, **settings)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{where} '{part.name}': {error}") from None

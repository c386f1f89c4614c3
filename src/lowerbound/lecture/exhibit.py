"""What a figure of the lecture consists of: its words, the code that is shown and run, and how the result is drawn."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from lowerbound.lecture.workshop import Workshop

T = TypeVar("T")


@dataclass(frozen=True)
class Exhibit(Generic[T]):
    """One figure."""

    name: str
    """Of its file, and of its place on the page."""
    title: str
    see: tuple[str, str, str]
    """Three sentences that say what to see."""
    equation: str
    """In the notation of `equations.to_mathml`."""
    alt: str
    """The figure in words."""
    code: Callable[..., T]
    """What is run, and shown."""
    given: Callable[[Workshop], tuple[Any, ...]]
    """Its arguments."""
    draw: Callable[[T], Figure]
    """From what it returned to the figure."""
    before: Callable[..., Any] | None = None
    """What made one of the arguments, and is shown before the code."""
    needs: str | None = None
    """Name of the data set without which there is no figure."""

    def shown(self) -> str:
        """The code that is run: the function as it stands in its file, behind the imports that it needs."""
        sources = [inspect.getsource(part) for part in (self.before, self.code) if part]
        used = {node.id for node in ast.walk(ast.parse("".join(sources))) if isinstance(node, ast.Name)}
        imports = _imports(sys.modules[self.code.__module__], used - {self.code.__name__})
        return "\n\n".join(["\n".join([*imports, ""]), *sources])


@dataclass(frozen=True)
class Slide:
    """One idea of the lecture, and the figures that show it."""

    title: str
    said: str
    """What the lecture says."""
    exhibits: tuple[Exhibit[Any], ...]


def _imports(module: Any, names: set[str]) -> list[str]:
    """What binds some names: the import statements of a module reduced to these, and one of what it defines itself."""
    lines, own = [], []
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            wanted = [alias for alias in statement.names if (alias.asname or alias.name) in names]
            if wanted:
                lines.append(ast.unparse(_reduced(statement, wanted)))
        elif isinstance(statement, ast.ClassDef) and statement.name in names:
            own.append(statement.name)
    return [*lines, f"from {module.__name__} import {', '.join(own)}"] if own else lines


def _reduced(statement: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.stmt:
    if isinstance(statement, ast.Import):
        return ast.Import(names)
    return ast.ImportFrom(statement.module, names, statement.level)

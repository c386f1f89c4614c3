"""From a template and facts to one file of HTML. Everything that is filled in is escaped."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=PackageLoader("lowerbound.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, **facts: Any) -> str:
    """The page.

    Args:
        template: The name of its file in `templates/`.
        **facts: What it speaks of.
    """
    return _ENVIRONMENT.get_template(template).render(**facts)

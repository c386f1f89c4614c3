"""The papers behind every part that a run used.

They stand where the parts do: in the `References:` of a class's docstring, or of the file that it is in. Addresses of
papers stand in the recipes, and are found by the title.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from torch.distributions import Distribution, Independent

from lowerbound import evaluation
from lowerbound.config import Config
from lowerbound.data import datasets
from lowerbound.errors import UserError
from lowerbound.models import LatentModel, Trace
from lowerbound.objectives import OBJECTIVES, gradients
from lowerbound.recipes import find_recipe, recipes
from lowerbound.training import adam

_AUTHORS = r"(?P<authors>(?:[^,]+, )*[^,]+ and [^,]+|[^,]+)"
_WHOLE = re.compile(rf"{_AUTHORS}, (?P<title>.+?), (?P<year>\d{{4}})\b")
_SHORT = re.compile(r"(?P<authors>[^,]+?) (?P<year>\d{4})\b")


class Citation(NamedTuple):
    """A paper, and what it was used for."""

    authors: str
    title: str
    year: int | None
    url: str
    uses: tuple[str, ...]
    """The parts that rest on it: "prior", "objective", …"""


def citations(config: Config, model: LatentModel, trace: Trace, source: str = "") -> tuple[Citation, ...]:
    """The references of everything that a run used, each once, in the order of use.

    Args:
        config: Of the run.
        model: Its model.
        trace: One of that model, which says by which distributions it is.
        source: The name of its data set, where it has one.
    """
    found: list[Citation] = []
    for use, citation in _all(config, model, trace, source):
        same = [i for i, one in enumerate(found) if _same(one.title, citation.title)]
        if same:
            one = found[same[0]]
            uses = one.uses if use in one.uses else (*one.uses, use)
            # The longer title is the one with its subtitle.
            title = max(one.title, citation.title, key=len)
            found[same[0]] = one._replace(title=title, url=one.url or citation.url, uses=uses)
        else:
            found.append(citation._replace(uses=(use,), url=citation.url or _address(citation.title)))
    return tuple(found)


def _all(config: Config, model: LatentModel, trace: Trace, source: str) -> Iterator[tuple[str, Citation]]:
    try:
        recipe = find_recipe(config.recipe)
    except UserError:  # a file of the user's, which may not be there any more
        recipe = None
    if recipe is not None and recipe.paper:
        authors, _, title = recipe.paper.partition(": ")
        yield "recipe", Citation(authors, title, recipe.year, recipe.url, ())
    objective = OBJECTIVES[config.objective.name]
    parts: list[tuple[str, Any]] = [("model", type(model))]
    for name, module in model.named_modules():
        parts.append((_role(name), type(module)))
    parts += [("likelihood", family) for family in _families(trace.likelihood)]
    for latent in trace.latents:
        parts += [("posterior", family) for family in _families(latent.posterior)]
        parts += [("prior", family) for family in _families(latent.prior)]
    parts += [("objective", objective), ("optimizer", adam)]
    if trace.has_bound:
        parts += [("evaluation", evaluation.importance_sampling), ("evaluation", evaluation.diagnostics)]
    for use, part in parts:
        yield from ((use, citation) for citation in references(part))
    estimator = str(config.objective.settings.get("gradient", "")).replace("-", " ")
    for citation in references(gradients) if estimator else ():
        if citation.title.lower().startswith(estimator):
            yield "gradient", citation
    for named in datasets():
        if named.name == source:
            yield "data", _whole(named.reference) or Citation("", named.reference, None, "", ())


def references(part: Any) -> tuple[Citation, ...]:
    """The papers in the docstring of a class of this library or of one that it inherits from; else in that of its file.

    Functions and modules have theirs too.

    A short form, "Kim and Mnih 2018, equation 2", is one that the file's docstring has in full.
    """
    homes = []
    for one in part.__mro__ if inspect.isclass(part) else (part,):
        home = one if inspect.ismodule(one) else sys.modules[one.__module__]
        if not home.__name__.startswith("lowerbound."):
            break
        homes.append(home)
        if own := _entries(one.__doc__):
            whole = tuple(_parsed(_entries(home.__doc__)))
            return tuple(_parsed(own, whole))
    return tuple(_parsed(_entries(homes[0].__doc__))) if homes else ()


def _role(name: str) -> str:
    """What a module of a model is for, by the first part of its path."""
    if not name:
        return "model"
    kind = name.split(".")[0]
    if name.split(".")[1:2] == ["head"]:
        return {"encoder": "posterior", "decoder": "likelihood"}.get(kind, "network")
    return kind if kind in ("prior", "likelihood") else "network"


def _families(distribution: Distribution) -> Iterator[type]:
    """The class of a distribution, and of what it is made of."""
    yield type(distribution)
    if isinstance(distribution, Independent):
        yield from _families(distribution.base_dist)


def _entries(docstring: str | None) -> list[str]:
    """What stands under `References:`, one paper each."""
    _, there, rest = inspect.cleandoc(docstring or "").partition("\nReferences:\n")
    entries: list[str] = []
    begun = False
    for line in rest.splitlines() if there else ():
        if not line.startswith("    "):
            break
        entries[-1:] = [f"{entries[-1]} {line.strip()}"] if begun else [*entries[-1:], line.strip()]
        begun = not line.endswith(".")
    return entries


def _parsed(entries: Iterable[str], in_full: Iterable[Citation] = ()) -> Iterator[Citation]:
    """The entries that are papers; a short one is looked up among those in full."""
    for entry in entries:
        citation = _whole(entry) or _among(entry, in_full)
        if citation is not None:
            yield citation


def _whole(entry: str) -> Citation | None:
    match = _WHOLE.match(entry)
    return match and Citation(match["authors"], match["title"], int(match["year"]), "", ())


def _among(entry: str, in_full: Iterable[Citation]) -> Citation | None:
    match = _SHORT.match(entry)
    if match is None:
        return None
    first = re.split(r" et al\.| and |, ", match["authors"])[0]
    fits = (one for one in in_full if one.year == int(match["year"]) and one.authors.startswith(first))
    return next(fits, None)


def _address(title: str) -> str:
    """Where a paper is, if a recipe says so."""
    return next((one.url for one in recipes() if _same(one.paper.partition(": ")[2], title)), "")


def _same(one: str, other: str) -> bool:
    """Whether two titles are of one paper; a subtitle may be missing."""
    one, other = sorted((one.lower(), other.lower()), key=len)
    return bool(one) and other.startswith(one)

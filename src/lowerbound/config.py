"""The configuration: frozen dataclasses, the one truth of every setting.

Defaults are overlaid by a recipe, and that by single settings: `Config.load("vae", ["model.latent_dim=2"])`. TOML is
the one form in which settings are written. It has no null: the word "none" stands for it.
"""

from __future__ import annotations

import json
import numbers
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_type_hints

import tomlkit
from pydantic import Field, TypeAdapter, ValidationError

from lowerbound.errors import UserError
from lowerbound.names import unknown
from lowerbound.parts import Part
from lowerbound.recipes import find_recipe
from lowerbound.training.settings import TrainingSettings

T = TypeVar("T")

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
# A number of rows, or a share of them.
Rows = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class DataSettings:
    """How the data is read, split and prepared."""

    validation: Rows | Literal["auto"] = "auto"
    """Rows (or the share of rows) that early stopping and the learning curves look at; auto: a tenth, at most 1,000."""
    test: Rows | Literal["auto"] = "auto"
    """Rows (or the share of rows) that only the final figures see; auto: the source's own test set, else a fifth."""
    split_seed: Seed | None = None
    """Seed of the split and of the binarised validation and test sets; none: the seed of the run."""
    binarisation: Literal["auto", "dynamic", "static", "none"] = "auto"
    """For a Bernoulli likelihood: pixels drawn anew at every step, drawn once, or binary as they are stored."""
    resize: tuple[Count, Count] | None = None
    """Height and width that images are brought to."""
    maximum: Annotated[int, Field(ge=1, le=255)] | None = None
    """Largest level of the scale that whole numbers are on; none: what the values look like."""


@dataclass(frozen=True)
class ModelSettings:
    """Which distributions the model is made of."""

    family: Part = Part("vae")
    """vae: of a network, a posterior and a prior; draw: with networks, posterior and prior of its own."""
    condition: Literal["none", "label"] = "none"
    """label: of a conditional model, p(x | z, c), where c is the label of each datum."""
    latent_dim: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Dimension of z; of DRAW, in each step."""
    network: Part = Part("mlp")
    """Of the encoder; the decoder is its mirror image."""
    posterior: Part = Part("diagonal-gaussian")
    prior: Part = Part("standard-normal")
    likelihood: Part = Part("auto")
    """auto: what suits the data (`lowerbound.data.recommend_likelihood`)."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What a fit computes when it has ended."""

    particles: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Importance samples for each datum, K."""
    examples: Count | None = 1000
    """Test data that the importance-sampled figures are computed on, the first ones; none: all."""


@dataclass(frozen=True)
class Config:
    """Every setting of a run."""

    recipe: str = "vae"
    """Name of the recipe that the settings began from."""
    seed: Seed = 0
    """Of everything random: the weights, the order of the batches, every draw."""
    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    objective: Part = Part("elbo")
    training: TrainingSettings = field(default_factory=TrainingSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)

    def __post_init__(self) -> None:
        """Check every setting, wherever it comes from; a section may be given as a table.

        Raises:
            UserError: A value that does not fit, with the full name of the setting.
        """
        for key in _hints(Config):
            object.__setattr__(self, key, _fit(Config, key, getattr(self, key), key))

    @classmethod
    def load(cls, recipe: str | Path = "vae", overrides: Iterable[str] | Mapping[str, Any] = ()) -> Self:
        """The defaults, overlaid by a recipe, overlaid by single settings.

        Args:
            recipe: Name of a recipe, or path of a TOML file.
            overrides: `["model.latent_dim=2", …]`, each value as TOML writes it or a bare word, or the same as a
                mapping from full names to values. A part (`model.likelihood=gaussian`) replaces the part that was
                there, and `model.likelihood.variance=learned` sets one setting of it, whichever comes first. Later
                ones win.

        Raises:
            UserError: No such recipe or setting (with the nearest names), or a value that does not fit.
        """
        found = find_recipe(recipe)
        tree = cls().plain()
        _overlay(tree, {"recipe": found.name, **found.settings}, cls, "", f" in {found.source}")
        return cls(**tree).overlaid(overrides)

    def overlaid(self, overrides: Iterable[str] | Mapping[str, Any]) -> Self:
        """This configuration with single settings changed, which are given as to `load`.

        Raises:
            UserError: No such setting (with the nearest names), or a value that does not fit.
        """
        tree = self.plain()
        named = overrides.items() if isinstance(overrides, Mapping) else [_parse_override(text) for text in overrides]
        for name, value in sorted(named, key=lambda pair: pair[0].count(".")):
            _overlay(tree, _nested(name, value), type(self), "", "")
        return type(self)(**tree)

    @classmethod
    def from_plain(cls, tree: Mapping[str, Any], source: str) -> Self:
        """The configuration that `plain` wrote; what is missing has its default.

        Args:
            tree: Tables of settings.
            source: Where they come from, for errors.

        Raises:
            UserError: An unknown setting, or a value that does not fit.
        """
        whole = cls().plain()
        _overlay(whole, tree, cls, "", f" in {source}")
        return cls(**whole)

    @classmethod
    def from_toml(cls, text: str, source: str = "the configuration") -> Self:
        """The configuration that `to_toml` wrote.

        Raises:
            UserError: Not valid TOML, an unknown setting, or a value that does not fit.
        """
        try:
            return cls.from_plain(tomllib.loads(text), source)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{source} is not valid TOML: {error}.") from None

    def plain(self) -> dict[str, Any]:
        """Nested tables of what TOML can hold."""
        return _plain(self)

    def to_toml(self) -> str:
        """The text that `from_toml` reads back, equal in every setting."""
        return tomlkit.dumps(self.plain())


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _is_section(hint: Any) -> bool:
    return is_dataclass(hint) and hint is not Part


def _names(cls: type, prefix: str = "") -> Iterator[str]:
    """The full name of every setting."""
    for entry in fields(cls):
        hint = _hints(cls)[entry.name]
        if _is_section(hint):
            yield from _names(hint, f"{prefix}{entry.name}.")
        else:
            yield f"{prefix}{entry.name}"


def _parse_override(text: str) -> tuple[str, Any]:
    name, equals, value = (piece.strip() for piece in text.partition("="))
    if not equals or not all(name.split(".")):
        raise UserError(f"A setting is given as NAME=VALUE, such as model.latent_dim=2, not as '{text}'.")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        if value[:1] in tuple("[{\"'"):
            raise UserError(f"The value of {name} is not valid TOML: {value} ({error}).") from None
        return name, value


def _nested(name: str, value: Any) -> dict[str, Any]:
    for key in reversed(name.split(".")):
        value = {key: value}
    return value


def _first_leaf(name: str, value: Any) -> str:
    """The full name of the first setting in a table, which is nearer to a known one than the table's own name."""
    while isinstance(value, Mapping) and value:
        key, value = next(iter(value.items()))
        name = f"{name}.{key}"
    return name


def _overlay(tree: dict[str, Any], table: Mapping[str, Any], cls: type, prefix: str, source: str) -> None:
    """Put the settings of `table` over those of `tree`, in place."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        hint = _hints(cls).get(key)
        if hint is None:
            raise unknown(f"setting{source}", _first_leaf(name, value), _names(Config))
        if _is_section(hint):
            if not isinstance(value, Mapping):
                raise UserError(f"{name}{source} is a table of settings, it cannot be {value!r}.")
            _overlay(tree[key], value, hint, f"{name}.", source)
        elif hint is Part and isinstance(value, Mapping) and "name" not in value:
            tree[key] = {**tree[key], **value}
        elif hint is Part:
            tree[key] = Part.parse(value, f"{name}{source}").plain()
        else:
            tree[key] = value


@cache
def _adapter(cls: type, key: str) -> TypeAdapter[Any]:
    return TypeAdapter(_hints(cls)[key])


def _section(cls: type[T], table: Mapping[str, Any], name: str) -> T:
    """The dataclass with these settings."""
    settings = {key: _fit(cls, key, value, f"{name}.{key}") for key, value in table.items()}
    try:
        return cls(**settings)
    except ValueError as error:
        raise UserError(f"[{name}] {error}") from None


def _fit(cls: type, key: str, value: Any, name: str) -> Any:
    """The value as the annotation of the dataclass's field wants it.

    Raises:
        UserError: It does not fit, with the reason.
    """
    hint = _hints(cls)[key]
    value = _plain(value)
    if _is_section(hint):
        return _section(hint, value, name)
    if hint is Part:
        return Part.parse(value, name)
    if value == "none" and NoneType in get_args(hint):
        return None
    try:
        # As JSON, so that a list may become a tuple while True is no number, and "2" is none either.
        return _adapter(cls, key).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        reasons = dict.fromkeys(entry["msg"].removeprefix("Input should be ") for entry in error.errors())
        raise UserError(f"{name} = {value!r} does not fit: it must be {' or '.join(reasons)}.") from None
    except TypeError:
        raise UserError(f"{name} = {value} does not fit: a setting cannot be of this kind.") from None


def _plain(value: Any) -> Any:
    """The value in what TOML can hold."""
    match value:
        case None:
            return "none"
        case Part():
            return _plain(value.plain())
        case Mapping():
            return {key: _plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case bool() | str():
            return value
        case numbers.Integral():
            return int(value)
        case numbers.Real():
            return float(value)
        case _ if is_dataclass(value):
            return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    return value

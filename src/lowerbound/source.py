"""What a run writes down about its data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field

from lowerbound.errors import UserError

if TYPE_CHECKING:  # looking at a run needs no torch
    from lowerbound.assemble import Assembly
    from lowerbound.data import Dataset

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Source:
    """What a run knows of its data."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    source: str
    """Name of a data set, or the absolute path that it was read from; empty where it came from Python."""
    name: str
    kind: Literal["image", "vector"]
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    """Shape of one stored datum: (C, H, W) or (D,)."""
    maximum: int | None
    """Largest level of an integer scale."""
    columns: tuple[str, ...]
    """Names of the columns, where the source has them."""
    fingerprint: str
    train: Count
    """Rows that were learned from."""
    validation: Count
    test: Count
    preparation: str
    """Name of the preparation."""
    preparation_settings: dict[str, int | None]
    understood: str
    """What the data is, which likelihood it has, and why."""
    classes: tuple[str, ...] = ()
    """Of a conditional model, the labels that it was told of, in its order."""

    @classmethod
    def of(cls, dataset: Dataset, assembly: Assembly, source: str) -> Self:
        """The facts about a dataset and what was made of it."""
        splits, preparation = assembly.splits, assembly.preparation
        return cls(
            source=source,
            name=dataset.name,
            kind=dataset.kind,
            shape=dataset.shape,
            maximum=dataset.maximum,
            columns=dataset.columns or (),
            classes=assembly.classes,
            fingerprint=dataset.fingerprint,
            train=len(splits.train),
            validation=len(splits.validation),
            test=len(splits.test),
            preparation=preparation.name,
            preparation_settings=dict(preparation.settings()),
            understood=assembly.understood,
        )

    @property
    def limits(self) -> tuple[float, float] | None:
        """What is black and what is white; None: the values are real."""
        return None if self.maximum is None else (0.0, float(self.maximum))

    def describe_shape(self) -> str:
        """The kind and shape of one datum, in words."""
        if self.kind == "vector":
            return f"rows of {self.shape[0]:,} numbers"
        channels, height, width = self.shape
        colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        return f"images of {height} × {width}, {colour}"

    def check(self, dataset: Dataset) -> None:
        """Refuse data of another kind than the model was trained on.

        Raises:
            UserError: Another kind or shape, or other columns.
        """
        other = dataclasses.replace(self, kind=dataset.kind, shape=dataset.shape)
        if (self.kind, self.shape) != (other.kind, other.shape):
            hint = "; --resize brings images to a size" if self.kind == dataset.kind == "image" else ""
            raise UserError(
                f"The model was trained on {self.describe_shape()}, and {dataset.name} has {other.describe_shape()}: "
                f"give data of the same shape{hint}."
            )
        if self.columns and dataset.columns and self.columns != dataset.columns:
            odd = next(
                i for i, pair in enumerate(zip(self.columns, dataset.columns, strict=True)) if pair[0] != pair[1]
            )
            raise UserError(
                f"Column {odd + 1} of {dataset.name} is '{dataset.columns[odd]}', and the model was trained with "
                f"'{self.columns[odd]}' there: give the same columns in the same order."
            )

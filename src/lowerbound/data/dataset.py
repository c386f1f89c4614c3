"""What a source holds: values with a declared kind, shape and fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, overload

import numpy as np

from lowerbound.data.rows import FileRows, Values, blocks, mapped, part
from lowerbound.errors import UserError
from lowerbound.names import unknown

Kind = Literal["image", "vector"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data as it is stored, one row for each datum.

    Raises:
        UserError: No data, one row alone, or values that are not numbers or not finite.
    """

    name: str
    """Of a named data set, or the stem of the path."""
    kind: Kind
    values: Values
    """[N, C, H, W] or [N, D]; uint8 stays uint8, anything else is float32. Those of a large file stay there."""
    maximum: int | None = None
    """Largest level of an integer scale: 255 for 8-bit pixels; None for real values."""
    labels: np.ndarray | None = None
    """[N] int64: for figures, and for conditional models; no other model learns from them."""
    label_names: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    """Names of the D columns, where the source has them."""
    test_start: int | None = None
    """Rows from here on are the source's own test set."""
    split_counts: tuple[int, int] | None = None
    """Validation and test rows that the literature splits off at random, where it does."""
    notes: tuple[str, ...] = ()
    """What was understood and why, one sentence each."""

    def __post_init__(self) -> None:
        check_values(self)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one datum."""
        return self.values.shape[1:]

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each class, in the order of the labels; none where there are no labels."""
        if self.labels is None:
            return ()
        return self.label_names or tuple(str(label) for label in np.unique(self.labels))

    def part(self, rows: np.ndarray | slice) -> Values:
        """Some rows; where the data stays in its file, none of them is read yet."""
        return part(self.values, rows)

    def labels_of(self, rows: np.ndarray | slice) -> np.ndarray | None:
        """The labels of some rows; None where the data has none."""
        return None if self.labels is None else self.labels[rows]

    def numbered(self, classes: Sequence[str]) -> Dataset:
        """The same data, each label being its place among some classes; with no classes, as it is.

        Raises:
            UserError: The data has no labels, or one that is not among the classes.
        """
        if not classes:
            return self
        if self.labels is None:
            raise UserError(
                f"The model is told the label of each datum, and {self.name} has none: give data with labels, such as "
                "a .npz with an array of them or a folder with a sub-folder for each class."
            )
        present, which = np.unique(self.labels, return_inverse=True)
        names = [self.label_names[label] if self.label_names else str(label) for label in present]
        numbers = np.array([class_number(name, classes) for name in names], np.int64)
        return replace(self, labels=numbers[which], label_names=tuple(classes))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shape, type and values."""
        digest = hashlib.sha256(f"{self.values.shape}{self.values.dtype}".encode())
        for rows in blocks(self.values):
            digest.update(np.ascontiguousarray(rows).data)
        return f"sha256:{digest.hexdigest()}"

    def describe(self) -> str:
        """What this is, in one line."""
        if self.kind == "image":
            channels, height, width = self.shape
            colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
            levels = {None: "real-valued", 1: "binary", 255: "8-bit"}
            scale = levels.get(self.maximum) or f"{(self.maximum or 0) + 1} levels"
            return f"{len(self):,} images of {height} × {width}, {colour}, {scale}"
        return f"{len(self):,} rows of {self.shape[0]:,} numbers"


def check_values(data: Dataset) -> None:
    """Refuse what nothing can be learned from.

    Raises:
        UserError: No data, one row alone, or values that are not finite (which rows, how many).
    """
    if data.values.size == 0:
        raise UserError(f"{data.name} holds no data: its shape is {data.values.shape}.")
    if len(data.values) == 1:
        raise UserError(
            f"{data.name} holds one single row: a model of a distribution needs at least two, better hundreds."
        )
    if data.values.dtype == np.uint8:
        return
    if bad := _odd_rows(data.values):
        shown = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
        raise UserError(
            f"{data.name} has missing, NaN or infinite values in {len(bad):,} of its {len(data.values):,} rows "
            f"(counted from 0: {shown}): leave those rows out, or fill the values in."
        )


def _odd_rows(values: Values) -> Sequence[int]:
    """The rows with values that are not finite."""
    if isinstance(values, FileRows):
        return values.odd  # known from then on, to the datasets that are made from this one too
    odd, start = [], 0
    for rows in blocks(values):
        odd += (start + np.flatnonzero(~np.isfinite(rows.reshape(len(rows), -1)).all(axis=1))).tolist()
        start += len(rows)
    return odd


@overload
def narrow(values: np.ndarray, name: str) -> np.ndarray: ...
@overload
def narrow(values: Values, name: str) -> Values: ...
def narrow(values: Values, name: str) -> Values:
    """The values as uint8 where that holds them exactly, else as float32.

    Raises:
        UserError: They are not real numbers, or too large for float32.
    """
    if values.dtype.kind not in "buif":
        kind = "Python objects" if values.dtype.kind == "O" else f"values of type {values.dtype}"
        raise UserError(f"{name} holds {kind}: only real numbers can be learned from.")
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_ or _are_bytes(values):
        return mapped(values, lambda rows: rows.astype(np.uint8))
    if isinstance(values, FileRows):
        if values.dtype == np.float32:
            return values
        converted = values.mapped(_float32)
        beyond = bool(converted.odd) and not values.odd
    else:
        converted = _float32(values)
        beyond = np.isinf(converted).any() and not np.isinf(values).any()
    if beyond:
        raise UserError(f"{name} has values beyond the range of float32 (3.4e38): rescale them first.")
    return converted


def _float32(rows: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(rows, dtype=np.float32)


def _are_bytes(values: Values) -> bool:
    """Whether all are whole numbers from 0 to 255; the first rows mostly say so if they are not."""
    if not values.size:
        return False
    if values.dtype.kind in "iu":
        return bool(values.min() >= 0 and values.max() <= 255)
    chunks = blocks(values) if isinstance(values, FileRows) or values.ndim else (values,)
    return all(bool(((chunk >= 0) & (chunk <= 255) & (chunk == np.rint(chunk))).all()) for chunk in chunks)


def class_number(name: str, classes: Sequence[str]) -> int:
    """The place of a class among the classes of a model.

    Raises:
        UserError: It is not among them, with the nearest names.
    """
    if name not in classes:
        raise unknown("label", name, classes)
    return classes.index(name)

"""Any source → a dataset with a declared kind, shape and fingerprint; splits; what the model sees of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowerbound.data.arrays import from_array, on_scale, resized
    from lowerbound.data.dataset import Dataset, class_number
    from lowerbound.data.named import NamedDataset, datasets
    from lowerbound.data.preparation import (
        PREPARATIONS,
        Binarise,
        Identity,
        OneHot,
        Preparation,
        Rescale,
        Standardise,
        preparation_for,
        restored,
        scale_of,
    )
    from lowerbound.data.recommend import Recommendation, recommend_likelihood
    from lowerbound.data.rows import FileRows
    from lowerbound.data.source import open_data
    from lowerbound.data.splits import Splits, split

__all__ = [
    "PREPARATIONS",
    "Binarise",
    "Dataset",
    "FileRows",
    "Identity",
    "NamedDataset",
    "OneHot",
    "Preparation",
    "Recommendation",
    "Rescale",
    "Splits",
    "Standardise",
    "class_number",
    "datasets",
    "from_array",
    "on_scale",
    "open_data",
    "preparation_for",
    "recommend_likelihood",
    "resized",
    "restored",
    "scale_of",
    "split",
]

_LOCATIONS = {
    **dict.fromkeys(("Dataset", "class_number"), "dataset"),
    "open_data": "source",
    "FileRows": "rows",
    **dict.fromkeys(("from_array", "on_scale", "resized"), "arrays"),
    **dict.fromkeys(("NamedDataset", "datasets"), "named"),
    **dict.fromkeys(("Recommendation", "recommend_likelihood"), "recommend"),
    **dict.fromkeys(("Splits", "split"), "splits"),
}


def __getattr__(name: str) -> Any:
    # Data is opened, described and listed without torch, which the preparations import.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LOCATIONS.get(name, 'preparation')}"), name)

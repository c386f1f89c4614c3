"""What the figures of the lecture share: the data, and each result once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from lowerbound.data import Dataset, datasets, open_data
from lowerbound.lecture.exhibit import Exhibit

T = TypeVar("T")


class Workshop:
    """Runs the code of exhibits, each once, and keeps what it returned.

    Args:
        effort: Share of the epochs that a training takes; below 1 for a first look.
    """

    def __init__(self, effort: float = 1.0) -> None:
        self.effort = effort
        self._results: dict[str, Any] = {}
        self._datasets: dict[str, Dataset] = {}
        self._here = {named.name for named in datasets() if named.place}

    def __getitem__(self, exhibit: Exhibit[T]) -> T:
        """What the code of an exhibit returns; its draws are the same whatever was run before."""
        if exhibit.name not in self._results:
            with torch.random.fork_rng(devices=[]), _one_thread():
                arguments = exhibit.given(self)
                torch.manual_seed(0)
                self._results[exhibit.name] = exhibit.code(*arguments)
        return self._results[exhibit.name]

    def has(self, exhibit: Exhibit[Any]) -> bool:
        """Whether the data that an exhibit needs are here."""
        return exhibit.needs is None or exhibit.needs in self._here

    def dataset(self, name: str) -> Dataset:
        """A data set that has a name."""
        if name not in self._datasets:
            self._datasets[name] = open_data(name)
        return self._datasets[name]

    def epochs(self, code: Callable[..., Any]) -> int:
        """As many epochs as a function takes of itself, in the measure of the effort."""
        return max(1, round(inspect.signature(code).parameters["epochs"].default * self.effort))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices as small as these gain next to nothing by a second thread, and lose much by it on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

"""Training data that stays in a file, of which each step reads its batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from lowerbound.training.device import fits_on

# Seconds for each row from which reading is worth a thread of its own: a disk takes a tenth of a millisecond, and the
# system's own cache three microseconds, which is less than two threads of Python cost one another.
SLOW = 2e-5
# Batches that are then read ahead, and the bytes that they may have.
AHEAD, AHEAD_BYTES = 32, 1 << 26
# Bytes that are read together, where all rows are.
_BLOCK_BYTES = 1 << 25


class Rows(Protocol):
    """Stored data that is no tensor; only what an index asks for is in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, *stored]."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        ...

    @property
    def nbytes(self) -> int:
        """Of all rows."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: slice | Int[np.ndarray, " n"], /) -> Shaped[np.ndarray, "n *stored"]: ...


class Streamed:
    """Rows that give batches as a tensor does.

    A batch is read when it is asked for; where that was slow, those that follow are read ahead by another thread, and
    the one after them shows whether it still is.

    Args:
        rows: The stored data.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows, self.device = rows, torch.device("cpu")
        self._slow = False
        self._reader = ThreadPoolExecutor(1, "lowerbound-reader")
        self._ahead: deque[tuple[Tensor, Future[Tensor]]] = deque()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Int[Tensor, "B"]) -> Shaped[Tensor, "B *stored"]:
        """Read some rows now."""
        return torch.from_numpy(np.ascontiguousarray(self.rows[rows.numpy()]))

    def index_select(self, dim: int, rows: Int[Tensor, "B"]) -> Shaped[Tensor, "B *stored"]:
        """Some rows: those that were read ahead, or else read now."""
        while self._ahead:
            expected, batch = self._ahead.popleft()
            if torch.equal(expected, rows):
                self._slow = bool(self._ahead)  # after the last of them it is to be seen anew
                return batch.result()
        began = time.perf_counter()
        batch = self[rows]
        self._slow = time.perf_counter() - began > SLOW * len(rows)
        return batch

    def expect(self, rows: Int[Tensor, "n"], size: int) -> None:
        """Say which batches come next, so that they can be read ahead.

        Args:
            rows: Of those batches, in their order.
            size: Of a batch.
        """
        if not self._slow or self._ahead:
            return
        batches = min(AHEAD, max(1, AHEAD_BYTES * len(self.rows) // (max(1, self.rows.nbytes) * size)))
        for start in range(0, min(batches * size, len(rows)), size):
            batch = rows[start : start + size]
            self._ahead.append((batch, self._reader.submit(self.__getitem__, batch)))


def placed(train: Tensor | Rows, device: torch.device) -> Tensor | Streamed:
    """The training data where batches are taken from: on the device if it fits there, else where it is."""
    if isinstance(train, Tensor):
        return train.to(device) if fits_on(device, train) else train
    dtype = torch.from_numpy(train[:0]).dtype
    if device.type == "cpu" or not fits_on(device, torch.empty(train.shape, dtype=dtype, device="meta")):
        return Streamed(train)
    stored, start = torch.empty(train.shape, dtype=dtype, device=device), 0
    for block in blocks(train):
        stored[start : start + len(block)] = block.to(device)
        start += len(block)
    return stored


def blocks(rows: Rows) -> Iterator[Shaped[Tensor, "n *stored"]]:
    """All rows in their order, a few at a time."""
    size = max(1, _BLOCK_BYTES * len(rows) // max(1, rows.nbytes))
    for start in range(0, len(rows), size):
        yield torch.from_numpy(np.ascontiguousarray(rows[start : start + size]))

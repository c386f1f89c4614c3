"""Memory from one repetition of a computation to the next."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# What may lie free before it goes back to the system, and the size from which a block does so alone.
KEPT_BYTES = 1 << 30
# The largest such size that older versions of glibc accept.
OLDER_BLOCK_BYTES = 1 << 25


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, the C library keeps what a step of a training, or a batch of an evaluation, frees for the next.

    glibc gives it back to the system by default, which then has to map and clear the same pages again: between a
    twentieth (fully connected) and a sixth (convolutional) of a step on a processor, and up to a quarter of an
    importance-sampled likelihood. What is free at the end is given back; the thresholds, which glibc does not tell,
    stay. Other C libraries are left alone.
    """
    glibc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
    if glibc:
        glibc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        # Either call ends glibc's own adjustment of the second threshold: where a refusal left it at its first value,
        # 128 KiB, a step of a fully connected model was measured to take 1.6 times as long.
        if not glibc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES):
            glibc.mallopt(M_MMAP_THRESHOLD, OLDER_BLOCK_BYTES)
    try:
        yield
    finally:
        if glibc:
            glibc.malloc_trim(0)

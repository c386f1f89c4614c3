"""Which thresholds the C library is given, and what is given back."""

from __future__ import annotations

import ctypes
import platform

import pytest

from lowerbound.nn.memory import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, freed_memory_kept


class Glibc:
    """Accepts thresholds for single blocks up to a limit, as its versions do."""

    def __init__(self, limit):
        self.limit, self.thresholds, self.trimmed = limit, {}, 0

    def mallopt(self, parameter, value):
        if parameter == M_MMAP_THRESHOLD and value > self.limit:
            return 0
        self.thresholds[parameter] = value
        return 1

    def malloc_trim(self, pad):
        self.trimmed += 1


def use(monkeypatch, library, name="glibc"):
    monkeypatch.setattr(platform, "libc_ver", lambda: (name, "0"))
    monkeypatch.setattr(ctypes, "CDLL", lambda path: library)


@pytest.mark.parametrize(("limit", "block"), [(2**62, 2**30), (2**25, 2**25)], ids=["newer glibc", "older glibc"])
def test_blocks_are_kept_up_to_the_largest_size_that_glibc_accepts(monkeypatch, limit, block):
    library = Glibc(limit)
    use(monkeypatch, library)
    with freed_memory_kept():
        assert library.thresholds == {M_TRIM_THRESHOLD: 2**30, M_MMAP_THRESHOLD: block}
        assert library.trimmed == 0
    assert library.trimmed == 1


def test_what_is_free_is_given_back_after_an_error_too(monkeypatch):
    library = Glibc(2**62)
    use(monkeypatch, library)
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        _ = 1 / 0
    assert library.trimmed == 1


def test_another_c_library_is_left_alone(monkeypatch):
    library = Glibc(2**62)
    use(monkeypatch, library, name="")
    with freed_memory_kept():
        pass
    assert (library.thresholds, library.trimmed) == ({}, 0)

"""What is written because it is too large for memory is used again when it is whole and its source is what it was."""

from __future__ import annotations

import os

import numpy as np
import pytest

from lowerbound.data import rows as rows_module
from lowerbound.data.rows import FileRows
from lowerbound.data.spool import Made, collected, kept
from lowerbound.errors import UserError

VALUES = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


def made():
    return Made(iter(np.split(VALUES, [4, 7])), VALUES.shape, VALUES.dtype)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A file to make rows from, and a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "source"
    path.write_bytes(b"abc")
    return path


@pytest.mark.parametrize(("limit", "kind"), [(0, FileRows), (VALUES.nbytes, np.ndarray)])
def test_rows_are_collected_in_memory_or_in_a_file(monkeypatch, limit, kind):
    monkeypatch.setattr(rows_module, "IN_MEMORY", limit)
    values = collected(made())
    assert isinstance(values, kind)
    np.testing.assert_array_equal(values[:], VALUES)


def test_rows_are_written_once(source):
    path = kept([source], source, made)
    np.testing.assert_array_equal(np.load(path), VALUES)

    def never():
        raise AssertionError

    assert kept([source], source, never) == path


def test_a_source_that_was_changed_is_written_again_and_the_old_rows_go(source):
    old = kept([source], source, made)
    source.write_bytes(b"abcd")
    new = kept([source], source, made)
    assert list(new.parent.iterdir()) == [new]
    assert new != old


def test_rows_that_were_not_written_to_their_end_are_never_used(source):
    def broken():
        def blocks():
            yield VALUES[:4]
            raise KeyboardInterrupt

        return Made(blocks(), VALUES.shape, VALUES.dtype)

    with pytest.raises(KeyboardInterrupt):
        kept([source], source, broken)
    path = kept([source], source, made)
    assert list(path.parent.iterdir()) == [path]
    np.testing.assert_array_equal(np.load(path), VALUES)


def test_what_a_killed_process_left_goes_after_a_day_and_not_before(source):
    folder = kept([source], source, made).parent
    for name, age in (("old.partial", 2e5), ("new.partial", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (os.stat(folder).st_mtime - age,) * 2)
    source.write_bytes(b"other")
    path = kept([source], source, made)
    assert {entry.name for entry in folder.iterdir()} == {path.name, "new.partial"}


def test_a_cache_that_cannot_be_written_is_one_sentence(source, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(UserError, match=r"cannot be written to .*tables .*: see to its permissions, or let XDG") as one:
        kept([source], source, made)
    assert "\n" not in str(one.value)

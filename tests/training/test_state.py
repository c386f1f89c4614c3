"""The saved state: what survives a kill and a full disk."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lowerbound import files
from lowerbound.errors import UserError
from lowerbound.training.state import NAME, SavedState
from training.cases import Training, assert_same

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_killed_twenty_times_it_ends_in_the_same_weights(tmp_path):
    """`kill -9` at moments drawn with seed 0, in saving and between; every resume continues."""
    program = [sys.executable, str(TESTS / "training" / "kill.py"), str(tmp_path), "20"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["killed"] == 20
    assert report["different"] == []
    assert report["steps"] == sorted(report["steps"])
    assert len(set(report["steps"])) > 5
    assert report["end"] == 2000


@pytest.fixture
def full_disk(monkeypatch):
    """Lets every writing to the disk fail from now on, until it is called again with False."""
    fsync = os.fsync

    def switch(full):
        def fail(descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(files.os, "fsync", fail if full else fsync)

    return switch


def test_a_full_disk_leaves_the_last_good_state_and_the_training_goes_on(tmp_path, caplog, full_disk):
    whole, starved = Training(tmp_path / "whole"), Training(tmp_path / "starved")
    whole.run()
    caplog.set_level(logging.WARNING, "lowerbound")
    # From step 5 on nothing can be written; after each step it is tried.
    starved.run(checkpoint_minutes=0, before={5: lambda: full_disk(True)})
    assert starved.result.stopped == "epochs"
    assert SavedState.read(starved.state_dir).position.step == 4
    assert [path.name for path in starved.state_dir.iterdir()] == [NAME]
    first = caplog.records[0].getMessage()
    assert first.startswith(f"Cannot write {starved.state_dir / NAME} (No space left on device): free some space.")
    assert first.endswith("The state of step 4 is still there.")
    full_disk(False)
    starved.run(resume=True)
    assert_same(whole, starved)


def test_a_directory_that_cannot_be_made_ends_the_training_before_it_begins(tmp_path):
    (tmp_path / "file").write_text("")
    training = Training(tmp_path / "file" / "state")
    with pytest.raises(UserError, match=r"Cannot make the directory .*file/state \(Not a directory\): choose another"):
        training.run()
    assert training.records == []


def test_a_newer_state_is_refused(tmp_path, monkeypatch):
    training = Training(tmp_path)
    monkeypatch.setattr("lowerbound.training.state.VERSION", 2)
    training.run()
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"was written by a newer version of lowerbound: install that version\."):
        training.run(resume=True)

"""Training data that stays in its file: the same batches, so the same weights, and no row is read in vain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lowerbound.data.rows import FileRows
from lowerbound.errors import UserError
from lowerbound.training import streaming
from lowerbound.training.facts import fingerprint
from lowerbound.training.streaming import Streamed, blocks
from training import cases
from training.cases import Training, assert_same, control_c, pixels


@pytest.fixture
def rows(tmp_path):
    """The pixels of the trainings here, in a file."""
    stored = pixels().numpy()
    stored.tofile(tmp_path / "pixels")
    return FileRows.of(tmp_path / "pixels", 0, stored.dtype, stored.shape)


@pytest.fixture
def stream(rows, monkeypatch):
    """Trainings from now on read their data from the file."""
    return lambda: monkeypatch.setattr(cases, "pixels", lambda *other: pixels(*other) if other else rows)


class Noted:
    """Rows that remember which of them were asked for."""

    def __init__(self, rows: FileRows) -> None:
        self.rows, self.asked = rows, []
        self.shape, self.dtype, self.nbytes = rows.shape, rows.dtype, rows.nbytes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key):
        self.asked.append(key.tolist())
        return self.rows[key]


@pytest.mark.parametrize("step", [1, 4, 5, 11])
def test_what_began_in_memory_is_resumed_from_a_file_to_the_same_weights(tmp_path, stream, step):
    """At the end of an epoch, within one and near the end of the training."""
    whole, broken = Training(tmp_path / "whole"), Training(tmp_path / "broken")
    whole.run()
    assert broken.run(before={step: control_c}).stopped == "interrupted"
    stream()
    broken.run(resume=True)
    assert_same(whole, broken)


def test_other_data_in_a_file_does_not_resume_a_training(tmp_path, rows, monkeypatch):
    training = Training(tmp_path / "run")
    training.run(before={2: control_c})
    turned = rows.part(slice(None, None, -1))
    monkeypatch.setattr(cases, "pixels", lambda *other: pixels(*other) if other else turned)
    with pytest.raises(UserError, match="training data"):
        training.run(resume=True)


@pytest.mark.parametrize("size", [8, 16])
def test_batches_of_a_slow_disk_are_read_ahead_once_each_and_a_few_at_most(rows, monkeypatch, size):
    """Two at a time, by their number or by their bytes; each third one shows whether the disk is still slow."""
    monkeypatch.setattr(streaming, "SLOW", 0)
    monkeypatch.setattr(streaming, *(("AHEAD", 2) if size == 8 else ("AHEAD_BYTES", 2 * 16 * 20)))
    noted, order = Noted(rows), torch.randperm(70, generator=torch.Generator().manual_seed(0))
    stream, wanted = Streamed(noted), order.split(size)
    for number, batch in enumerate(wanted):
        assert torch.equal(stream.index_select(0, batch), pixels()[batch])
        stream.expect(order[size * (number + 1) :], size)
        assert len(noted.asked) <= 3 * (number // 3 + 1)
    assert noted.asked == [batch.tolist() for batch in wanted]


def test_batches_of_a_fast_disk_are_read_when_they_are_asked_for(rows, monkeypatch):
    monkeypatch.setattr(streaming, "SLOW", np.inf)
    noted = Noted(rows)
    stream, order = Streamed(noted), torch.arange(70)
    assert torch.equal(stream.index_select(0, order[:8]), pixels()[:8])
    stream.expect(order[8:], 8)
    stream.index_select(0, order[8:16])
    assert noted.asked == [order[:8].tolist(), order[8:16].tolist()]


def test_a_batch_that_was_not_expected_is_read_all_the_same(rows, monkeypatch):
    monkeypatch.setattr(streaming, "SLOW", 0)
    stream, order = Streamed(rows), torch.arange(70)
    stream.index_select(0, order[:8])
    stream.expect(order[8:], 8)
    other = torch.tensor([5, 3, 69])
    assert torch.equal(stream.index_select(0, other), pixels()[other])
    assert torch.equal(stream[other], pixels()[other])


@pytest.mark.parametrize("slow", [0, np.inf])
def test_data_in_a_file_gives_the_weights_of_data_in_memory_however_slow_the_disk(tmp_path, stream, monkeypatch, slow):
    whole, streamed = Training(tmp_path / "whole"), Training(tmp_path / "streamed")
    whole.run()
    stream()
    monkeypatch.setattr(streaming, "SLOW", slow)
    streamed.run()
    assert_same(whole, streamed)


def test_the_digest_of_rows_in_a_file_is_that_of_the_tensor(rows, monkeypatch):
    monkeypatch.setattr("lowerbound.training.streaming._BLOCK_BYTES", 100)
    assert fingerprint(rows) == fingerprint(pixels())
    assert torch.equal(torch.cat(list(blocks(rows))), pixels())
    assert max(len(block) for block in blocks(rows)) == 100 // np.prod(cases.EVENT)

"""Files are whole or not there; a file that is not what it should be is refused in one sentence."""

from __future__ import annotations

import errno
import json
import resource

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from lowerbound.errors import UserError
from lowerbound.files import atomic_write, load_tensors, save_tensors, write_text

TENSORS = {
    "float32": torch.tensor([[1.5, -0.0, torch.inf], [2.0**-149, 3.0, torch.nan]]),
    "bfloat16": torch.linspace(-1, 1, 7, dtype=torch.bfloat16),
    "float64": torch.tensor(0.1, dtype=torch.float64),
    "int64": torch.tensor([2**62, -1]),
    "uint8": torch.arange(256).to(torch.uint8),
    "bool": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3),
}
FACTS = {"step": 3, "share": 0.1, "name": "α", "none": None, "list": [1, [2.5, "x"]], "table": {"a": True}}


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, TENSORS, FACTS, kind="training state", version=2)
    return path


def load(path, kind="training state", version=2):
    return load_tensors(path, kind=kind, version=version)


def refusal(path, **expected):
    with pytest.raises(UserError) as error:
        load(path, **expected)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_saved_is_loaded_bit_for_bit(saved):
    tensors, facts = load(saved)
    assert facts == FACTS
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert tensors[name].shape == tensor.shape
        assert bits(tensors[name]) == bits(tensor)


def test_layout_and_sharing_of_memory_do_not_matter(tmp_path):
    tied = torch.arange(24.0).reshape(2, 3, 2, 2)
    tensors = {
        "tied": tied,
        "again": tied,
        "transposed": tied.mT,
        "channels last": tied.contiguous(memory_format=torch.channels_last),
        "part": tied[:, 1:],
        "parameter": nn.Parameter(tied),
    }
    save_tensors(tmp_path / "b", tensors, {}, kind="k", version=1)
    loaded, _ = load(tmp_path / "b", kind="k", version=1)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_a_file_cut_off_anywhere_is_refused(saved):
    whole = saved.read_bytes()
    for length in [*range(0, len(whole), 101), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        assert "is truncated or was changed" in refusal(saved)


def test_a_changed_byte_anywhere_is_refused(saved):
    whole = saved.read_bytes()
    for position in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[position] ^= 1
        saved.write_bytes(changed)
        refusal(saved)


def test_changed_facts_are_refused(saved):
    with safe_open(saved, framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
    save_file(tensors, saved, {**header, "facts": json.dumps({**FACTS, "step": 4})})
    assert "is truncated or was changed" in refusal(saved)
    save_file(tensors, saved, {name: value for name, value in header.items() if name != "sha256"})
    assert "is truncated or was changed" in refusal(saved)


def test_a_file_of_another_kind_is_refused(saved, tmp_path):
    assert "is not a model of lowerbound" in refusal(saved, kind="model")
    save_file({"x": torch.zeros(2)}, tmp_path / "foreign")
    assert "is not a training state of lowerbound" in refusal(tmp_path / "foreign")


def test_a_newer_file_is_refused_and_an_older_one_read(saved):
    assert "was written by a newer version of lowerbound" in refusal(saved, version=1)
    assert load(saved, version=3)[1] == FACTS


def test_a_missing_file_is_named(tmp_path):
    assert "There is no training state at" in refusal(tmp_path / "none")
    assert "There is no training state at" in refusal(tmp_path)


def test_a_file_that_cannot_be_read_is_not_called_damaged(saved, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("safetensors.safe_open", denied)
    assert "(Permission denied)" in refusal(saved)


def test_a_write_that_fails_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "text"
    write_text(path, "old")

    def half():
        with atomic_write(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_says_so(saved, monkeypatch):
    whole = saved.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"Cannot write .* \(No space left on device\): free some space\.$"):
        save_tensors(saved, {"x": torch.ones(3)}, {}, kind="training state", version=2)
    assert saved.read_bytes() == whole
    assert list(saved.parent.iterdir()) == [saved]


def test_a_file_that_the_system_cuts_off_leaves_the_old_one(saved):
    # The limit on the size of files makes the system itself refuse in the middle of the bytes, as a full disk does.
    whole = saved.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(UserError, match="Cannot write"):
            save_tensors(saved, {"x": torch.ones(10_000)}, {}, kind="training state", version=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == whole
    assert list(saved.parent.iterdir()) == [saved]


def test_what_a_killed_writer_left_is_overwritten(tmp_path):
    (tmp_path / ".text.partial").write_bytes(b"left by a kill")
    write_text(tmp_path / "text", "α")
    assert (tmp_path / "text").read_bytes() == "α".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        UserError, match=r"Cannot write .*nowhere.* \(No such file or directory\): choose another place"
    ):
        write_text(tmp_path / "nowhere" / "text", "x")

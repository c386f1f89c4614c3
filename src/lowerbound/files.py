"""Files that are whole or not there: atomic writing, and tensors with facts about them in one checked file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from lowerbound.errors import UserError

if TYPE_CHECKING:  # the command line writes files long before it needs torch
    import numpy as np
    from torch import Tensor


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file in such a way that, whatever happens, either the old one is there or the whole new one.

    The bytes go to a hidden neighbour, which takes the file's place when they are on the disk. After a failure the
    neighbour is removed; after a `kill -9` it is left, and the next writing overwrites it.

    Args:
        path: The file; its directory exists.

    Raises:
        UserError: It cannot be written, with the reason of the operating system.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
    except OSError as error:
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose another place"
        raise UserError(f"Cannot write {path} ({error.strerror or error}): {remedy}.") from error


def _sync_directory(directory: Path) -> None:
    """Bring the renaming itself to the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: str | Path) -> Path:
    """The directory, made with those above it where it is not there.

    Raises:
        UserError: It cannot be made.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the directory {path} ({error.strerror}): choose another place.") from error
    return path


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, atomically.

    Raises:
        UserError: It cannot be written.
    """
    with atomic_write(path) as file:
        file.write(text.encode())


def save_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], *, kind: str, version: int
) -> None:
    """Write tensors and facts about them to one safetensors file, atomically, with a checksum over both.

    Args:
        path: The file.
        tensors: By name; from any device, in any layout.
        facts: What JSON can hold.
        kind: What the file is, such as "training state"; `load_tensors` refuses a file of another kind.
        version: Of the layout of tensors and facts.

    Raises:
        UserError: It cannot be written.
    """
    import torch
    from safetensors.torch import save

    # Copies: safetensors refuses tensors that share their memory, as tied weights do.
    copies = {
        name: tensor.detach().to("cpu", copy=True).contiguous(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    header = {"kind": kind, "version": str(version), "facts": json.dumps(facts)}
    data = save(copies, {**header, "sha256": _digest(copies, header)})
    with atomic_write(path) as file:
        file.write(data)


def load_tensors(path: str | Path, *, kind: str, version: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote: tensors (in main memory) and facts.

    Args:
        path: The file.
        kind: What it must be.
        version: The newest layout that the caller understands.

    Raises:
        UserError: There is no such file, it cannot be read, is truncated or was changed, it is something else, or a
            newer version of this library wrote it.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no {kind} at {path}.")
    damaged = UserError(f"The {kind} {path} is truncated or was changed: go back to a copy of it.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"Cannot read the {kind} {path} ({reason}): see to its permissions.") from error
    except SafetensorError as error:
        raise damaged from error
    if header.get("kind") != kind:
        raise UserError(f"{path} is not a {kind} of lowerbound.")
    written = header.get("version", "")
    if written.isdecimal() and int(written) > version:
        raise UserError(f"The {kind} {path} was written by a newer version of lowerbound: install that version.")
    if header.pop("sha256", None) != _digest(tensors, header):
        raise damaged
    return tensors, json.loads(header["facts"])


def _digest(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    import torch

    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_npy(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype, blocks: Iterable[np.ndarray]) -> None:
    """Write an array as a `.npy` while it is made, some rows after the other.

    Args:
        file: Where to.
        shape: Of all of it, [N, …].
        dtype: Of its entries.
        blocks: Its rows, in their order.
    """
    import numpy as np

    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for block in blocks:
        file.write(np.ascontiguousarray(block, dtype).data)

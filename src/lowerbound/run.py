"""The run directory: everything that a fit leaves, in files that can be read without running any code of theirs.

run.toml            every setting, the versions, what the data was, the protocol; with a checksum
metrics.jsonl       one line for each epoch
model.safetensors   the best weights, and the preparation of the data
state/              the last state of the training, for a resume
evaluation.json     the figures
figures/            the pictures
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import shutil
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import tomlkit
from pydantic import TypeAdapter, ValidationError

from lowerbound.config import Config
from lowerbound.errors import UserError
from lowerbound.files import load_tensors, save_tensors, write_text
from lowerbound.metrics import Metrics
from lowerbound.source import Source

if TYPE_CHECKING:  # looking at a run needs no torch
    import torch

    from lowerbound.evaluation import DistortionAlone, Evaluation
    from lowerbound.trained import Trained

PRETRAINED = Path(__file__).parent / "pretrained"
"""Runs that came with the library, without the states of their trainings."""
FORMAT = 1
"""Version of the layout of a run directory; an older library refuses a newer one."""
_MODEL, _MODEL_FILE = "model", "model.safetensors"


class Run:
    """A run directory.

    Args:
        directory: Where it is.
        config: Every setting.
        source: What the run knows of its data.
        versions: Of the software that wrote it.
    """

    def __init__(self, directory: Path, config: Config, source: Source, versions: Mapping[str, str]) -> None:
        self.directory = directory
        self.config = config
        self.source = source
        self.versions = dict(versions)
        self._metrics = Metrics(directory / "metrics.jsonl")

    @classmethod
    def create(cls, directory: str | Path, config: Config, source: Source) -> Self:
        """Begin a run in a directory that is empty or not there yet.

        Raises:
            UserError: Something is in the directory already, or it cannot be written.
        """
        directory = Path(directory)
        if (directory / "run.toml").exists():
            raise UserError(
                f"There is a run in {directory} already: choose another --out, or continue it with "
                f"lowerbound fit --resume {directory}."
            )
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if any(directory.iterdir()):
                raise UserError(f"{directory} is not empty: choose another place for the run.")
        except OSError as error:
            raise UserError(
                f"Cannot make the run directory {directory} ({error.strerror}): choose another place."
            ) from None
        run = cls(directory, config, source, versions())
        run.write()
        return run

    def copy(self, directory: Path) -> Self:
        """The same run in another directory, which is not there yet.

        Raises:
            UserError: It cannot be written.
        """
        try:
            shutil.copytree(self.directory, directory)
        except (OSError, shutil.Error) as error:
            shutil.rmtree(directory, ignore_errors=True)
            raise UserError(f"Cannot copy the run {self.directory} to {directory}: {error}.") from None
        return type(self)(directory, self.config, self.source, self.versions)

    def discard_unless_begun(self) -> None:
        """Remove the directory, where the training came to nothing before its first state was saved."""
        if not self.has_state:
            shutil.rmtree(self.directory, ignore_errors=True)

    def write(self) -> None:
        """Write `run.toml`.

        Raises:
            UserError: It cannot be written.
        """
        tree = {
            "format": FORMAT,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": self.versions,
            "data": _with_none(dataclasses.asdict(self.source)),
            "settings": self.config.plain(),
        }
        write_text(self.directory / "run.toml", tomlkit.dumps({"checksum": _checksum(tree), **tree}))

    @classmethod
    def open(cls, directory: str | Path) -> Self:
        """Read a run directory.

        Args:
            directory: Where it is, or the name of one that came with the library (`pretrained`).

        Raises:
            UserError: There is no run, it is truncated, was changed, or a newer version of this library wrote it.
        """
        directory, name = Path(directory), str(directory)
        if not directory.exists() and name in pretrained():
            directory = PRETRAINED / name
        path = directory / "run.toml"
        if not directory.exists():
            raise UserError(
                f"There is no run directory {directory}: `lowerbound fit` makes one, and these came with the library: "
                f"{', '.join(pretrained())}."
            )
        if not path.is_file():
            raise UserError(f"{directory} is not the directory of a run: it has no run.toml.")
        try:
            tree = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is damaged, it is not valid TOML ({error}): go back to a copy of it.") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from None
        if isinstance(written := tree.get("format"), int) and written > FORMAT:
            raise UserError(f"{path} was written by a newer version of lowerbound: install that version.")
        if tree.pop("checksum", None) != _checksum(tree):
            raise UserError(f"{path} is truncated or was changed after it was written: go back to a copy of it.")
        try:
            source = TypeAdapter(Source).validate_json(json.dumps(_without_none(tree["data"])))
        except ValidationError as error:
            raise UserError(f"{path} is damaged: data.{error.errors()[0]['loc'][0]} does not fit.") from None
        return cls(directory, Config.from_plain(tree["settings"], str(path)), source, tree["versions"])

    def path(self, name: str) -> Path:
        """The path of a file of the run."""
        return self.directory / name

    @property
    def state(self) -> Path:
        """The directory of the training's state."""
        return self.path("state")

    @property
    def has_state(self) -> bool:
        """Whether a state of the training was saved."""
        return self.state.exists() and any(self.state.iterdir())

    @property
    def has_model(self) -> bool:
        """Whether there is a model, which a training leaves that has ended or was interrupted."""
        return self.path(_MODEL_FILE).exists()

    @property
    def came_with_library(self) -> bool:
        """Whether it is one of `pretrained`, which are only read."""
        return self.directory.parent == PRETRAINED

    @property
    def drawn(self) -> Path:
        """The directory of what is drawn and written about the run: its own, or one in `runs/` that may be missing."""
        return Path("runs") / self.directory.name if self.came_with_library else self.directory

    @property
    def figures(self) -> Path:
        """The directory of the pictures."""
        return self.drawn / "figures"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.drawn / "report.html"

    def save(self, trained: Trained) -> None:
        """Write `model.safetensors`.

        Raises:
            UserError: It cannot be written.
        """
        tensors = {f"model.{name}": tensor for name, tensor in trained.model.state_dict().items()}
        tensors |= {f"preparation.{name}": tensor for name, tensor in trained.preparation.state_dict().items()}
        save_tensors(self.path(_MODEL_FILE), tensors, self._identity(), kind=_MODEL, version=FORMAT)

    def load(self, device: str | torch.device = "cpu") -> Trained:
        """The model with its best weights and the preparation of its data.

        Args:
            device: Where to.

        Raises:
            UserError: There is no model, it is truncated, was changed, or belongs to another run.
        """
        import torch

        from lowerbound.assemble import build_model
        from lowerbound.data import restored
        from lowerbound.trained import Trained

        path = self.path(_MODEL_FILE)
        if not self.has_model:
            raise UserError(
                f"The run {self.directory} has no model: its training has not ended, continue it with "
                f"lowerbound fit --resume {self.directory}."
            )
        tensors, facts = load_tensors(path, kind=_MODEL, version=FORMAT)
        foreign = UserError(f"The model {path} belongs to another run than {self.path('run.toml')}: put its own back.")
        if facts != self._identity():
            raise foreign
        parts: dict[str, dict[str, Any]] = {"model": {}, "preparation": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        preparation = restored(self.source.preparation, self.source.preparation_settings, parts["preparation"])
        mean = torch.zeros(preparation.event_shape(self.source.shape))
        model = build_model(self.config.model, mean, seed=self.config.seed, context_dim=len(self.source.classes))
        try:
            model.load_state_dict(parts["model"])
        except RuntimeError:
            raise foreign from None
        return Trained(model.to(device), preparation, self.source.shape)

    def evaluation(self) -> Evaluation | DistortionAlone | None:
        """The figures in `evaluation.json`; None where there are none.

        Raises:
            UserError: The file is damaged.
        """
        from lowerbound.evaluation import DistortionAlone, Evaluation

        path = self.path("evaluation.json")
        if not path.exists():
            return None
        text = path.read_bytes()
        try:
            return TypeAdapter(DistortionAlone).validate_json(text, strict=True)
        except ValidationError:
            return Evaluation.from_json(text, str(path))

    def save_evaluation(self, evaluation: Evaluation | DistortionAlone | None) -> None:
        """Write `evaluation.json`, or remove it: figures are not to outlive the weights that they are of.

        Raises:
            UserError: It cannot be written.
        """
        path = self.path("evaluation.json")
        if evaluation is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, evaluation.to_json())

    def _identity(self) -> dict[str, Any]:
        """What a model and its run must agree on."""
        return {"fingerprint": self.source.fingerprint, "settings": self.config.plain()["model"]}

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl` (see `Metrics.entries`)."""
        return self._metrics.entries()

    def append_metrics(self, entry: Mapping[str, Any]) -> None:
        """Add the line of an epoch (see `Metrics.append`)."""
        self._metrics.append(entry)


def pretrained() -> tuple[str, ...]:
    """The names of the runs that came with the library."""
    return tuple(sorted(path.parent.name for path in PRETRAINED.glob("*/run.toml")))


def versions() -> dict[str, str]:
    """Of the software that a number can depend on."""
    names = ("lowerbound", "torch", "numpy", "scikit-learn")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def _checksum(tree: Mapping[str, Any]) -> str:
    """Over every value, whatever the layout of the file."""
    return "sha256:" + hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()


def _with_none(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as TOML can hold them: it has no null, for which "none" stands."""
    return {k: _with_none(v) if isinstance(v, Mapping) else "none" if v is None else v for k, v in facts.items()}


def _without_none(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `_with_none`."""
    return {k: _without_none(v) if isinstance(v, Mapping) else None if v == "none" else v for k, v in facts.items()}

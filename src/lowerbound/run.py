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
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import tomlkit
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from lowerbound.config import Config
from lowerbound.errors import UserError
from lowerbound.files import load_tensors, save_tensors, write_text

if TYPE_CHECKING:  # looking at a run needs no torch
    import torch

    from lowerbound.assemble import Assembly
    from lowerbound.data import Dataset
    from lowerbound.evaluation import DistortionAlone, Evaluation
    from lowerbound.trained import Trained

PRETRAINED = Path(__file__).parent / "pretrained"
"""Runs that came with the library, without the states of their trainings."""
FORMAT = 1
"""Version of the layout of a run directory; an older library refuses a newer one."""
_MODEL, _MODEL_FILE = "model", "model.safetensors"

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Source:
    """What a run knows of its data."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    source: str
    """Name of a data set, or the absolute path that it was read from; empty where it came from Python."""
    name: str
    kind: Literal["image", "vector"]
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    """Shape of one stored datum: (C, H, W) or (D,)."""
    maximum: int | None
    """Largest level of an integer scale."""
    columns: tuple[str, ...]
    """Names of the columns, where the source has them."""
    fingerprint: str
    train: Count
    """Rows that were learned from."""
    validation: Count
    test: Count
    preparation: str
    """Name of the preparation."""
    preparation_settings: dict[str, int | None]
    understood: str
    """What the data is, which likelihood it has, and why."""
    classes: tuple[str, ...] = ()
    """Of a conditional model, the labels that it was told of, in its order."""

    @classmethod
    def of(cls, dataset: Dataset, assembly: Assembly, source: str) -> Self:
        """The facts about a dataset and what was made of it."""
        splits, preparation = assembly.splits, assembly.preparation
        return cls(
            source=source,
            name=dataset.name,
            kind=dataset.kind,
            shape=dataset.shape,
            maximum=dataset.maximum,
            columns=dataset.columns or (),
            classes=assembly.classes,
            fingerprint=dataset.fingerprint,
            train=len(splits.train),
            validation=len(splits.validation),
            test=len(splits.test),
            preparation=preparation.name,
            preparation_settings=dict(preparation.settings()),
            understood=assembly.understood,
        )

    @property
    def limits(self) -> tuple[float, float] | None:
        """What is black and what is white; None: the values are real."""
        return None if self.maximum is None else (0.0, float(self.maximum))

    def describe_shape(self) -> str:
        """The kind and shape of one datum, in words."""
        if self.kind == "vector":
            return f"rows of {self.shape[0]:,} numbers"
        channels, height, width = self.shape
        colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        return f"images of {height} × {width}, {colour}"

    def check(self, dataset: Dataset) -> None:
        """Refuse data of another kind than the model was trained on.

        Raises:
            UserError: Another kind or shape, or other columns.
        """
        other = dataclasses.replace(self, kind=dataset.kind, shape=dataset.shape)
        if (self.kind, self.shape) != (other.kind, other.shape):
            hint = "; --resize brings images to a size" if self.kind == dataset.kind == "image" else ""
            raise UserError(
                f"The model was trained on {self.describe_shape()}, and {dataset.name} has {other.describe_shape()}: "
                f"give data of the same shape{hint}."
            )
        if self.columns and dataset.columns and self.columns != dataset.columns:
            odd = next(
                i for i, pair in enumerate(zip(self.columns, dataset.columns, strict=True)) if pair[0] != pair[1]
            )
            raise UserError(
                f"Column {odd + 1} of {dataset.name} is '{dataset.columns[odd]}', and the model was trained with "
                f"'{self.columns[odd]}' there: give the same columns in the same order."
            )


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
        """The lines of `metrics.jsonl`, one for each epoch; a last line that was not finished is left out.

        Raises:
            UserError: The file is damaged.
        """
        path = self.path("metrics.jsonl")
        if not path.exists():
            return []
        lines = path.read_text("utf-8", errors="replace").splitlines(keepends=True)
        entries: list[dict[str, Any]] = []
        for number, line in enumerate(lines, start=1):
            if number == len(lines) and not line.endswith("\n"):
                break
            try:
                entry = json.loads(line)
                entry["epoch"]
            except (json.JSONDecodeError, KeyError, TypeError):
                raise UserError(f"{path} is damaged in line {number}: delete that line, or the whole file.") from None
            entries.append(entry)
        return entries

    def append_metrics(self, entry: Mapping[str, Any]) -> None:
        """Add the line of an epoch.

        Where that epoch was reported before, its line and later ones are replaced: a resume reports again what came
        after the last saved state.

        Raises:
            UserError: It cannot be written.
        """
        path = self.path("metrics.jsonl")
        line = json.dumps(entry) + "\n"
        if self._last_epoch == entry["epoch"] - 1:
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write(line)
            except OSError as error:
                raise UserError(f"Cannot write {path} ({error.strerror}): free some space.") from error
        else:
            kept = [json.dumps(one) + "\n" for one in self.metrics() if one["epoch"] < entry["epoch"]]
            write_text(path, "".join([*kept, line]))
        self._last_epoch = entry["epoch"]

    _last_epoch: int | None = None
    """The epoch of the last line, where this object wrote it."""


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

"""The settings of a training: the `[training]` table of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

DEFAULT_EPOCHS = 100

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained.

    Raises:
        ValueError: A setting of the wrong type or out of range.
    """

    epochs: Count | None = None
    """Bound on the passes over the training data; where neither this nor `max_minutes` is given, 100."""
    max_minutes: Positive | None = None
    """Bound on the minutes by the clock, summed over interruptions; the schedules fit whichever bound comes first."""
    batch_size: Count = 128
    """Data in each step; what is left over at the end of an epoch waits for the next one."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Of Adam, at its highest."""
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Decay rates of Adam's averages of the gradient and of its square, per step."""
    warmup: Share = 0.01
    """Share of the training over which the learning rate rises from 0."""
    decay: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls over the training."""
    decay_to: Share = 0.0
    """What it falls to, as a share of `learning_rate`."""
    clip: Positive | None = None
    """Norm that the gradient of all weights together, in nats per unit, is cut back to; none: never."""
    average: Decay = 0.999
    """Decay rate, per step, of the average of the weights that is validated and kept; 0: the weights themselves are."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Validations without a better bound after which the training stops; 0: it never does."""
    validate_every: Count | Literal["auto"] = "auto"
    """Epochs from one validation to the next; auto: 1, or as many as keep it to a twentieth of the training."""
    max_skipped: Annotated[int, Field(ge=0)] = 20
    """Steps with a loss or gradient that is not finite that are skipped before the training stops with an error."""
    checkpoint_minutes: Annotated[float, Field(ge=0)] = 1.0
    """Minutes from one saving of the training's state to the next; 0: at every step."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """Where to compute: cpu, cuda or cuda:N; auto: cuda where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the networks compute in (weights and densities are float32); auto: bfloat16 where it is native."""
    compile: Literal["auto", "always", "never"] = "auto"
    """Whether to compile the model; auto: where the time that is left pays for it."""

    def __post_init__(self) -> None:
        """Check every setting."""
        for name, adapter in _adapters().items():
            try:
                object.__setattr__(self, name, adapter.validate_python(getattr(self, name)))
            except ValidationError as error:
                reasons = dict.fromkeys(entry["msg"].removeprefix("Input should be ") for entry in error.errors())
                value = getattr(self, name)
                raise ValueError(f"{name} = {value!r} does not fit: it must be {' or '.join(reasons)}.") from None

    @property
    def epoch_bound(self) -> int | None:
        """Bound on the epochs, with the default where no bound is given."""
        return DEFAULT_EPOCHS if self.epochs is None and self.max_minutes is None else self.epochs


@cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(TrainingSettings, include_extras=True)
    return {name: TypeAdapter(hint) for name, hint in hints.items()}

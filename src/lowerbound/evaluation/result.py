"""Everything that an evaluation finds, with its errors, its units and its protocol."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lowerbound.errors import UserError


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model on some data: nats per datum, unless the name says otherwise.

    A standard error is that of the mean over the data.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    examples: int
    """Data that the bound was computed on."""
    negative_elbo: float
    """−ELBO = distortion + rate."""
    negative_elbo_error: float
    """Its standard error."""
    distortion: float
    """E_q[−log p(x | z)]."""
    rate: float
    """KL(q(z | x) ‖ p(z))."""
    nll_examples: int
    """Data that were importance-sampled, the first ones."""
    particles: int
    """Importance samples for each datum, K."""
    nll: float
    """−log p(x), importance-sampled: in expectation above the true one, and below −ELBO on the same data."""
    nll_error: float
    """Its standard error."""
    effective_sample_size: float
    """Mean over the data, between 1 and K."""
    effective_sample_size_low: float
    """5 % quantile over the data."""
    latent_dim: int
    """Dimension of the code."""
    active_units: int
    """Latent dimensions whose posterior mean has a variance above 0.01 over the data (Burda et al. 2015)."""
    kl_per_dimension: tuple[float, ...]
    """Mean KL of each latent dimension; where a group's dimensions depend on one another, of the group."""
    bits_per_dimension: float | None
    """The NLL in bits for each entry of a datum, where that was asked for."""
    seed: int
    """Of every draw."""
    seconds: float
    """Time that it took."""
    protocol: str
    """What the figures mean, in words."""
    warnings: tuple[str, ...]
    """What makes the figures or the model doubtful, one sentence each."""

    def to_json(self) -> str:
        """JSON text, which `from_json` reads back equal."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "the evaluation") -> Self:
        """Read what `to_json` wrote.

        Args:
            text: The JSON.
            source: Where it comes from, for errors.

        Raises:
            UserError: It is not JSON, or a figure is missing, unknown, or of the wrong kind.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = f"{where}: {first['msg']}" if where else first["msg"]
            raise UserError(f"{source} is damaged ({what}): evaluate the model again.") from None

    def summary(self) -> list[str]:
        """The figures as lines for a person, names and values aligned."""
        rows = [
            ("−ELBO", f"{self.negative_elbo:.2f} ± {self.negative_elbo_error:.2f} nats", f"{self.examples:,} examples"),
            ("  distortion + rate", f"{self.distortion:.2f} + {self.rate:.2f} nats", ""),
            (
                "NLL",
                f"{self.nll:.2f} ± {self.nll_error:.2f} nats",
                f"{self.nll_examples:,} examples, {self.particles:,} importance "
                f"sample{'s' if self.particles > 1 else ''} each",
            ),
        ]
        if self.bits_per_dimension is not None:
            rows.append(("", f"{self.bits_per_dimension:.3f} bits per dimension", ""))
        rows += [
            (
                "effective sample size",
                f"{self.effective_sample_size:.1f} of {self.particles:,}",
                f"lowest 5 %: below {self.effective_sample_size_low:.1f}",
            ),
            ("active units", f"{self.active_units} of {self.latent_dim}", ""),
        ]
        names, values = (max(len(row[i]) for row in rows) for i in (0, 1))
        lines = [f"{name:<{names}}  {value:<{values}}  {note}".rstrip() for name, value, note in rows]
        return [*lines, *(f"Warning: {warning}" for warning in self.warnings)]

"""One step of the training: batch → trace → objective → gradient → update, without waiting for the device."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from lowerbound.models import LatentModel
from lowerbound.nn.convolutional import channels_last
from lowerbound.objectives import Objective, Value
from lowerbound.training.adam import Adam
from lowerbound.training.device import Decision, randomness

# The columns of the log.
LOSS, GRADIENT_NORM, DISTORTION, RATE = range(4)


class Step:
    """What happens to a batch.

    Args:
        model: On the device; it is brought into the layout that its convolutions prefer.
        objective: What is minimised.
        prepare: From stored values to what the model sees.
        optimizer: Of the parameters of the model and of the objective's own network.
        clip: Norm that the gradient is cut back to, or None.
        bfloat16: Whether the networks compute in bfloat16. Densities are float32 all the same: the heads see to that,
            and the objective is outside of the autocast.
    """

    def __init__(
        self,
        model: LatentModel,
        objective: Objective,
        prepare: Callable[[Tensor], Tensor],
        optimizer: Adam,
        *,
        clip: float | None,
        bfloat16: bool,
    ) -> None:
        self.model = model
        self.prepare = prepare
        self.optimizer = optimizer
        self.clip = clip
        self.device = optimizer.count.device
        self.progress = torch.zeros((), device=self.device)
        self.channels_last = channels_last(model)

        def evaluate(x: Tensor, context: Tensor | None, progress: Tensor) -> Value:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
                trace = model.trace(x, objective.particles, pathwise=objective.pathwise, context=context)
            return objective(trace, progress)

        self.evaluate = evaluate

    def __call__(
        self,
        stored: Shaped[Tensor, "B *event"],
        context: Float[Tensor, "B C"] | None,
        log: Float[Tensor, "4"],
        share: float,
        learning_rate: float,
    ) -> None:
        """Update the parameters, unless the loss or its gradient is not finite.

        Args:
            stored: The batch.
            context: A covariate of each datum, where the model is conditional.
            log: Where loss, gradient norm (before clipping), distortion and rate are written.
            share: Of the training that is done.
            learning_rate: Of this step.
        """
        value = self._differentiate(stored, context, share)
        with torch.no_grad():
            gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.optimizer.parameters]
            # torch's own clipping groups, checks and rescales, which costs as much again as the norm itself.
            norms = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateImportUsage]
            norm = torch.linalg.vector_norm(torch.stack(norms))
            log.copy_(torch.stack((value.loss, norm, value.distortion, value.rate)))
            divisor = None if self.clip is None else (norm / self.clip).clamp(min=1).float()
            self.optimizer.step(gradients, learning_rate, skip=skipped(log).float(), divisor=divisor)

    def _differentiate(self, stored: Tensor, context: Tensor | None, share: float) -> Value:
        self.progress.fill_(share)
        x = self.prepare(stored.to(self.device, non_blocking=True))
        if self.channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        if context is not None:
            context = context.to(self.device, non_blocking=True)
        value = self.evaluate(x, context, self.progress)
        for parameter in self.optimizer.parameters:
            parameter.grad = None
        # The two losses have no parameter in common, so that each is minimised as if it were alone.
        (value.loss if value.auxiliary is None else value.loss + value.auxiliary).backward()
        return value

    def rehearse(self, stored: Shaped[Tensor, "B *event"], context: Float[Tensor, "B C"] | None) -> float:
        """Go through the forward and the backward pass, and leave everything as it was.

        Returns:
            The seconds that it took.
        """
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        with randomness(self.device, seed=0):
            start = time.perf_counter()
            self._differentiate(stored, context, share=0.0)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            seconds = time.perf_counter() - start
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)
        return seconds

    def compile(self, stored: Shaped[Tensor, "B *event"], context: Float[Tensor, "B C"] | None) -> Decision | None:
        """Compile trace and objective as one graph for batches of this shape; of a recurrent model, one of its steps.

        Returns:
            The decision against it, where it fails; None where it works.
        """
        from torch._dynamo.exc import TorchDynamoException  # seconds of import that no other training needs

        # torch finds a closed-form KL for the first time in a way that cannot be compiled.
        self.rehearse(stored, context)
        eager = self.evaluate
        if self.model.recurrent:
            self.model.compiled = True
        else:
            self.evaluate = torch.compile(eager, fullgraph=True, dynamic=False)
        try:
            self.rehearse(stored, context)
        except TorchDynamoException as error:
            self.model.compiled, self.evaluate = False, eager
            reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
            return Decision("compile", "eager", f"compiling failed: {reason}")
        return None


def skipped(log: Float[Tensor, "*steps 4"]) -> Bool[Tensor, "*steps"]:
    """Which steps of the log were skipped: those whose loss or gradient norm is not finite."""
    return torch.isfinite(log[..., LOSS] + log[..., GRADIENT_NORM]).logical_not_()

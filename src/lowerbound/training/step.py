"""One step of the training: batch → trace → objective → gradient → update, without waiting for the device."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from lowerbound.models import LatentModel
from lowerbound.nn.convolutional import channels_last
from lowerbound.objectives import Objective
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

        def slopes(x: Tensor, context: Tensor | None, progress: Tensor) -> tuple[Tensor, list[Tensor]]:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
                trace = model.trace(x, objective.particles, pathwise=objective.pathwise, context=context)
            loss, distortion, rate, auxiliary = objective(trace, progress)
            # The two losses have no parameter in common, so that each is minimised as if it were alone.
            minimised = loss if auxiliary is None else loss + auxiliary
            gradients = torch.autograd.grad(minimised, optimizer.parameters, allow_unused=True, materialize_grads=True)
            # torch's own clipping groups, checks and rescales, which costs as much again as the norm itself.
            norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
            return torch.stack([each.detach() for each in (loss, norm, distortion, rate)]), list(gradients)

        self.slopes = slopes

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
        row, gradients = self._differentiate(stored, context, share)
        log.copy_(row)
        divisor = None if self.clip is None else (log[GRADIENT_NORM] / self.clip).clamp(min=1)
        self.optimizer.step(gradients, learning_rate, skip=skipped(log).float(), divisor=divisor)

    def _differentiate(self, stored: Tensor, context: Tensor | None, share: float) -> tuple[Tensor, list[Tensor]]:
        """The row of the log, and the gradient of each parameter."""
        self.progress.fill_(share)
        x = self.prepare(stored.to(self.device, non_blocking=True))
        if self.channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        if context is not None:
            context = context.to(self.device, non_blocking=True)
        return self.slopes(x, context, self.progress)

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
        """Compile trace, objective and gradient as one graph for batches of this shape; of a recurrent model, one of
        its steps.

        Returns:
            The decision against it, where it fails; None where it works.
        """
        import torch._dynamo  # seconds of import that no other training needs
        from torch._dynamo.exc import TorchDynamoException

        # torch finds a closed-form KL for the first time in a way that cannot be compiled.
        self.rehearse(stored, context)
        eager = self.slopes
        if self.model.recurrent:
            self.model.compiled = True
        else:
            self.slopes = torch.compile(eager, fullgraph=True, dynamic=False)
        try:
            # Trainings of one process share what was compiled where their models are alike; of unlike ones torch
            # allows eight by itself, and as many in all as are allowed here.
            with torch._dynamo.config.patch(trace_autograd_ops=True, recompile_limit=256):
                self.rehearse(stored, context)
        except TorchDynamoException as error:
            self.model.compiled, self.slopes = False, eager
            reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
            return Decision("compile", "eager", f"compiling failed: {reason}")
        return None


def skipped(log: Float[Tensor, "*steps 4"]) -> Bool[Tensor, "*steps"]:
    """Which steps of the log were skipped: those whose loss or gradient norm is not finite."""
    return torch.isfinite(log[..., LOSS] + log[..., GRADIENT_NORM]).logical_not_()

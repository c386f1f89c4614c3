"""Where and how to compute: device, precision, compilation. Each choice is made once and says why."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.errors import UserError

# Keys of torch.cpu.get_capabilities() that mean that the processor multiplies bfloat16 matrices itself. It need not be
# faster at that: AVX-512 alone was measured at half the speed of float32, with AMX it is twice to three times as fast.
NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
# How much faster it must be for the conversions around the products to pay.
BFLOAT16_GAIN = 1.5
# What compiling costs on two cores, in seconds, and the share of each step that it was measured to save: less on a
# processor where the step is the matrix products or convolutions, which compiling leaves as they are.
COMPILE_SECONDS = 60.0
COMPILE_GAIN = 0.25
COMPILE_GAIN_FLOAT32 = 0.1
COMPILE_GAIN_CONVOLUTIONAL = 0.06


@dataclass(frozen=True)
class Decision:
    """One choice that was made for the user."""

    what: str
    """"device", "precision" or "compile"."""
    choice: str
    reason: str
    """In words."""

    def __str__(self) -> str:
        return f"{self.what}: {self.choice}, because {self.reason}"


def choose_device(setting: str, made: Decision | None = None) -> Decision:
    """The device to compute on.

    Args:
        setting: "auto", or the name of a device.
        made: The decision of the training that is resumed, which stands.

    Raises:
        UserError: The device is not there.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if made:
        decision = made
    elif setting != "auto":
        decision = Decision("device", setting, "it was asked for")
    elif available:
        decision = Decision("device", "cuda", f"there is one ({torch.cuda.get_device_name()})")
    else:
        decision = Decision("device", "cpu", "there is no CUDA device")
    device = torch.device(decision.choice)
    if device.type == "cuda" and (device.index or 0) >= available:
        raise UserError(
            f"The training is to run on {device}, but torch sees {available} CUDA devices: set device = cpu."
        )
    return decision


def choose_precision(setting: str, device: torch.device) -> Decision:
    """What the networks compute in: "float32" or "bfloat16"."""
    if setting != "auto":
        return Decision("precision", setting, "it was asked for")
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Decision("precision", "bfloat16", "the GPU has it natively")
        return Decision("precision", "float32", "the GPU has no bfloat16 of its own")
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch cannot tell
    if not any(capabilities.get(name, False) for name in NATIVE_BFLOAT16):
        return Decision("precision", "float32", "the processor has no bfloat16 of its own")
    gain = bfloat16_gain()
    choice = "bfloat16" if gain > BFLOAT16_GAIN else "float32"
    return Decision("precision", choice, f"the processor multiplies matrices in bfloat16 at {gain:.1f} times the speed")


def bfloat16_gain() -> float:
    """How many times as fast as in float32 this processor multiplies matrices in bfloat16."""
    matrices = [torch.ones(512, 512, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    fastest = [float("inf")] * 2
    for _ in range(9):  # the fastest of several, in turn: other work on the machine only ever slows one down
        for i, matrix in enumerate(matrices):
            start = time.perf_counter()
            torch.mm(matrix, matrix)
            fastest[i] = min(fastest[i], time.perf_counter() - start)
    return fastest[0] / fastest[1]


def choose_compile(
    setting: str,
    device: torch.device,
    precision: str,
    seconds_left: Callable[[], float],
    *,
    recurrent: bool = False,
    convolutional: bool = False,
) -> Decision:
    """Whether to compile: "compiled" or "eager".

    Args:
        setting: "auto", "always" or "never".
        device: Where the model computes.
        precision: What its networks compute in.
        seconds_left: Measures how long the training would still take without compiling; it is called only where the
            rest does not decide.
        recurrent: Whether the model is a loop of many small steps, which compiling saves more of.
        convolutional: Whether it has convolutions over images, which were measured to be between a fifth slower and a
            fifteenth faster when compiled for a processor in float32, and a sixteenth faster in bfloat16.
    """
    if setting == "never":
        return Decision("compile", "eager", "it was asked for")
    if not has_cpp_compiler():
        return Decision("compile", "eager", "there is no C++ compiler (install g++ or clang++ to compile the model)")
    if setting == "always":
        return Decision("compile", "compiled", "it was asked for")
    gain = COMPILE_GAIN
    if device.type == "cpu" and not recurrent:
        if convolutional and precision == "float32":
            return Decision("compile", "eager", "it gains little, or loses, for convolutions on a processor in float32")
        if convolutional:
            gain = COMPILE_GAIN_CONVOLUTIONAL
        elif precision == "float32":
            gain = COMPILE_GAIN_FLOAT32
    left = seconds_left()
    gained = f"about {gain * left:.0f} s of the {left:.0f} s that are left would be gained"
    if gain * left > COMPILE_SECONDS:
        return Decision("compile", "compiled", gained)
    return Decision("compile", "eager", f"{gained}, and compiling takes about {COMPILE_SECONDS:.0f} s")


def has_cpp_compiler() -> bool:
    """Whether torch.compile will find a C++ compiler."""
    candidates = (os.environ.get("CXX"), "g++", "clang++", "cl")
    return any(shutil.which(name) for name in candidates if name)


def fits_on(device: torch.device, data: Tensor) -> bool:
    """Whether the data leaves at least half of the device's free memory to the model."""
    return device.type != "cuda" or 2 * data.nbytes <= torch.cuda.mem_get_info(device)[0]


@contextmanager
def randomness(device: torch.device, seed: int) -> Iterator[dict[str, torch.Generator]]:
    """torch's default generators of processor and device, seeded inside and as they were before outside."""
    generators = {"cpu": torch.default_generator}
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators["cuda"] = torch.cuda.default_generators[index]
    before = {name: generator.get_state() for name, generator in generators.items()}
    for generator in generators.values():
        generator.manual_seed(seed)
    try:
        yield generators
    finally:
        for name, generator in generators.items():
            generator.set_state(before[name])

"""The machine that a race is run on."""

from __future__ import annotations

import os
import platform
from datetime import date
from functools import cache
from pathlib import Path

import torch

from lowerbound.evaluation.batches import Precision
from lowerbound.training.device import choose_precision

_CACHE = Path("/sys/devices/system/cpu/cpu0/cache")


@cache
def precisions() -> tuple[Precision, ...]:
    """What ours computes in: float32, and bfloat16 where a training would choose it."""
    chosen = choose_precision("auto", torch.device("cpu")).choice
    return ("float32", "bfloat16") if chosen == "bfloat16" else ("float32",)


def machine() -> str:
    """Processor, cores, caches, whether it has AMX, memory and date."""
    cpu = _cpu_fields()
    family = f" (family {cpu['cpu family']}, model {cpu['model']})" if "model" in cpu else ""
    flags = cpu.get("flags", "").split()
    units = ", ".join(
        name if flag in flags else f"no {name}"
        for name, flag in (("AVX-512", "avx512f"), ("bfloat16", "avx512_bf16"), ("AMX", "amx_bf16"))
    )
    name = cpu.get("model name", platform.processor() or platform.machine())
    parts = [f"{name}{family}", f"{os.cpu_count()} cores"]
    if flags:
        parts.append(units)
    if caches := _caches():
        parts.append(f"caches {caches}")
    parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory")
    parts.append(f"Python {platform.python_version()}")
    return f"{'; '.join(parts)}; {date.today():%Y-%m-%d}"


def _cpu_fields() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    pairs = (line.partition(":") for line in path.read_text().split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _caches() -> str:
    """Those of the first core, such as "L1 48K, L2 2048K, L3 266240K"."""
    found = []
    for index in sorted(_CACHE.glob("index*")):
        kind, level, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found)

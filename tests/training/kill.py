"""A training that is killed again and again, as a program of its own: `python kill.py DIRECTORY KILLS`.

Children are forked from one process, which has imported torch once and started no threads. Prints a line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from lowerbound.training.state import NAME, SavedState
from training.cases import Training

EPOCHS = 500
CHANGES = {"epochs": EPOCHS, "checkpoint_minutes": 0.0003, "validate_every": 7}


def await_savings(path: Path, count: int) -> None:
    """Return when a file was replaced so many times; the first saving of a child is that of where it begins."""
    for _ in range(count):
        before, deadline = stamp(path), time.monotonic() + 60
        while stamp(path) == before and time.monotonic() < deadline:
            time.sleep(0.001)


def stamp(path: Path) -> int:
    """When a file was written; 0 where it is not there."""
    return path.stat().st_mtime_ns if path.exists() else 0


def main(directory: Path, kills: int) -> None:
    torch.set_num_threads(1)
    generator = random.Random(0)
    broken = directory / "broken"
    steps, killed = [], 0
    while killed < kills:
        child = os.fork()
        if child == 0:
            Training(broken, changes=CHANGES).run(resume=True)
            os._exit(0)
        # Some before anything is saved; whatever the speed of the machine, most after a step or two.
        await_savings(broken / NAME, generator.choice((0, 2, 2, 3)))
        time.sleep(generator.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            break  # it had come to its end
        killed += 1
        saved = SavedState.read(broken)
        steps.append(saved.position.step if saved else 0)
    whole, last = Training(directory / "whole", changes=CHANGES), Training(broken, changes=CHANGES)
    whole.run()
    last.run(resume=True)
    (tensors, position), (others, other_position) = whole.state(), last.state()
    weights, other_weights = whole.model.state_dict(), last.model.state_dict()
    report = {
        "killed": killed,
        "steps": steps,
        "end": position["step"],
        "different": [name for name in tensors if not torch.equal(tensors[name], others[name])]
        + [name for name in weights if not torch.equal(weights[name], other_weights[name])]
        + [name for name in position if position[name] != other_position[name]],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

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

from lowerbound.training.state import SavedState
from training.cases import Training

EPOCHS = 500
CHANGES = {"epochs": EPOCHS, "checkpoint_minutes": 0.0003, "validate_every": 7}


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
        time.sleep(generator.uniform(0.0, 0.25))
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

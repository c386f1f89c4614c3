"""A virtual environment for each peer, from the versions in `benchmarks/peers/`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from lowerbound.errors import UserError

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / "benchmarks" / ".environments"
OURS = "lowerbound"


def python_of(environment: str) -> str:
    """The interpreter of an environment; our own is the one that this runs in."""
    if environment == OURS:
        return sys.executable
    return str(ENVIRONMENTS / environment / "bin" / "python")


def build(environment: str, *, fresh: bool) -> None:
    """Make an environment, unless it is there with these versions.

    Args:
        environment: One of `peers/`, or our own, for which there is nothing to do.
        fresh: Whether to make it anew in any case.

    Raises:
        UserError: Something cannot be installed.
    """
    if environment == OURS:
        return
    wanted, directory = PEERS / f"{environment}.txt", ENVIRONMENTS / environment
    stamp = directory / "installed.txt"
    if not fresh and stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    print(f"making the environment of {environment}", file=sys.stderr)
    shutil.rmtree(directory, ignore_errors=True)
    venv.create(directory, with_pip=True)
    pip = [python_of(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "-r", str(wanted)]).returncode:
        raise UserError(f"The environment of {environment} cannot be made: see what pip says above about {wanted}.")
    stamp.write_text(wanted.read_text())


def versions(environment: str, packages: tuple[str, ...]) -> dict[str, str]:
    """The versions of some packages there, as pip has them."""
    program = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    found = subprocess.run(
        [python_of(environment), "-c", program, *packages], capture_output=True, text=True, check=True
    )
    return {name: value.partition("+")[0] for name, value in json.loads(found.stdout).items()}

"""The contender's side of a race: a line of JSON comes in, and a line of JSON goes out.

Nothing but the standard library, so that it runs in every contender's environment. The first line that comes in holds
the settings of the race. Then each line is the start of a turn, and is answered with the seconds that it took. The end
of the input is the end of the race.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


class Track:
    """Where a contender runs. Whatever it prints goes to the standard error, which is its log."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._began = 0.0
        self._ended: float | None = None
        self.settings: dict[str, Any] = json.loads(sys.stdin.readline())

    def ready(self, **facts: Any) -> None:
        """Say that the first turn may begin, with facts for the table, and wait for it."""
        self._answer({"facts": facts})
        self._wait()

    def stop(self) -> None:
        """Stop the clock: what still comes before `lap` belongs to no turn."""
        self._ended = time.perf_counter()

    def lap(self, **figures: Any) -> None:
        """Say that the turn is over, with what it led to, and wait for the next one."""
        ended = time.perf_counter() if self._ended is None else self._ended
        self._answer({"seconds": ended - self._began, "figures": figures})
        self._wait()

    def fail(self, error: Exception) -> None:
        """Say why there will be no more turns."""
        self._answer({"error": f"{type(error).__name__}: {error}".splitlines()[0]})

    def _answer(self, what: Mapping[str, Any]) -> None:
        print(json.dumps(what), file=self._answers, flush=True)

    def _wait(self) -> None:
        if not sys.stdin.readline():
            raise SystemExit
        self._ended = None
        self._began = time.perf_counter()


def take_part(contests: Mapping[str, Callable[[Track], None]]) -> None:
    """Take part in the contest that the settings name."""
    track = Track()
    try:
        contests[track.settings["contest"]](track)
    except Exception as error:
        track.fail(error)
        raise

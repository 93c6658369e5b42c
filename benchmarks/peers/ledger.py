"""What a peer's handlers saw: which jobs ran how often, when, and how long each had waited.

Kept outside of Redis and outside of the queue under test, so that a queue cannot vouch for
itself. Standard library only.
"""

import base64
import time
from array import array
from itertools import pairwise
from typing import Any


def now_us() -> float:
    """Microseconds of CLOCK_MONOTONIC, which all processes of a machine share."""
    return time.monotonic_ns() / 1000


class Ledger:
    """Counts the runs of the jobs 0 … expected - 1 and reports once all have been seen.

    With `enough`, so many seen jobs complete it, and the moments of the runs are kept.
    `warm` runs come before the measured window, which ends with the run that makes all jobs seen.
    Not thread-safe by itself: handlers of threaded peers call `record` under their own lock.
    """

    def __init__(self, *, expected: int, warm: int = 0, enough: int | None = None) -> None:
        self.expected = expected
        self._enough = expected if enough is None else enough
        self._moments_us: array[float] | None = None if enough is None else array("d")
        self._warm = max(warm, 1)
        self._counts = bytearray(expected)
        self._distinct = 0
        self._runs = 0
        self._unknown = 0
        self._window_from = 0.0
        self._window_to = 0.0
        self._first_us = 0.0
        self._waits_us = array("d")

    def record(self, index: int, added_us: float | None = None) -> bool:
        """Note that the handler of job `index` runs; True exactly when it completes the ledger.

        With `added_us`, the moment before its add by `now_us`, the wait is kept.
        """
        moment = now_us()
        self._runs += 1
        if self._runs == 1:
            self._first_us = moment
        if self._moments_us is not None:
            self._moments_us.append(moment)
        if self._runs == self._warm:
            self._window_from = moment
        if added_us is not None:
            self._waits_us.append(moment - added_us)
        if not 0 <= index < self.expected:
            self._unknown += 1
            return False
        runs = self._counts[index]
        self._counts[index] = min(runs + 1, 255)
        if runs:
            return False
        self._distinct += 1
        self._window_to = moment
        return self._distinct == self._enough

    def record_all(self, since_us: float) -> None:
        """Note that all expected jobs were done once in one stretch that began at `since_us`."""
        self._counts = bytearray(b"\1" * self.expected)
        self._runs = self._distinct = self.expected
        self._warm = 0
        self._window_from, self._window_to = since_us, now_us()

    def progress(self) -> dict[str, Any]:
        """Jobs seen so far, and the moments of the first and the last new one."""
        return {"seen": self._distinct, "first_us": self._first_us, "last_us": self._window_to}

    def figures(self) -> dict[str, Any]:
        """What the harness wants to know; `counts` has one byte per job, in base64."""
        moments = self._moments_us or ()
        return {
            "runs": self._runs,
            "unknown": self._unknown,
            "counts": base64.b64encode(bytes(self._counts)).decode(),
            "window_jobs": max(self._distinct - self._warm, 0),
            "window_s": max(self._window_to - self._window_from, 0.0) / 1e6,
            "waits_us": [round(wait, 1) for wait in self._waits_us],
            "gaps_us": [round(after - before, 1) for before, after in pairwise(moments)],
        }

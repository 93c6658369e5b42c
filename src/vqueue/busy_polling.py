"""Busy polling: looking for a reply until it is there, instead of letting the core fall asleep.

A core with nothing to do sleeps, and a reply that has come waits until it is awake again: on a
virtual machine that takes 50 us and more, a third of a call to a Redis on the same machine.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from datetime import timedelta

from vqueue.errors import InvalidOption

#: Seconds for which a loop may be kept at most: more would be felt by what else runs in it.
_LONGEST = 0.001
#: Replies that are not looked for after one that did not come in time: 1, 3, 7, … and this.
_MOST_SKIPPED = 63


def check_busy_poll(value: float | timedelta) -> float:
    """Return the option as seconds. Raises InvalidOption unless it is 0 to 0.001."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= _LONGEST:
        raise InvalidOption(
            f"busy_poll must be 0 to {_LONGEST:g} s (1 ms), not {value!r}: the event loop does "
            "nothing else in that time"
        )
    return seconds


class BusyPoll:
    """Waits for one socket to be readable, at most `seconds` at a time.

    Where replies take longer, of a server far away, or one that has no core of its own, waiting
    is in vain: then it is tried less and less often, down to every 64th time.
    """

    def __init__(
        self, fileno: int, seconds: float, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        poll = select.poll()
        poll.register(fileno, select.POLLIN)
        self._poll = poll.poll
        self._seconds = seconds
        self._clock = clock
        #: How many times it is not tried, after the last time in vain; and those still to come.
        self._skips = 0
        self._skips_left = 0

    def wait(self) -> None:
        """Return when the socket is readable, when the time is over, or when it is not tried."""
        if self._skips_left:
            self._skips_left -= 1
            return
        deadline = self._clock() + self._seconds
        while not self._poll(0):
            if self._clock() >= deadline:
                self._skips = min(2 * self._skips + 1, _MOST_SKIPPED)
                self._skips_left = self._skips
                return
        self._skips = 0

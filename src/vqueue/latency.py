"""How long jobs wait and run: sampled by workers, kept as counts of buckets for an hour.

A worker looks at one job of each finish call, so a queue in which few jobs end together is
measured whole, and a busy one at no cost per job. A bucket is an eighth of an octave: a
percentile is right within 5 %, in a few hundred bytes per five minutes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from vqueue.activation import Activation
from vqueue.scripts import Scripts

#: Milliseconds of one window, and windows that are kept; lua/latencies.lua has the same.
WINDOW_MS, WINDOWS = 300_000, 13
#: Buckets of one doubling.
_PER_OCTAVE = 8
#: Seconds that are not told apart from less.
_SHORTEST = 1e-4


def bucket_of(seconds: float) -> int:
    """Return the bucket that a time falls into."""
    return round(_PER_OCTAVE * math.log2(max(seconds, _SHORTEST)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """A distribution of times."""

    #: Bucket → samples.
    buckets: Mapping[int, int]

    @property
    def count(self) -> int:
        """Samples."""
        return sum(self.buckets.values())

    def percentile(self, percent: float) -> float | None:
        """Return the seconds that so many percent of the samples do not exceed, about; None
        without samples."""
        wanted = self.count * percent / 100
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return float(2 ** (bucket / _PER_OCTAVE))
        return None


class LatencySamples:
    """The samples of one worker: a duty that sends them."""

    #: Seconds of which a worker that dies takes the samples with it.
    interval = 5.0

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._counts: Counter[str] = Counter()

    def note(self, activation: Activation) -> None:
        """Look at a job whose handler has ended just now."""
        self._counts[f"r{bucket_of(activation.ran_for())}"] += 1
        if (waited := activation.waited_for()) is not None:
            self._counts[f"w{bucket_of(waited)}"] += 1

    async def run_once(self) -> None:
        """Send what was noted. Raises QueueUnavailable; then nothing is noted any more."""
        counts, self._counts = self._counts, Counter()
        if counts:
            await self._scripts.latencies(counts=counts)

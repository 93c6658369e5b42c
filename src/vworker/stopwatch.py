"""How long each phase of an attempt takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vworker.contract import PhaseTimings


@dataclass(kw_only=True, slots=True)
class Stopwatch:
    """Wall seconds per phase."""

    laps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Measure the block as a phase, one of the names of `PhaseTimings` without its unit."""
        start = time.perf_counter()
        yield
        self.laps[name] = time.perf_counter() - start

    def timings(self) -> PhaseTimings:
        """Return what was measured."""
        return PhaseTimings(**{f"{name}_s": round(value, 3) for name, value in self.laps.items()})

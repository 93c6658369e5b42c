"""Wall and processor time of a stretch of this process's life, its children apart."""

import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one run took, in seconds."""

    wall_s: float
    #: Of children that have ended: FFmpeg and ffprobe, with the sandbox's own watcher.
    children_cpu_s: float
    #: Of this process, all its threads.
    own_cpu_s: float


class Clock:
    """Starts when it is made."""

    def __init__(self) -> None:
        self._children_cpu_s = _cpu_s(resource.RUSAGE_CHILDREN)
        self._own_cpu_s = _cpu_s(resource.RUSAGE_SELF)
        self._start = time.perf_counter()

    def cost(self) -> Cost:
        """What it took up to now; a child counts when it has been waited for."""
        return Cost(
            wall_s=round(time.perf_counter() - self._start, 3),
            children_cpu_s=round(_cpu_s(resource.RUSAGE_CHILDREN) - self._children_cpu_s, 3),
            own_cpu_s=round(_cpu_s(resource.RUSAGE_SELF) - self._own_cpu_s, 3),
        )


def _cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime

"""Why a job stalled, as lua/include/workers.lua has kept it with the job."""

from __future__ import annotations

from dataclasses import dataclass

from vqueue.codec import decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Stall:
    """Why a job counted as stalled the last time. None where nobody knows."""

    #: Seconds since the epoch by the server's clock.
    at: float
    #: lock_duration: its lease ran out; max_loop_lag: the same, since the worker's event loop
    #: stood still; worker_death: a supervisor saw its worker die.
    limit: str
    #: Seconds of the lease.
    lock_duration: float | None
    #: The worker that had it, and where that ran.
    consumer: str | None
    host: str | None
    pid: int | None
    #: When the worker spoke last, in seconds since the epoch by the server's clock.
    last_heartbeat: float | None
    #: Seconds that its event loop was late then.
    loop_lag: float | None


def read_stall(raw: bytes) -> Stall:
    """Read what sweep.lua has kept with a job."""
    kept = decode(raw)

    def seconds(name: str) -> float | None:
        return kept[name] / 1000 if name in kept else None

    return Stall(
        at=kept["at"] / 1000,
        limit=kept["limit"],
        lock_duration=seconds("lock_duration"),
        consumer=kept.get("consumer"),
        host=kept.get("host"),
        pid=kept.get("pid"),
        last_heartbeat=seconds("last_heartbeat"),
        loop_lag=seconds("loop_lag"),
    )

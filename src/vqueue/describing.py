"""Describing: the part of Queue that tells its settings and what it takes of Redis' memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from vqueue.inspecting import Inspecting
from vqueue.job import JobState
from vqueue.options import RateLimit, check_count

#: Jobs of a state whose memory is looked at.
_SAMPLED = 50
_DEFAULT_EVENTS_CAP = 10_000
#: Keys of the queue that are not of single jobs.
_SHARED = ("meta", "ready", "express", "prioritized", "delayed", "children", "completed", "failed")


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueMeta:
    """The settings of a queue, as they are stored in Redis for all that use it."""

    #: Version of the library, of the worker that joined last; None before the first one.
    version: str | None
    is_paused: bool
    #: See `Queue.set_global_concurrency` and `set_global_rate_limit`.
    concurrency: int | None
    rate_limit: RateLimit | None
    #: Events that are kept at least.
    events_cap: int
    #: Events that there have been.
    events: int
    #: Seconds; the longest `lock_duration` of its workers so far.
    longest_lease: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryReport:
    """What a queue takes of Redis' memory, in bytes."""

    #: By key, without the queue's prefix: the lines, sets and events.
    keys: dict[str, int]
    #: By state, what the jobs take with their logs: estimated from the newest 50 of each.
    jobs: dict[JobState, int]
    #: Of the server, all that is in it; and its limit, None for none.
    used_bytes: int
    max_bytes: int | None

    @property
    def total_bytes(self) -> int:
        """What the queue takes."""
        return sum(self.keys.values()) + sum(self.jobs.values())


class Describing(Inspecting):
    """Tells of the queue as a whole."""

    async def get_meta(self) -> QueueMeta:
        """Return the queue's settings."""
        limits = await self._scripts.limits()
        told = await self._client.execute(
            "HMGET", self.keys.meta, "version", "events_cap", "n", "lease"
        )
        version, events_cap, events, lease_ms = told
        rate_limit = None
        if limits.limit_max is not None and limits.limit_ms is not None:
            rate_limit = RateLimit(max=limits.limit_max, duration=limits.limit_ms / 1000)
        return QueueMeta(
            version=version and str(version, "ascii"),
            is_paused=limits.is_paused,
            concurrency=limits.concurrency,
            rate_limit=rate_limit,
            events_cap=int(events_cap or _DEFAULT_EVENTS_CAP),
            events=int(events or 0),
            longest_lease=int(lease_ms) / 1000 if lease_ms else None,
        )

    async def set_events_cap(self, events_cap: int) -> None:
        """Keep at least so many events (10,000 unless set), and at most about twice as many.

        More are kept while durable readers have not read them, up to twenty times as many.
        """
        check_count(events_cap, what="events_cap", low=100)
        await self._client.execute("HSET", self.keys.meta, "events_cap", events_cap)

    async def memory_report(self) -> MemoryReport:
        """Return what the queue takes of Redis' memory, by its parts.

        Asks for the memory of at most 50 jobs a state; large sets are estimated by the server.
        """
        names = [*_SHARED, "ev"]
        sizes = await self._sizes([self.keys.prefix + name for name in names])
        counts = await self.get_job_counts()
        jobs = {}
        for state, count in counts.items():
            ids = [job.id for job in (await self.get_jobs_in(state, limit=_SAMPLED)).jobs]
            keys = [
                key for i in ids for key in (self.keys.job(i), self.keys.live(i), self.keys.log(i))
            ]
            sampled = sum(await self._sizes(keys))
            jobs[state] = sampled * count // len(ids) if ids else 0
        info = (await self._client.execute("INFO", "memory")).decode()
        memory = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        return MemoryReport(
            keys={name: size for name, size in zip(names, sizes, strict=True) if size},
            jobs=jobs,
            used_bytes=int(memory["used_memory"]),
            max_bytes=int(memory["maxmemory"]) or None,
        )

    async def _sizes(self, keys: list[str]) -> list[int]:
        """Return the memory of each key, 0 for one that does not exist."""
        asked = (self._client.execute("MEMORY", "USAGE", key) for key in keys)
        return [size or 0 for size in await asyncio.gather(*asked)]

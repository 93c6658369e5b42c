"""Describing: the part of Queue that tells its settings and what it takes of Redis' memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from vqueue.inspecting import Inspecting
from vqueue.options import RateLimit
from vqueue.quantities import check_count
from vqueue.states import JobState

#: Jobs of a state, and keys of a kind, whose memory is looked at.
_SAMPLED = 50
_DEFAULT_EVENTS_CAP = 10_000
#: The keys that are told by the states of their jobs.
_OF_JOBS = "j:*"
#: What the keys of one job end with, see keys.py.
_JOB_KEYS = ("", ":x", ":log", ":par", ":deps", ":vals", ":ign", ":bad")


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

    #: By key, without the queue's prefix: the lines, sets and events; and by kind, the keys that
    #: there are many of, such as ``gone:*`` (tombstones), ``dd:*`` (deduplication), ``g:*``
    #: (groups), ``sched:*``, ``part:*`` (partial results): estimated from 50 keys of each.
    keys: dict[str, int]
    #: By the same names, how many keys there are: all of the queue, those of jobs as ``j:*``.
    key_counts: dict[str, int]
    #: By state, what the jobs take with all that is kept of them: estimated from the newest 50
    #: of each.
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

        Looks at all keys of the database, in steps, and asks for the memory of at most 50 of a
        kind; large sets are estimated by the server. Keys that come and go meanwhile may be
        counted twice or not at all.
        """
        key_counts, samples = await self._kinds_of_keys()
        keys = {}
        for kind, names in samples.items():
            sampled = sum(await self._sizes([self.keys.prefix + name for name in names]))
            keys[kind] = sampled * key_counts[kind] // len(names)
        jobs = {}
        for state, count in (await self.get_job_counts()).items():
            ids = [job.id for job in (await self.get_jobs_in(state, limit=_SAMPLED)).jobs]
            of_jobs = [self.keys.job(i) + part for i in ids for part in _JOB_KEYS]
            sampled = sum(await self._sizes(of_jobs))
            jobs[state] = sampled * count // len(ids) if ids else 0
        info = (await self._client.execute("INFO", "memory")).decode()
        memory = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        return MemoryReport(
            keys=keys,
            key_counts=key_counts,
            jobs=jobs,
            used_bytes=int(memory["used_memory"]),
            max_bytes=int(memory["maxmemory"]) or None,
        )

    async def _kinds_of_keys(self) -> tuple[dict[str, int], dict[str, list[str]]]:
        """Return by kind how many keys there are, and some of them; of jobs the number only."""
        key_counts: dict[str, int] = {}
        samples: dict[str, list[str]] = {}
        async for page in self._names():
            for name in page:
                head, colon, _ = name.partition(":")
                kind = f"{head}:*" if colon else head
                key_counts[kind] = key_counts.get(kind, 0) + 1
                if kind != _OF_JOBS and len(found := samples.setdefault(kind, [])) < _SAMPLED:
                    found.append(name)
        return key_counts, samples

    async def _sizes(self, keys: list[str]) -> list[int]:
        """Return the memory of each key, 0 for one that does not exist."""
        asked = (self._client.execute("MEMORY", "USAGE", key) for key in keys)
        return [size or 0 for size in await asyncio.gather(*asked)]

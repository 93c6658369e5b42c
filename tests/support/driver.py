"""The scripts of one queue with short arguments: transitions without a Worker around them."""

from typing import Any

from tests.support.invariants import check_invariants
from tests.support.queue_dump import QueueDump, dump_queue
from tests.support.waiting import until
from vqueue.connection import open_client
from vqueue.job_events import JobEvent, expand
from vqueue.keys import QueueKeys
from vqueue.options import DEFAULT_STACK_TRACE_LIMIT
from vqueue.outcome import Outcome
from vqueue.record import NewRecord, Settlement, Snapshot, TakenJob, settlement
from vqueue.scripts import Finished, Scripts, Taken

#: A lease that does not run out within a test.
LONG_MS = 60_000
#: A lease that a test waits out.
SHORT_MS = 200

KEEP_ALL = "-1 -1"
KEEP_NONE = "0 -1"


def settle(
    job: TakenJob,
    outcome: str = "completed",
    *,
    value: bytes = b'"done"',
    rule: str = KEEP_ALL,
    progress: bytes = b"",
    consumer: str = "w1",
    stack: str = "",
    stack_limit: int = DEFAULT_STACK_TRACE_LIMIT,
) -> Settlement:
    """How finish.lua is to settle a job, as a worker would say it."""
    if outcome == "waiting":
        rule = ""
    return settlement(
        job,
        Outcome(outcome, value, stack, rule, stack_limit),
        consumer=consumer,
        started_ms=1,
        progress=progress,
        unsent=progress,
    )


def ids(taken: Taken) -> list[str]:
    """The ids of taken jobs in their order."""
    return [job.id.decode() for job in taken.jobs]


class Driver:
    """Calls the scripts of one queue as consumer w1, unless told otherwise."""

    def __init__(self, redis_url: str, queue_name: str) -> None:
        self.redis_url = redis_url
        self.queue_name = queue_name
        self.keys = QueueKeys(queue_name)
        self.client = open_client(redis_url)
        self.scripts = Scripts(self.client, self.keys)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def redis(self, *args: str | bytes | int | float) -> Any:
        """Send one command."""
        return await self.client.execute(*args)

    async def add(
        self,
        *job_ids: str,
        data: bytes = b"null",
        options: bytes = b"",
        delay_ms: int = 0,
        place: str = "0",
    ) -> list[int | str]:
        """Add jobs in one call: 1 added, 0 duplicated, or the id that stands for it."""
        return await self.scripts.add(
            jobs=[
                NewRecord(job_id, b'"task"\n%b\n%b' % (options, data), (delay_ms, place, "task"))
                for job_id in job_ids
            ]
        )

    async def take(self, want: int = 1, *, consumer: str = "w1", lease_ms: int = LONG_MS) -> Taken:
        """Take up to `want` jobs."""
        return await self.scripts.take(consumer=consumer, want=want, lease_ms=lease_ms)

    async def take_one(self, *, consumer: str = "w1", lease_ms: int = LONG_MS) -> TakenJob:
        """Take one job, which must be there."""
        (job,) = (await self.take(consumer=consumer, lease_ms=lease_ms)).jobs
        return job

    async def take_when_due(self) -> TakenJob:
        """Take the one job that is there or will be."""
        jobs: list[TakenJob] = []

        async def taken() -> bool:
            jobs.extend((await self.take()).jobs)
            return bool(jobs)

        await until(taken, what="a job to be due")
        return jobs[0]

    async def finish(self, *jobs: Settlement, consumer: str = "w1", want: int = 0) -> Finished:
        """Settle jobs made by `settle`."""
        return await self.scripts.finish(consumer=consumer, want=want, lease_ms=LONG_MS, jobs=jobs)

    async def sweep(self, *, max_stalled: int = 1, dead: str = "") -> tuple[int, int, bool]:
        """Look for stalled jobs; return (recovered, failed, whether a repair is needed)."""
        swept = await self.scripts.sweep(max_stalled=max_stalled, keep=KEEP_ALL, dead_consumer=dead)
        return swept.recovered, swept.failed, swept.needs_repair

    async def snapshot(self, job_id: str) -> Snapshot | None:
        """What the queue knows of one job."""
        return (await self.scripts.snapshot(ids=[job_id])).jobs[0]

    async def state(self, job_id: str) -> str | None:
        """The state of one job, None when there is no such job."""
        snapshot = await self.snapshot(job_id)
        return snapshot and snapshot.state

    async def events(self) -> list[JobEvent]:
        """All events that are kept."""
        entries = await self.redis("XRANGE", self.keys.ev, "-", "+")
        return [event for entry_id, fields in entries for event in expand(entry_id, fields)]

    async def history(self, job_id: str) -> list[str]:
        """The names of one job's events."""
        return [event.name for event in await self.events() if event.job_id == job_id]

    async def dump(self) -> QueueDump:
        """All keys of the queue."""
        return await dump_queue(self.redis_url, self.queue_name)

    async def wipe(self) -> None:
        """Delete every key of the queue, as FLUSHALL would on a server of its own.

        Returns in a later millisecond than the queue's clock: nobody loses a server and
        gets a new one within the same one, and ids go on by the clock.
        """
        clock = int(await self.redis("HGET", self.keys.meta, "ms") or 0)
        if keys := await self.redis("KEYS", self.keys.prefix + "*"):
            await self.redis("DEL", *keys)
        await self._pass(clock)

    async def pass_millisecond(self) -> None:
        """Return in a later millisecond than the last that the queue has counted."""
        await self._pass(int(await self.redis("HGET", self.keys.meta, "ms") or 0))

    async def _pass(self, clock: int) -> None:
        async def is_past() -> bool:
            return await self.now_ms() > clock

        await until(is_past, what="the next millisecond")

    async def now_ms(self) -> int:
        """The server's time."""
        seconds, micros = await self.redis("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def check(self, *, idle: bool = False) -> None:
        """Prove the invariants."""
        await check_invariants(self.redis_url, self.queue_name, idle=idle)


async def expire(driver: Driver, token: bytes) -> None:
    """Let a lease run out at once: the entry's idle time is set ahead."""
    lane = driver.keys.express if token.startswith(b"x") else driver.keys.ready
    entry = token.removeprefix(b"x")
    consumer = (await driver.redis("XPENDING", lane, "workers", entry, entry, 1))[0][1]
    await driver.redis("XCLAIM", lane, "workers", consumer, 0, entry, "IDLE", LONG_MS, "JUSTID")


async def fsync_always(redis_url: str) -> None:
    """Have a server write each change before it answers.

    With everysec it may hold changes back while an fsync takes long: a test that kills the
    server would then depend on how busy the disk is.
    """
    client = open_client(redis_url)
    await client.execute("CONFIG", "SET", "appendfsync", "always")
    await client.aclose()

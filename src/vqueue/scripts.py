"""The Lua scripts of lua/, one typed method each: the only way to change a job's state.

Owns argument packing and reply unpacking; script_calls.py sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from redis.exceptions import AskError, NoScriptError, ResponseError

from vqueue.clean_scripts import CleanScripts
from vqueue.edit_scripts import EditScripts
from vqueue.errors import TooManySubscribers
from vqueue.explain_scripts import ExplainScripts
from vqueue.group_scripts import GroupScripts
from vqueue.limit_scripts import LimitScripts
from vqueue.record import NewRecord, Settlement, Snapshot, TakenJob
from vqueue.schedule_scripts import ScheduleScripts
from vqueue.sweep_scripts import SweepScripts
from vqueue.wire import Argument

#: Jobs that one script call adds, reads or renews: it takes less than 5 ms of Redis time.
MAX_BATCH = 250
#: Jobs that one call takes or finishes: each may cost four times as much.
MAX_HELD_BATCH = 100


class Taken(NamedTuple):
    """Reply of a take: the server's time, the jobs, ms until there may be more or -1."""

    now_ms: int
    jobs: list[TakenJob]
    due_ms: int


class Finished(NamedTuple):
    """Reply of a finish: a status per job (1 ok, 2 done before, 0 lease lost), then what
    a take answers."""

    statuses: list[int]
    taken: Taken


class Heartbeat(NamedTuple):
    """Reply of a heartbeat."""

    #: Tokens whose lease is lost.
    lost: list[bytes]
    #: Why held jobs are cancelled (JSON), by token.
    cancelled: dict[bytes, bytes]


class Snapshots(NamedTuple):
    """Snapshots of some jobs (None: unknown) as of one version of the queue."""

    version: tuple[int, int]
    jobs: list[Snapshot | None]


@cache
def library_version() -> str:
    """Return the version of this library as it is installed."""
    try:
        return version("vqueue")
    except PackageNotFoundError:
        return "0+source"  # on the path, and not installed


def _taken(now_ms: int, told: list[bytes], due_ms: int) -> Taken:
    taken = [TakenJob(*job) for job in zip(told[1::3], told[::3], told[2::3], strict=True)]
    return Taken(now_ms, taken, due_ms)


class Scripts(
    CleanScripts,
    EditScripts,
    ExplainScripts,
    LimitScripts,
    ScheduleScripts,
    SweepScripts,
    GroupScripts,
):
    """The scripts of one queue over one client, see ScriptCalls.

    Calls that hand out jobs (take, finish, adopt) are sent once: the worker must first
    learn what a lost reply held.
    """

    async def open(self, *, lease_ms: int) -> int:
        """Join the queue with this lease; return the server's time in ms."""
        now_ms: int = await self._call("open", lease_ms, library_version())
        return now_ms

    async def add(self, *, jobs: Sequence[NewRecord]) -> list[int | str]:
        """Add jobs; 1 added, 0 duplicated, -1 its group is full, or the id of the job that
        stands for it.

        Raises QueueFull when the server is at maxmemory.
        """
        args: list[Any] = []
        settings: Any = None
        header = 0
        for job_id, rest, own in jobs:
            if own != settings:
                settings = own
                header = len(args) + 3
                args += (*own, 0)
            args[header] += 1
            args.append(job_id)
            args.append(rest)
        statuses: list[int | str] = [1] * len(jobs)
        duplicates, stand_ins, turned_away, *rest = await self._call("add", *args)
        if any(rest):
            await self.tell_parents()
        for position in duplicates:
            statuses[position - 1] = 0
        for position in turned_away:
            statuses[position - 1] = -1
        for position, job_id in zip(stand_ins[::2], stand_ins[1::2], strict=True):
            statuses[position - 1] = job_id.decode()
        return statuses

    async def take(
        self, *, consumer: str, want: int, lease_ms: int, limiter: tuple[int, int] | None = None
    ) -> Taken:
        """Take at most `want` jobs (0..250). A lost reply is found again by `adopt`.

        `limiter` is the worker's rate limit: so many jobs in so many ms.
        """
        own = limiter or ()
        return _taken(*await self._call("take", consumer, want, lease_ms, *own, repeat=False))

    def take_command(
        self, *, consumer: str, want: int, lease_ms: int, limiter: tuple[int, int] | None = None
    ) -> tuple[Argument, ...]:
        """Return `take` as a command, for somebody who sends it himself."""
        return self._command("take", consumer, want, lease_ms, *(limiter or ()))

    @staticmethod
    def taken(reply: Any) -> Taken | None:
        """Read the reply to `take_command`: None when Redis did nothing, since it did not know
        the script, or the queue has moved to another node. Raises other error replies."""
        if isinstance(reply, (NoScriptError, AskError)):  # MOVED is a kind of AskError
            return None
        if isinstance(reply, Exception):
            raise reply
        return _taken(*reply)

    async def adopt(self, *, consumer: str, lease_ms: int, known: Sequence[bytes]) -> Taken:
        """Return active jobs of this consumer whose tokens are not in `known`."""
        return _taken(*await self._call("adopt", consumer, lease_ms, *known, repeat=False))

    async def finish(
        self,
        *,
        consumer: str,
        want: int,
        lease_ms: int,
        jobs: Sequence[Settlement],
        limiter: tuple[int, int] | None = None,
    ) -> Finished:
        """Settle jobs, then take `want` more, within `limiter` as `take` does; statuses are in
        the order of the jobs."""
        groups: dict[tuple[str, str], list[int]] = {}
        for position, job in enumerate(jobs):
            groups.setdefault((job.kind, job.rule), []).append(position)
        args: list[Any] = []
        if limiter:
            args += ("limiter", f"{limiter[0]} {limiter[1]}", 0)
        if unsent := [job for job in jobs if job.progress]:
            args += ("progress", "", len(unsent))
            for job in unsent:
                args += (job.job_id, job.token, job.progress, b"")
        for group, positions in groups.items():
            args += (*group, len(positions))
            for position in positions:
                args += jobs[position][2:6]
        reply = await self._call("finish", consumer, want, lease_ms, *args, repeat=False)
        order = [position for positions in groups.values() for position in positions]
        statuses = [0] * len(jobs)
        for position, status in zip(order, reply[1], strict=True):
            statuses[position] = status
        return Finished(statuses, _taken(reply[0], reply[2], reply[3]))

    async def release(self, *, consumer: str, jobs: Sequence[tuple[str, bytes]]) -> list[int]:
        """Hand jobs of (id, token) back to the front: 1 released, 2 before, 0 lost."""
        args = (value for job in jobs for value in job)
        statuses: list[int] = await self._call("release", consumer, *args)
        return statuses

    async def heartbeat(
        self, *, consumer: str, lease_ms: int, tokens: Sequence[bytes]
    ) -> Heartbeat:
        """Renew leases. Sent once."""
        args = (consumer, lease_ms, *tokens)
        lost, cancelled = await self._call("heartbeat", *args, repeat=False)
        return Heartbeat(lost, dict(zip(cancelled[::2], cancelled[1::2], strict=True)))

    async def progress(
        self, *, consumer: str, jobs: Sequence[tuple[str, bytes, bytes]]
    ) -> list[int]:
        """Store progress of (id, token, JSON): 1 ok, 0 lease lost."""
        args = (value for job in jobs for value in job)
        statuses: list[int] = await self._call("progress", consumer, *args)
        return statuses

    async def log(
        self, *, consumer: str, keep: int, lines: Sequence[tuple[str, bytes, int, str]]
    ) -> list[int]:
        """Append log lines of (id, token, number, text): 1 ok, 0 lease lost."""
        args = (value for line in lines for value in line)
        statuses: list[int] = await self._call("log", consumer, keep, *args)
        return statuses

    async def partial(
        self, *, consumer: str, keep: int, results: Sequence[tuple[str, bytes, str, bytes]]
    ) -> list[int]:
        """Append partial results of (id, token, place, JSON): 1 ok, 0 lease lost."""
        args = (value for result in results for value in result)
        statuses: list[int] = await self._call("partial", consumer, keep, *args)
        return statuses

    async def snapshot(self, *, ids: Sequence[str]) -> Snapshots:
        """Return what the queue knows of at most 250 jobs."""
        ms, seq, replies = await self._call("snapshot", *ids)
        jobs = [Snapshot.read(reply) if reply else None for reply in replies]
        return Snapshots((ms, seq), jobs)

    async def counts(self) -> list[int]:
        """Return jobs per state, in the order of counts.lua."""
        counts: list[int] = await self._call("counts")
        return counts

    async def counts_per_priority(self, *, priorities: Sequence[int]) -> list[int]:
        """Return how many jobs wait in line with each of at most 1000 priorities."""
        counts: list[int] = await self._call("counts_per_priority", *priorities)
        return counts

    async def page(
        self, *, state: str, cursor: str, limit: int, is_rising: bool
    ) -> tuple[str, list[tuple[str, Snapshot]]]:
        """Return the cursor of the next page ('': there is none) and at most 250 jobs."""
        order = "asc" if is_rising else "desc"
        next_cursor, *told = await self._call("page", state, cursor, limit, order)
        jobs = [
            (job_id.decode(), Snapshot.read(reply))
            for job_id, reply in zip(told[::2], told[1::2], strict=True)
            if reply
        ]
        return next_cursor.decode(), jobs

    async def read_events(
        self, *, group: str, consumer: str, budget: int
    ) -> tuple[str, str, list[tuple[bytes, list[bytes]]]]:
        """Read events of a durable group: (gap id or '', end, entries).

        Later events have ids beyond `end`, those so far have not.

        A lost reply leaves the entries pending for the consumer, so it is sent once. Raises
        TooManySubscribers for a new group beside 100 others.
        """
        try:
            gap, end, entries = await self._call(
                "read_events", group, consumer, budget, repeat=False
            )
        except ResponseError as error:
            if str(error).startswith("TOOMANYGROUPS"):
                raise TooManySubscribers(group, queue=self._keys.name) from error
            raise
        return gap.decode(), end.decode(), entries

    async def leave_events(self, *, group: str) -> bool:
        """Forget a durable group; False when there is none."""
        return bool(await self._call("leave_events", group))

    async def emit_event(self, *, name: str, events: Sequence[tuple[str, bytes]]) -> None:
        """Add events of (job id or "", JSON). A repeat adds them again, so it is sent once."""
        args = (value for event in events for value in event)
        await self._call("emit_event", name, *args, repeat=False)

    async def latencies(self, *, counts: Mapping[str, int]) -> None:
        """Count samples by bucket, see latency.py. A repeat counts again: it is sent once."""
        args = (value for count in counts.items() for value in count)
        await self._call("latencies", *args, repeat=False)

    async def close_gap(self, *, group: str, gap: str) -> bool:
        """Say that the group has resynchronised; False when a newer gap was found."""
        return bool(await self._call("close_gap", group, gap))

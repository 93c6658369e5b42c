"""Explaining: why a job is not running, in one sentence and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from vqueue.connection import is_transient
from vqueue.doctor import Finding, examine
from vqueue.errors import JobNotFound, QueueUnavailable
from vqueue.explain_scripts import GroupStanding, Standing
from vqueue.inspecting import Inspecting
from vqueue.keys import check_name
from vqueue.presence import SILENT, WorkerInfo


class Hindrance(StrEnum):
    """What keeps a job from running."""

    #: Nothing: it runs.
    RUNNING = "running"
    #: It has ended.
    FINISHED = "finished"
    #: Its time has not come.
    DELAYED = "delayed"
    #: Its children have not ended.
    CHILDREN = "waiting-children"
    #: The queue is paused.
    PAUSED = "paused"
    #: `rate_limit` holds all jobs back.
    HELD_BACK = "held-back"
    #: As many jobs run as the global concurrency allows.
    CONCURRENCY = "concurrency"
    #: As many jobs have started in this window as the rate limit of the queue allows, or, where
    #: it has none, those of all its workers.
    RATE_LIMITED = "rate-limited"
    #: Its group is paused, or at its concurrency or rate limit.
    GROUP = "group"
    #: No worker was heard of in the last 45 seconds.
    NO_WORKER = "no-worker"
    #: Other jobs go first.
    IN_LINE = "in-line"
    #: It is the next one.
    NEXT = "next"


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Why a job is where it is. Times are seconds since the epoch by the server's clock."""

    job_id: str
    hindrance: Hindrance
    #: For a reader.
    sentence: str
    #: When it was asked.
    now: float
    #: Who holds an active job, and the seconds until its lease runs out unless it is renewed.
    consumer: str | None = None
    lease_left: float | None = None
    #: When a delayed job is due, a limit ends, or a finished job has ended.
    until: float | None = None
    #: Jobs that go first; of those without priority at most 1000 are counted.
    in_front: int = 0
    active: int = 0
    #: Names of workers that were heard of in the last 45 seconds, at most 250.
    workers: list[str] = field(default_factory=list)


class Explaining(Inspecting):
    """The part of Queue that says why."""

    async def explain(self, job_id: str) -> Explanation:
        """Say why a job is not running, or that it is. Changes nothing.

        Raises JobNotFound for a job that the queue does not know.
        """
        standing = await self._scripts.explain(job_id=check_name(job_id, what="job id"))
        if not standing.place:
            raise JobNotFound(job_id, attempted="explanation")
        return explain(job_id, standing, await self._remembered_workers())

    async def examine(self) -> list[Finding]:
        """Examine the server and the queue, see doctor.py. Changes nothing.

        Raises QueueUnavailable while Redis is away.
        """
        try:
            return await examine(self._client, self.keys)
        except Exception as error:
            if not is_transient(error):
                raise
            raise QueueUnavailable(f"Redis gave no answer to a look at it: {error}") from error


def explain(job_id: str, standing: Standing, workers: Sequence[WorkerInfo]) -> Explanation:
    """Put what explain.lua found into words; `workers` are those of the last hour."""
    hindrance, why, until_ms = _judge(standing, workers)
    is_active = hindrance is Hindrance.RUNNING
    return Explanation(
        job_id=job_id,
        hindrance=hindrance,
        sentence=f"job {job_id} {why}",
        now=standing.now_ms / 1000,
        consumer=standing.consumer if is_active else None,
        lease_left=standing.lease_left_ms / 1000 if is_active else None,
        until=until_ms / 1000 if until_ms else None,
        in_front=standing.in_front,
        active=standing.active,
        workers=sorted(worker.consumer for worker in workers if worker.silent_for < SILENT),
    )


def _judge(standing: Standing, workers: Sequence[WorkerInfo]) -> tuple[Hindrance, str, int]:
    """Return what hinders the job, the rest of the sentence, and when it ends (ms, or 0)."""
    now, at = standing.now_ms, standing.at_ms
    if standing.place in ("c", "f"):
        ended = "completed" if standing.place == "c" else "failed"
        return Hindrance.FINISHED, f"{ended} at {_clock(at)}", at
    if standing.place == "w":
        return Hindrance.CHILDREN, "waits for its children to end", 0
    if standing.consumer:
        left = standing.lease_left_ms / 1000
        why = f"runs on worker {standing.consumer}; its lease ends in {left:.1f} s unless renewed"
        if left <= 0:
            why = (
                f"was taken by worker {standing.consumer}, whose lease ran out {-left:.1f} s ago: "
                "a worker's next look for stalled jobs puts it back in line"
            )
        return Hindrance.RUNNING, why, 0
    if standing.place == "d" and at > now:
        return Hindrance.DELAYED, f"is delayed until {_clock(at)}, {_in(at - now)}", at
    return _judge_waiting(standing, workers)


def _judge_waiting(
    standing: Standing, remembered: Sequence[WorkerInfo]
) -> tuple[Hindrance, str, int]:
    now, settings, gate = standing.now_ms, standing.settings, standing.settings.get("gate", "")
    if "p" in gate:
        return Hindrance.PAUSED, "waits: the queue is paused, until somebody resumes it", 0
    held_until = int(float(settings.get("held_until", 0)))
    if held_until > now:
        why = f"waits: the queue is rate limited by hand, {_in(held_until - now)} left"
        return Hindrance.HELD_BACK, why, held_until
    concurrency = int(settings.get("concurrency", 0))
    if concurrency and standing.active >= concurrency:
        why = (
            f"waits: {standing.active} jobs run, and the global concurrency is {concurrency}; "
            f"{standing.in_front} jobs are in front of it"
        )
        return Hindrance.CONCURRENCY, why, 0
    window_end = int(float(settings.get("window_end", 0)))
    most, used = int(settings.get("limit_max", 0)), int(settings.get("window_used", 0))
    if most and window_end > now and used >= most:
        why = f"waits: the rate limit of {most} jobs is used up, {_in(window_end - now)} left"
        return Hindrance.RATE_LIMITED, why, window_end
    if standing.group is not None and not standing.group.gets_turns:
        return _judge_group(standing.group, now)
    workers = [worker for worker in remembered if worker.silent_for < SILENT]
    if not workers:
        last = min((worker.silent_for for worker in remembered), default=None)
        seen = "none was seen in the last hour"
        if last is not None:
            seen = f"last sign of life {last:.1f} s ago"
        why = f"waits: no worker is alive ({seen})"
        return Hindrance.NO_WORKER, why, 0
    own = [worker.limiter for worker in workers]
    if standing.is_in_a_window and all(limit is not None and used >= limit.max for limit in own):
        why = (
            f"waits: {used} jobs have started in this window, which is the limiter of all "
            f"{len(workers)} workers, {_in(window_end - now)} left"
        )
        return Hindrance.RATE_LIMITED, why, window_end
    if standing.in_front:
        why = (
            f"waits: {standing.in_front} jobs are in front of it, {len(workers)} workers are alive"
        )
        return Hindrance.IN_LINE, why, 0
    return Hindrance.NEXT, f"is the next one to be taken, {len(workers)} workers are alive", 0


def _judge_group(group: GroupStanding, now: int) -> tuple[Hindrance, str, int]:
    if group.is_paused:
        return Hindrance.GROUP, f"waits: its group {group.id} is paused", 0
    if group.rests_until_ms > now:
        left = _in(group.rests_until_ms - now)
        why = f"waits: the rate limit of its group {group.id} is used up, {left} left"
        return Hindrance.GROUP, why, group.rests_until_ms
    why = f"waits: {group.active} jobs of its group {group.id} run, which is its concurrency"
    return Hindrance.GROUP, why, 0


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _in(ms: int) -> str:
    return f"{ms / 1000:.1f} s"

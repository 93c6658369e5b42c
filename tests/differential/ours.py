"""Runs a scenario on vqueue."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.differential.events import by_job, of_ours
from tests.differential.outcome import Outcome, with_plain_ids
from tests.differential.reading import options_of, repeat_of
from tests.differential.scenario import Step
from tests.support.waiting import until
from vqueue import (
    FlowJob,
    FlowProducer,
    HeldJob,
    Job,
    JobEvent,
    JobNotFound,
    JobNotInState,
    JobState,
    ManualWorker,
    NewJob,
    Queue,
    RateLimitError,
    UnrecoverableError,
    Worker,
)
from vqueue.job_events import expand

_ROOT = Path(__file__).parents[2]
_PARKED = 0.02
#: Seconds, as in bullmq.cjs.
_LEASE = 0.5
_BUSY = (
    JobState.WAITING,
    JobState.PRIORITIZED,
    JobState.DELAYED,
    JobState.ACTIVE,
    JobState.WAITING_CHILDREN,
)


class Side:
    """A queue and what has been done to it."""

    def __init__(self, queue: Queue, redis_url: str, stack: AsyncExitStack) -> None:
        self._queue = queue
        self._redis_url = redis_url
        self._stack = stack
        self._hand: ManualWorker | None = None
        self._held: dict[str, HeldJob] = {}
        self._ids: set[str] = set()
        #: See outcome.py.
        self.order: list[str] = []

    async def add(self, job_id: str, options: dict[str, Any] | None = None) -> None:
        """Add a job whose data is its id."""
        self._ids.add(job_id)
        new = NewJob(name="task", data=job_id, options=options_of(options, job_id=job_id))
        await self._queue.add_bulk([new])

    async def flow(self, tree: dict[str, Any]) -> None:
        """Add a tree of jobs."""

        def node_of(node: dict[str, Any]) -> FlowJob:
            self._ids.add(node["id"])
            return FlowJob(
                name="task",
                data=node["id"],
                queue_name=self._queue.name,
                options=options_of(node.get("options"), job_id=node["id"]),
                children=[node_of(child) for child in node.get("children", [])],
            )

        async with FlowProducer(self._redis_url) as flows:
            await flows.add(node_of(tree))

    async def schedule(self, scheduler_id: str, repeat: dict[str, Any], data: Any) -> None:
        """Make a job scheduler, or change it."""
        template = NewJob(name="task", data=data)
        await self._queue.upsert_job_scheduler(scheduler_id, repeat_of(repeat), template)

    async def work(self, plan: dict[str, list[str]]) -> None:
        """Run a worker until nothing is left to do."""
        left = {job_id: list(does) for job_id, does in plan.items()}

        async def handle(job: Job) -> Any:
            self.order.append(job.id)
            does = next((left[key].pop(0) for key in (job.id, "*") if left.get(key)), "ok")
            if does == "fail":
                raise ValueError("boom")
            if does == "unrecoverable":
                raise UnrecoverableError("never")
            if does == "delayed":
                await job.move_to_delayed(_PARKED)
            if does == "rate":
                raise RateLimitError(_PARKED)
            if does == "progress":
                await job.update_progress(50)
                await job.log("a line")
            if does == "values":
                return _by_id(await self._queue.get_children_values(job.id))
            if does == "failures":
                return _by_id(await self._queue.get_ignored_children_failures(job.id))
            return job.data

        async def is_idle() -> bool:
            counts = await self._queue.get_job_counts()
            schedulers = await self._queue.get_job_schedulers()
            return not any(counts[state] for state in _BUSY) and not any(
                scheduler.next_run for scheduler in schedulers
            )

        async with Worker(self._queue.name, handle, self._redis_url, lock_duration=_LEASE):
            await until(is_idle, what="an idle queue", deadline=30)

    async def kill(self) -> str:
        """Have a worker in a process of its own take a job, and kill it."""
        holder = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.differential.holder"),
            *(self._queue.name, self._redis_url, str(_LEASE)),
            cwd=_ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"},
            stdout=asyncio.subprocess.PIPE,
        )
        assert holder.stdout is not None
        try:
            async with asyncio.timeout(30):
                job_id = (await holder.stdout.readline()).decode().strip()
        finally:
            holder.kill()
            await holder.wait()
        self.order.append(job_id)
        return job_id

    async def take(self) -> str | None:
        """Take a job by hand and hold it."""
        if self._hand is None:
            hand = ManualWorker(self._queue.name, self._redis_url)
            self._hand = await self._stack.enter_async_context(hand)
        held = await self._hand.get_next_job()
        if held is None:
            return None
        self.order.append(held.job.id)
        self._held[held.job.id] = held
        return held.job.id

    async def complete(self, job_id: str) -> None:
        """Complete a job that was taken by hand."""
        await self._held.pop(job_id).move_to_completed(job_id)

    async def fail(self, job_id: str) -> None:
        """Fail a job that was taken by hand."""
        await self._held.pop(job_id).move_to_failed(ValueError("boom"))

    async def _call(self, name: str, args: list[Any]) -> None:
        queue = self._queue
        match name, args:
            case "unschedule", [scheduler_id]:
                await queue.remove_job_scheduler(scheduler_id)
            case "drain", [delayed]:
                await queue.drain(delayed=delayed)
            case "clean", [state]:
                await queue.clean(state=JobState(state))
            case "concurrency", [most]:
                await queue.set_global_concurrency(most)
            case "limit", [most, ms]:
                await queue.set_global_rate_limit(most, ms / 1000)
            case "free_limit", []:
                await queue.remove_rate_limit_key()
            case "free_deduplication", [deduplication_id]:
                await queue.remove_deduplication_key(deduplication_id)
            case "change_delay", [job_id, ms]:
                await queue.change_delay(job_id, ms / 1000)
            case "change_priority", [job_id, priority, lifo]:
                await queue.change_priority(job_id, priority, lifo=lifo)
            case "retry", [job_id, state, reset]:
                await queue.retry(
                    job_id,
                    JobState(state),
                    reset_attempts_made=reset,
                    reset_attempts_started=reset,
                )
            case _:
                await getattr(queue, name)(*args)

    async def step(self, step: Step) -> dict[str, Any]:
        """Do one step; return what there is to see then."""
        name, *args = step
        answer = None
        try:
            if name in ("take", "kill"):
                answer = await getattr(self, name)()
            elif name in ("add", "flow", "schedule", "work", "complete", "fail"):
                await getattr(self, name)(*args)
            else:
                await self._call(name, args)
        except (JobNotFound, JobNotInState):
            answer = "refused"
        return await self._snapshot(answer)

    async def _snapshot(self, answer: str | None) -> dict[str, Any]:
        ids = sorted(self._ids | {event.job_id for event in await self.events()} - {""})
        found = await self._queue.get_jobs(ids)
        counts = await self._queue.get_job_counts()
        schedulers = await self._queue.get_job_schedulers()
        return {
            "answer": answer,
            "counts": {str(state): count for state, count in counts.items()},
            "jobs": {
                job.id: {
                    "state": str(job.state),
                    "data": job.data,
                    "attempts_made": job.attempts_made,
                    "attempts_started": job.attempts_started,
                    "stalled_count": job.stalled_count,
                    "priority": job.priority,
                    "progress": job.progress,
                    "returnvalue": job.returnvalue,
                    "failed_reason": job.failed_reason,
                    "traces": len(job.stacktrace),
                    "log": await self._queue.get_job_logs(job.id),
                }
                for job in found
                if job is not None
            },
            "schedulers": {found.id: found.iteration_count for found in schedulers},
        }

    async def events(self) -> list[JobEvent]:
        """Return all events of the queue."""
        entries = await self._queue._client.execute("XRANGE", self._queue.keys.ev, "-", "+")
        return [event for entry_id, fields in entries for event in expand(entry_id, fields)]


def _by_id(values: dict[str, Any]) -> dict[str, Any]:
    return {ref.rpartition(":")[2]: value for ref, value in values.items()}


async def run(name: str, redis_url: str, steps: list[Step]) -> Outcome:
    """Run a scenario on a queue of this name."""
    async with Queue(name, redis_url) as queue, AsyncExitStack() as stack:
        side = Side(queue, redis_url, stack)
        snapshots = [await side.step(step) for step in steps]
        events = by_job((event.job_id, of_ours(event)) for event in await side.events())
        return with_plain_ids({"steps": snapshots, "order": side.order, "events": events})

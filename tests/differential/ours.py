"""Runs a scenario on vqueue."""

from collections import defaultdict
from typing import Any

from tests.differential.scenarios import Step
from tests.support.waiting import until
from vqueue import (
    Backoff,
    Deduplication,
    FlowJob,
    FlowProducer,
    Job,
    JobOptions,
    JobState,
    NewJob,
    Queue,
    RateLimitError,
    UnrecoverableError,
    Worker,
)
from vqueue.events import expand

Outcome = dict[str, Any]

_PARKED = 0.02
_BUSY = (
    JobState.WAITING,
    JobState.PRIORITIZED,
    JobState.DELAYED,
    JobState.ACTIVE,
    JobState.WAITING_CHILDREN,
)


def _options(job_id: str, options: dict[str, Any]) -> JobOptions:
    read = dict(options)
    if "delay" in read:
        read["delay"] /= 1000
    if backoff := read.get("backoff"):
        read["backoff"] = Backoff(type=backoff["type"], delay=backoff["delay"] / 1000)
    if deduplication := read.get("deduplication"):
        ttl = deduplication.get("ttl")
        read["deduplication"] = Deduplication(
            id=deduplication["id"],
            ttl=ttl and ttl / 1000,
            replace=deduplication.get("replace", False),
        )
    return JobOptions(job_id=job_id, **read)


class Side:
    """A queue and what has been done to it."""

    def __init__(self, queue: Queue, redis_url: str) -> None:
        self._queue = queue
        self._redis_url = redis_url
        self._order: list[str] = []
        self._ids: set[str] = set()

    async def add(self, job_id: str, options: dict[str, Any] | None = None) -> None:
        """Add a job whose data is its id."""
        self._ids.add(job_id)
        own = _options(job_id, options or {})
        await self._queue.add_bulk([_new_job(job_id, own)])

    async def flow(self, tree: dict[str, Any]) -> None:
        """Add a tree of jobs."""

        def node_of(node: dict[str, Any]) -> FlowJob:
            self._ids.add(node["id"])
            return FlowJob(
                name="task",
                data=node["id"],
                queue_name=self._queue.name,
                options=_options(node["id"], node.get("options", {})),
                children=[node_of(child) for child in node.get("children", [])],
            )

        async with FlowProducer(self._redis_url) as flows:
            await flows.add(node_of(tree))

    async def work(self, plan: dict[str, list[str]]) -> None:
        """Run a worker until nothing is left to do."""
        left = {job_id: list(does) for job_id, does in plan.items()}

        async def handle(job: Job) -> Any:
            self._order.append(job.id)
            does = left[job.id].pop(0) if left.get(job.id) else "ok"
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
            return job.data

        async def is_idle() -> bool:
            counts = await self._queue.get_job_counts()
            return not any(counts[state] for state in _BUSY)

        async with Worker(self._queue.name, handle, self._redis_url):
            await until(is_idle, what="an idle queue", deadline=30)

    async def step(self, step: Step) -> None:
        """Do one step."""
        name, *args = step
        if name in ("add", "flow", "work"):
            await getattr(self, name)(*args)
        elif name == "change_delay":
            await self._queue.change_delay(args[0], args[1] / 1000)
        elif name == "clean":
            await self._queue.clean(state=JobState(args[0]))
        else:
            await getattr(self._queue, name)(*args)

    async def outcome(self) -> Outcome:
        """What there is to see afterwards."""
        jobs = {}
        for job_id in sorted(self._ids):
            job = await self._queue.get_job(job_id)
            if job is not None:
                jobs[job_id] = {
                    "state": str(job.state),
                    "attempts_made": job.attempts_made,
                    "attempts_started": job.attempts_started,
                    "priority": job.priority,
                    "progress": job.progress,
                    "returnvalue": job.returnvalue,
                    "failed_reason": job.failed_reason,
                    "log": await self._queue.get_job_logs(job_id),
                }
        events = defaultdict(list)
        entries = await self._queue._client.execute("XRANGE", self._queue.keys.ev, "-", "+")
        for entry_id, fields in entries:
            for event in expand(entry_id, fields):
                events[event.job_id].append(event.name)
        counts = await self._queue.get_job_counts()
        return {
            "counts": {str(state): count for state, count in counts.items()},
            "order": self._order,
            "jobs": jobs,
            "events": dict(events),
        }


def _new_job(job_id: str, options: JobOptions) -> NewJob:
    return NewJob(name="task", data=job_id, options=options)


async def run(name: str, redis_url: str, steps: list[Step]) -> Outcome:
    """Run a scenario on a queue of this name."""
    async with Queue(name, redis_url) as queue:
        side = Side(queue, redis_url)
        for step in steps:
            await side.step(step)
        return await side.outcome()

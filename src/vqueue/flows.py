"""Flows: trees of jobs, and jobs with several parents, in which a parent runs after its children.

A flow is added whole or not at all. Its queues must be of one Redis server, in a Cluster of one
slot (and of one key prefix): a script settles a child and its parents in one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from redis.crc import key_slot

from vqueue.codec import encode
from vqueue.connection import Client, open_client
from vqueue.errors import InvalidOption
from vqueue.flow_scripts import FlowRecord, Holder
from vqueue.job import Job
from vqueue.job_ids import new_job_id
from vqueue.keys import QueueKeys, check_name, check_queue_name
from vqueue.options import DEFAULT_OPTIONS, JobOptions
from vqueue.record import NewRecord
from vqueue.scripts import MAX_BATCH, Scripts
from vqueue.serializing import Encoder, Serializer, encoder_of
from vqueue.sources import RedisSource
from vqueue.states import JobState

#: Jobs of a call in which some have a group: to enter its line costs Redis three times as much.
_MOST_WITH_GROUPS = 100
#: Links between parents and children in one call.
_MOST_LINKS = 2000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FlowJob:
    """One job of a flow. The same object under several parents is one job with several parents."""

    name: str
    data: Any = None
    #: None for the queue of its parent.
    queue_name: str | None = None
    options: JobOptions = DEFAULT_OPTIONS
    #: Jobs that must end before this one starts.
    children: Sequence[FlowJob] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowNode:
    """A job with its children, as added or as read."""

    job: Job
    children: list[FlowNode] = field(default_factory=list)


def group(*jobs: FlowJob) -> tuple[FlowJob, ...]:
    """Jobs that run side by side: a step of `chain`, or the first part of a `chord`."""
    return jobs


def chain(*steps: FlowJob | Sequence[FlowJob]) -> FlowJob:
    """Return a flow in which each step starts when all jobs of the step before have ended.

    A step is a job, which may have children of its own, or a `group`; the last one is a
    job. A job reads the results of the step before by `get_children_values`. Raises InvalidOption
    when the last step is not one job, or there is none.
    """
    before: tuple[FlowJob, ...] = ()
    for step in steps:
        jobs = (step,) if isinstance(step, FlowJob) else tuple(step)
        seen: dict[int, FlowJob] = {}
        before = tuple(_after(before, job, seen) for job in jobs)
    if len(before) != 1:
        raise InvalidOption(
            f"a chain ends with one job, not {len(before)}: give it one that waits for the group"
        )
    return before[0]


def chord(jobs: Iterable[FlowJob], callback: FlowJob) -> FlowJob:
    """Return a flow of jobs side by side and one that starts when all have ended, as `chain`."""
    return chain(tuple(jobs), callback)


def _after(before: tuple[FlowJob, ...], job: FlowJob, seen: dict[int, FlowJob]) -> FlowJob:
    """Return the job with `before` under it: as children of those that have none."""
    if id(job) not in seen:
        under = tuple(_after(before, child, seen) for child in job.children) or before
        seen[id(job)] = replace(job, children=under)
    return seen[id(job)]


class _Draft:
    """A job of a flow that is being laid out."""

    def __init__(self, flow_job: FlowJob, queue_name: str, encode_data: Encoder) -> None:
        self.parents: list[str] = []
        self.children: list[_Draft] = []
        self.job, self._record = _prepare(flow_job, queue_name, encode_data)
        self.ref = f"{queue_name}:{self.job.id}"

    def record(self) -> FlowRecord:
        """Return what add_flow.lua gets."""
        return FlowRecord(self.ref, self._record, bool(self.children), self.parents)

    def node(self) -> FlowNode:
        """Return what the caller gets."""
        return FlowNode(job=self.job, children=[child.node() for child in self.children])


def _prepare(new: FlowJob, queue_name: str, encode_data: Encoder) -> tuple[Job, NewRecord]:
    if not isinstance(new.name, str) or not new.name:
        raise InvalidOption(f"job name must be a string that is not empty, not {new.name!r}")
    options = new.options
    if options.deduplication is not None:
        raise InvalidOption(
            f"job {new.name!r} of a flow has a deduplication, which is for single jobs: its "
            "parent would wait for a job that is not added; give it a job_id instead"
        )
    data = encode_data(new.data, "data of job %r", new.name)
    options.check_size(data, new.name)
    given = options.job_id
    job_id = new_job_id() if given is None else check_name(given, what="job id")
    job = Job(id=job_id, name=new.name, data=new.data, queue_name=queue_name)
    job.priority = options.priority
    delay_ms, place = options.settings[0], options.settings[1].rstrip("*")
    wire = dict(options.wire)
    if new.children:
        # what happens when the children have ended is told by the record
        job.state = JobState.WAITING_CHILDREN
        wire |= {"delay": delay_ms} if delay_ms else {}
        wire |= {"lifo": True} if options.lifo else {}
        delay_ms = 0
    elif delay_ms:
        job.state = JobState.DELAYED
    elif options.priority:
        job.state = JobState.PRIORITIZED
    job._options = wire
    lines = (
        encode(new.name, "job name"),
        encode(wire, "job options") if wire else b"",
        data,
    )
    return job, NewRecord(job_id, b"\n".join(lines), (delay_ms, place, new.name))


class FlowDraft:
    """The jobs of a call of add_flow.lua, each before its children."""

    def __init__(self, encode_data: Encoder) -> None:
        self._encode_data = encode_data
        self._drafts: dict[int, _Draft] = {}
        self._open: set[int] = set()

    def lay_out(self, job: FlowJob, queue_name: str | None, parent: str | None = None) -> _Draft:
        """Lay out a job and what is under it.

        Raises InvalidOption for a job without a queue, a circle, or more jobs than one
        call may have.
        """
        key = id(job)
        if key in self._open:
            raise InvalidOption(f"flow job {job.name!r} is among its own children")
        if key not in self._drafts:
            queue = job.queue_name or queue_name
            if queue is None:
                raise InvalidOption(f"flow job {job.name!r} has no queue: give it a queue_name")
            check_queue_name(queue)
            draft = self._drafts[key] = _Draft(job, queue, self._encode_data)
            self._open.add(key)
            draft.children += [self.lay_out(child, queue, draft.ref) for child in job.children]
            self._open.discard(key)
        draft = self._drafts[key]
        if parent is not None:
            draft.parents.append(parent)
        return draft

    def records(self) -> list[FlowRecord]:
        """Return what is to be sent."""
        records = [draft.record() for draft in self._drafts.values()]
        has_groups = any("group" in draft.job._options for draft in self._drafts.values())
        most, of_what = (_MOST_WITH_GROUPS, " with groups") if has_groups else (MAX_BATCH, "")
        if len(records) > most:
            raise InvalidOption(
                f"a flow of {len(records)} jobs is refused: at most {most}{of_what} are added at "
                "once; let a handler add further children while it runs"
            )
        links = sum(len(record.parents) for record in records)
        if links > _MOST_LINKS:
            raise InvalidOption(
                f"a flow of {links} links between parents and children is refused: at most "
                f"{_MOST_LINKS} are added at once; between two large groups, put one job that "
                "waits for the first and for which the second waits"
            )
        refs = [record.ref for record in records]
        if twice := sorted({ref for ref in refs if refs.count(ref) > 1}):
            raise InvalidOption(f"job {twice[0]} is twice in the flow: use one FlowJob for it")
        return records

    def queues(self) -> set[str]:
        """Return the queues that the jobs are of, and those of dead letters."""
        found = {draft.job.queue_name for draft in self._drafts.values()}
        return found | {
            draft.job._options["dead_letter"]
            for draft in self._drafts.values()
            if "dead_letter" in draft.job._options
        }

    def mark(self, statuses: Sequence[int]) -> None:
        """Note which of the jobs were there already."""
        for draft, status in zip(self._drafts.values(), statuses, strict=True):
            if status == 0:
                draft.job.is_duplicate = True


async def send_flows(
    scripts: Scripts,
    flows: Sequence[FlowJob],
    *,
    queue_name: str | None,
    encode_data: Encoder,
    parent: str | None = None,
    holder: Holder | None = None,
) -> list[FlowNode]:
    """Add flows in one call, under `parent` (a ref) if one is given. See Queue.add_flow."""
    draft = FlowDraft(encode_data)
    roots = [draft.lay_out(flow, queue_name, parent) for flow in flows]
    records = draft.records()
    if records:
        parents = () if parent is None else (parent.partition(":")[0],)
        scripts.check_reach(draft.queues().union(parents))
        statuses = await scripts.add_flow(nodes=records, holder=holder)
        draft.mark(statuses)
        if 0 in statuses:
            await scripts.tell_parents()
    return [root.node() for root in roots]


class FlowProducer:
    """Adds flows to any queues of one Redis server; a Queue adds those of its own by `add_flow`.

    `redis`, `repeat_for` and `serializer` are those of Queue. Use it as an async context
    manager, or call `close`.
    """

    def __init__(
        self,
        redis: RedisSource,
        *,
        prefix: str = "vq",
        repeat_for: float = 10.0,
        serializer: Serializer | None = None,
    ) -> None:
        self._prefix = prefix
        self._encode_data = encoder_of(serializer)
        self._repeat_for = repeat_for
        timeout = min(5.0, max(repeat_for, 0.1))
        self._open = partial(open_client, redis, reply_timeout=timeout, connect_timeout=timeout)
        self._client = self._open()
        #: In a Cluster: one for each slot that was used.
        self._clients: dict[int, Client] = {}

    async def add(self, flow: FlowJob) -> FlowNode:
        """Add a flow whole or not at all; return its jobs as added. See Queue.add_flow."""
        return (await self.add_bulk([flow]))[0]

    async def add_bulk(self, flows: Sequence[FlowJob]) -> list[FlowNode]:
        """Add several flows, or single jobs of any queues, all or none: at most 250 jobs."""
        if not flows or flows[0].queue_name is None:
            raise InvalidOption("the first job of a FlowProducer's flow needs a queue_name")
        keys = QueueKeys(flows[0].queue_name, self._prefix)
        scripts = Scripts(self._client_of(keys), keys, repeat_for=self._repeat_for)
        return await send_flows(scripts, flows, queue_name=None, encode_data=self._encode_data)

    def _client_of(self, keys: QueueKeys) -> Client:
        if not self._client.is_cluster or self._client.is_closed:
            return self._client
        slot = key_slot(keys.meta.encode())
        if slot not in self._clients:
            self._clients[slot] = self._open(key=keys.meta)
        return self._clients[slot]

    async def close(self) -> None:
        """Close the connections. Safe to repeat."""
        await self._client.aclose()
        for client in self._clients.values():
            await client.aclose()

    async def __aenter__(self) -> FlowProducer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

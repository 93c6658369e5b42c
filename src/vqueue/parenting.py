"""Parenting: the part of Queue that adds flows and reads what parents know of their children."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vqueue.errors import InvalidOption
from vqueue.flow_scripts import Dependency, Holder
from vqueue.flows import FlowJob, FlowNode, send_flows
from vqueue.job import Job
from vqueue.job_reading import job_from_snapshot
from vqueue.keys import QueueKeys, check_name, check_queue_name
from vqueue.results import Results
from vqueue.scripts import MAX_BATCH, Scripts
from vqueue.serializing import decode_payload

#: Children that one call removes at most.
_REMOVED = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class DependencyPage:
    """Some children of a job."""

    #: Pass it to the next call; 0 when there are no more.
    cursor: int
    #: <queue>:<id> → the result or the reason, None where there is none.
    children: Mapping[str, Any]


def _decoded(raw: Mapping[str, bytes]) -> dict[str, Any]:
    return {ref: decode_payload(value) if value else None for ref, value in raw.items()}


def _split(ref: str) -> tuple[str, str]:
    queue, _, job_id = ref.partition(":")
    if not job_id:
        raise InvalidOption(f"{ref!r} names no job: give <queue>:<id>, or the Job")
    return check_queue_name(queue), check_name(job_id, what="job id")


class Parenting(Results):
    """Flows of a queue. A ref, ``<queue>:<id>``, names a job of any queue of the server."""

    async def add_flow(self, flow: FlowJob) -> FlowNode:
        """Add a flow whole or not at all; jobs without a `queue_name` go to this queue.

        A parent waits in the state waiting-children until all its children have ended; then
        its own delay and priority apply. A job whose id exists is left as it is
        (`is_duplicate`) and its parents wait for it; one that has ended counts at once, so a
        repeat with the same ids is safe. Where it has children here, it waits for them, too
        (see `add_children`). A child that fails for good fails its parents at once, unless one
        of its options says otherwise (`ignore_dependency_on_failure`,
        `remove_dependency_on_failure`, `continue_parent_on_failure`). Raises InvalidOption,
        ParentMissing, QueueFull, QueueUnavailable.
        """
        nodes = await send_flows(
            self._scripts, [flow], queue_name=self.name, encode_data=self._encode
        )
        return self._adopted(nodes)[0]

    async def add_children(self, parent: Job | str, flows: Iterable[FlowJob]) -> list[FlowNode]:
        """Add jobs, or flows, for which a job that has not ended is to wait; all or none.

        One that stands in line leaves it for waiting-children, one that is delayed does when it
        is due. One that runs waits only if its handler says so, and fails if it completes
        before its children have ended. In the parent's handler, give its Job: it adds nothing
        once the lease is lost. Give the children a `job_id` that follows from the parent's id,
        and a handler that runs again adds none twice. Then ``await
        job.move_to_waiting_children()``. Raises LeaseLost, ParentMissing, and as `add_flow`.
        """
        holder = None
        if isinstance(parent, Job):
            ref = f"{parent.queue_name}:{parent.id}"
            if parent._token is not None and parent._reporter is not None:
                holder = Holder(ref, parent._token, parent.consumer or "")
        else:
            ref = parent
        _split(ref)
        nodes = await send_flows(
            self._scripts,
            list(flows),
            queue_name=self.name,
            encode_data=self._encode,
            parent=ref,
            holder=holder,
        )
        return self._adopted(nodes)

    async def get_children_values(self, job_id: str) -> dict[str, Any]:
        """Return the results of a job's completed children by their refs."""
        return _decoded(await self._scripts.dependencies(job_id, Dependency.PROCESSED))

    async def get_ignored_children_failures(self, job_id: str) -> dict[str, str]:
        """Return why children failed whose failure the job survived, by their refs."""
        return _decoded(await self._scripts.dependencies(job_id, Dependency.IGNORED))

    async def get_dependencies_count(self, job_id: str) -> dict[Dependency, int]:
        """Return how many children a job has of each kind."""
        counts = await self._scripts.count_dependencies(job_id)
        return dict(zip(Dependency, counts, strict=True))

    async def get_dependencies(
        self, job_id: str, kind: Dependency | str, *, cursor: int = 0, count: int = 20
    ) -> DependencyPage:
        """Return a page of a job's children of one kind; about `count`, more when they are few.

        Pages of a set that changes meanwhile may miss what comes and goes, and repeat a child.
        """
        after, children = await self._scripts.scan_dependencies(
            job_id, Dependency(kind), cursor=cursor, count=count
        )
        return DependencyPage(cursor=after, children=_decoded(children))

    async def get_parents(self, job_id: str) -> list[str]:
        """Return the refs of the jobs that wait, or waited, for this one."""
        return await self._scripts.parents(job_id)

    async def remove_child_dependency(self, job_id: str, parent: Job | str | None = None) -> bool:
        """Part a job from a parent, or from all: they do not wait for it any more.

        Returns whether it had that parent. A parent without further children moves on.
        """
        check_name(job_id, what="job id")
        if isinstance(parent, Job):
            parent = f"{parent.queue_name}:{parent.id}"
        if parent:
            _split(parent)
        parted = await self._scripts.remove_child_dependency(job_id=job_id, parent=parent or "")
        return parted > 0

    async def remove_unprocessed_children(self, job_id: str) -> int:
        """Remove a job's children that have not ended, with what is under them; return how many.

        Those that run, or under which a job runs, stay. A parent that waits and has no
        other children moves on. Safe to repeat.
        """
        check_name(job_id, what="job id")
        total, cursor, first = 0, 0, True
        while cursor or first:
            first = False
            cursor, page = await self._scripts.scan_dependencies(
                job_id, Dependency.UNPROCESSED, cursor=cursor, count=_REMOVED
            )
            children = list(page)
            while children:
                removed, dealt_with = await self._scripts.remove_unprocessed_children(
                    job_id=job_id, children=children[:_REMOVED]
                )
                total += removed
                del children[:dealt_with]
        await self._scripts.tell_parents()
        return total

    async def get_flow(
        self, job_id: str, *, depth: int = 10, max_children: int = 20
    ) -> FlowNode | None:
        """Return a job with its children, theirs and so on; None for an unknown one.

        Goes `depth` levels down (1: the job alone), to at most `max_children` of a job. A
        child that retention has removed is left out; a removed result is still among the
        parent's values.
        """
        root = f"{self.name}:{check_name(job_id, what='job id')}"
        nodes = await self._nodes([root])
        level = [root] if root in nodes else []
        for _ in range(depth - 1):
            children = {ref: await self._child_refs(ref, max_children) for ref in level}
            wanted = {child for refs in children.values() for child in refs} - nodes.keys()
            found = await self._nodes(sorted(wanted))
            nodes |= found
            for ref, refs in children.items():
                nodes[ref].children.extend(nodes[child] for child in refs if child in nodes)
            level = list(found)
        return nodes.get(root)

    def _adopted(self, nodes: list[FlowNode]) -> list[FlowNode]:
        """Let the jobs of this queue be asked for their results."""
        for node in nodes:
            if node.job.queue_name == self.name:
                node.job._queue = self
            self._adopted(node.children)
        return nodes

    def _scripts_of(self, queue: str) -> Scripts:
        base = self.keys.prefix.partition(":{")[0]
        return Scripts(self._client, QueueKeys(queue, base))

    async def _child_refs(self, ref: str, most: int) -> list[str]:
        queue, job_id = _split(ref)
        scripts, refs = self._scripts_of(queue), set[str]()
        for kind in Dependency:
            cursor, first = 0, True
            while len(refs) < most and (cursor or first):
                first = False
                cursor, page = await scripts.scan_dependencies(
                    job_id, kind, cursor=cursor, count=most
                )
                refs |= page.keys()
        return sorted(refs)[:most]

    async def _nodes(self, refs: Iterable[str]) -> dict[str, FlowNode]:
        by_queue: dict[str, list[str]] = defaultdict(list)
        for ref in refs:
            queue, job_id = _split(ref)
            by_queue[queue].append(job_id)
        nodes: dict[str, FlowNode] = {}
        for queue, ids in by_queue.items():
            for start in range(0, len(ids), MAX_BATCH):
                part = ids[start : start + MAX_BATCH]
                snapshots = await self._scripts_of(queue).snapshot(ids=part)
                for job_id, snapshot in zip(part, snapshots.jobs, strict=True):
                    if snapshot is not None:
                        source = self if queue == self.name else None
                        job = job_from_snapshot(job_id, snapshot, queue_name=queue, queue=source)
                        nodes[f"{queue}:{job_id}"] = FlowNode(job=job)
        return nodes

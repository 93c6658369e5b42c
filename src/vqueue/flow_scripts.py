"""The scripts and reads of flows: parents that wait for children (lua/include/flow.lua)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from vqueue.errors import InvalidOption, LeaseLost, ParentMissing
from vqueue.record import NewRecord, fence_of
from vqueue.script_calls import ScriptCalls

#: Parents that one call of remove_child_dependency.lua parts a job from.
_PARTED = 100
#: Members of one read of a set or hash.
_PAGE = 1000


class Dependency(StrEnum):
    """What has become of a child, as its parent knows it."""

    #: Completed: its result is kept with the parent.
    PROCESSED = "processed"
    #: Has not ended.
    UNPROCESSED = "unprocessed"
    #: Failed, and the parent goes on all the same: the reason is kept with it.
    IGNORED = "ignored"
    #: Failed, and the parent with it.
    FAILED = "failed"


_SUFFIXES = {
    Dependency.PROCESSED: "vals",
    Dependency.UNPROCESSED: "deps",
    Dependency.IGNORED: "ign",
    Dependency.FAILED: "bad",
}


class FlowRecord(NamedTuple):
    """A job as add_flow.lua gets it."""

    #: <queue>:<id>.
    ref: str
    record: NewRecord
    #: Whether jobs of the same call are its children.
    waits: bool
    #: Refs of its parents.
    parents: Sequence[str]


class Holder(NamedTuple):
    """A running job that adds children to itself."""

    ref: str
    token: bytes
    consumer: str


_NOBODY = Holder("", b"", "")


class FlowScripts(ScriptCalls):
    """The calls of Scripts that are about flows."""

    async def add_flow(self, *, nodes: Sequence[FlowRecord], holder: Holder | None) -> list[int]:
        """Add jobs of any queues with their parents; 1 added, 0 duplicated.

        Where some were there, `tell_parents` is to follow: a call tells few parents of such as
        have ended.

        Raises LeaseLost when the holder does not run any more, ParentMissing, QueueFull,
        InvalidOption when the queues are on several nodes of a cluster.
        """
        holder = holder or _NOBODY
        args: list[Any] = [*holder]
        for ref, (_, rest, (delay_ms, place, name)), waits, parents in nodes:
            args += (ref, rest, delay_ms, place, name, int(waits), " ".join(parents))
        try:
            duplicates = await self._call("add_flow", *args)
        except ResponseError as error:
            raise _flow_error(error, holder) from error
        statuses = [1] * len(nodes)
        for position in duplicates:
            statuses[position - 1] = 0
        return statuses

    async def tell_parents(self) -> None:
        """Tell all parents of whose children an earlier call had more to tell than one script may.

        To be called after what may leave some: on a queue without workers nobody else does. A
        call that breaks off has told some; a repeat goes on.
        """
        while await self.tell_some_parents():
            pass

    async def tell_some_parents(self) -> bool:
        """Tell some 100 of them; return whether to call again."""
        return bool(await self._call("tell_parents"))

    async def remove_child_dependency(self, *, job_id: str, parent: str) -> int:
        """Part a child from one parent (a ref), or from all ('')."""
        total = 0
        while True:
            parted: int = await self._call("remove_child_dependency", job_id, parent)
            total += parted
            if parted < _PARTED:
                return total

    async def remove_unprocessed_children(
        self, *, job_id: str, children: Sequence[str]
    ) -> tuple[int, int]:
        """Remove those of at most 100 children (refs) that have not ended.

        Returns how many jobs it was, and with how many of the refs it has dealt: call again
        with the others.
        """
        removed, dealt_with = await self._call("remove_unprocessed_children", job_id, *children)
        return removed, dealt_with

    async def count_dependencies(self, job_id: str) -> list[int]:
        """Return how many children there are of each kind, in the order of Dependency."""
        counts = []
        for kind in Dependency:
            command = "SCARD" if kind is Dependency.UNPROCESSED else "HLEN"
            counts.append(int(await self._client.execute(command, self._part(job_id, kind))))
        return counts

    async def scan_dependencies(
        self, job_id: str, kind: Dependency, *, cursor: int, count: int
    ) -> tuple[int, dict[str, bytes]]:
        """Return the next cursor (0 at the end) and children: ref → JSON, b"" for none."""
        command = "SSCAN" if kind is Dependency.UNPROCESSED else "HSCAN"
        key = self._part(job_id, kind)
        after, found = await self._client.execute(command, key, cursor, "COUNT", count)
        if kind is Dependency.UNPROCESSED:
            return int(after), {ref.decode(): b"" for ref in found}
        pairs = zip(found[::2], found[1::2], strict=True)
        return int(after), {ref.decode(): value for ref, value in pairs}

    async def dependencies(self, job_id: str, kind: Dependency) -> Mapping[str, bytes]:
        """Return all children of a kind: ref → JSON, b"" for none."""
        children: dict[str, bytes] = {}
        cursor = 0
        while True:
            cursor, page = await self.scan_dependencies(job_id, kind, cursor=cursor, count=_PAGE)
            children |= page
            if cursor == 0:
                return children

    async def parents(self, job_id: str) -> list[str]:
        """Return the refs of a child's parents."""
        found = await self._client.execute("SMEMBERS", f"{self._keys.job(job_id)}:par")
        return sorted(ref.decode() for ref in found)

    def _part(self, job_id: str, kind: Dependency) -> str:
        return f"{self._keys.job(job_id)}:{_SUFFIXES[kind]}"


def _flow_error(error: ResponseError, holder: Holder) -> Exception:
    code, _, text = str(error).partition(" ")
    if code == "LEASELOST":
        job_id = holder.ref.partition(":")[2]
        return LeaseLost(job_id, fence=fence_of(holder.token), consumer=holder.consumer)
    if code == "NOPARENT":
        return ParentMissing(f"flow not added: {text}; children can join only a job that has not")
    if "non local key" in str(error):
        return InvalidOption(
            "flow not added: its queues lie on different nodes of the cluster; keep the jobs "
            "of a flow in one queue"
        )
    return error

"""Rules: flows."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.job import Asked, ModelJob
from tests.conformance.model.machine import QueueFrame
from tests.support.driver import settle
from vqueue.errors import ParentMissing
from vqueue.flow_scripts import FlowRecord
from vqueue.options import JobOptions
from vqueue.record import NewRecord

_POLICIES = (
    "fail_parent_on_failure",
    "ignore_dependency_on_failure",
    "remove_dependency_on_failure",
    "continue_parent_on_failure",
)
_PLACES: list[dict[str, int]] = [{}, {}, {"lifo": True}, {"priority": 2}]


def _child(policy: str, place: dict[str, Any]) -> JobOptions:
    return JobOptions(**{policy: True}, **place)


#: Options of a child: what is to become of its parent when it fails, and where it waits.
child_options = st.builds(_child, st.sampled_from(_POLICIES), st.sampled_from(_PLACES))


class Relating(QueueFrame):
    """Parents with children: new ones, known ones, and those of a job that is there."""

    def _ref(self, job_id: str) -> str:
        return f"{self.driver.queue_name}:{job_id}"

    def _record(self, job_id: str, asked: Asked, *parents: str, waits: bool = False) -> FlowRecord:
        new = NewRecord(job_id, asked.rest, (*asked.options.settings, "task"))
        return FlowRecord(self._ref(job_id), new, waits, [self._ref(one) for one in parents])

    def _add_flow(self, *nodes: FlowRecord, expected: list[int]) -> None:
        assert self.run(self.driver.scripts.add_flow(nodes=nodes, holder=None)) == expected

    @initialize(child=child_options)
    def a_flow_is_there(self, child: JobOptions) -> None:
        self.add_a_flow([child, JobOptions(ignore_dependency_on_failure=True)], 0)

    @rule(
        children=st.lists(child_options, min_size=1, max_size=3), priority=st.sampled_from([0, 2])
    )
    def add_a_flow(self, children: list[JobOptions], priority: int) -> None:
        root, asked = self.new_id(), self.ask(JobOptions(priority=priority))
        named = {self.new_id(): self.ask(options) for options in children}
        self._add_flow(
            self._record(root, asked, waits=True),
            *(self._record(child, of_child, root) for child, of_child in named.items()),
            expected=[1] * (1 + len(named)),
        )
        self.model.make_parent(root, asked)
        for child, of_child in named.items():
            self.model.enter(child, of_child)
        for child in named:
            self.model.join(root, child, is_new=True)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), options=child_options)
    def give_a_job_another_child(self, data: st.DataObject, options: JobOptions) -> None:
        parent = self.choose(data, self.model.all_jobs)
        child, asked = self.new_id(), self.ask(options)
        record = self._record(child, asked, parent.id)
        if parent.has_ended:
            with pytest.raises(ParentMissing):
                self._add_flow(record, expected=[])
            return
        self._add_flow(record, expected=[1])
        self.model.enter(child, asked)
        self.model.join(parent.id, child, is_new=True)
        if parent.state == "waiting":
            self.model.wait_for_children(parent)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def add_a_parent_of_jobs_that_are_there(self, data: st.DataObject) -> None:
        jobs = self.choose_some(data, self.model.all_jobs)
        self._add_parent_of([job.id for job in jobs[:3]])

    @precondition(lambda self: self.model.gone)
    @rule(data=st.data())
    def add_a_parent_of_a_job_that_was_removed(self, data: st.DataObject) -> None:
        self._add_parent_of([data.draw(st.sampled_from(sorted(self.model.gone)))])

    def _add_parent_of(self, children: list[str]) -> None:
        parent, asked = self.new_id(), self.ask(JobOptions())
        self._add_flow(
            self._record(parent, asked, waits=True),
            *(self._record(child, asked, parent) for child in children),
            expected=[1, *(0 for _ in children)],
        )
        self.model.make_parent(parent, asked)
        for child in children:
            self.model.is_new(child)
        for child in children:
            self.model.join(parent, child, is_new=False)
        self.model.tell_parents()

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def wait_for_children(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        assert job.taken
        settlement = settle(job.taken, "waiting-children", value=b"", consumer=job.holder)
        reply = self.run(self.driver.finish(settlement, consumer=job.holder))
        assert reply.statuses == [1]
        self.model.park(job)
        self.handed_out(reply.taken, job.holder, 0)

    def _children(self) -> list[ModelJob]:
        return [job for job in self.model.all_jobs if job.family.parents]

    @precondition(lambda self: self._children())
    @rule(data=st.data())
    def part_a_child_from_its_parents(self, data: st.DataObject) -> None:
        child = self.choose(data, self._children())
        parted = self.driver.scripts.remove_child_dependency(job_id=child.id, parent="")
        assert self.run(parted) == self.model.part(child)

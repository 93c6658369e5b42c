"""Rules: flows."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.family import POLICIES
from tests.conformance.model.job import ModelJob
from tests.conformance.model.machine import QueueFrame
from tests.support.driver import settle
from vqueue.errors import ParentMissing
from vqueue.flow_scripts import FlowRecord
from vqueue.record import NewRecord

#: What is to become of the parent of a child that fails.
policies = st.sampled_from(POLICIES)
places = st.sampled_from(["0", "0", "lifo", "2"])


class Relating(QueueFrame):
    """Parents with children: new ones, known ones, and those of a job that is there."""

    def _ref(self, job_id: str) -> str:
        return f"{self.driver.queue_name}:{job_id}"

    def _record(
        self,
        job_id: str,
        *parents: str,
        policy: str = "fail",
        place: str = "0",
        waits: bool = False,
    ) -> FlowRecord:
        options = b"" if policy == "fail" else b'{"on_child_failure":"%b"}' % policy.encode()
        new = NewRecord(job_id, b'"task"\n%b\nnull' % options, (0, place, "task"))
        return FlowRecord(self._ref(job_id), new, waits, [self._ref(one) for one in parents])

    def _add_flow(self, *nodes: FlowRecord, expected: list[int]) -> None:
        assert self.run(self.driver.scripts.add_flow(nodes=nodes, holder=None)) == expected

    @initialize(policy=policies)
    def a_flow_is_there(self, policy: str) -> None:
        self.add_a_flow([(policy, "0"), ("ignore", "0")], "0")

    @rule(
        children=st.lists(st.tuples(policies, places), min_size=1, max_size=3),
        place=st.sampled_from(["0", "2"]),
    )
    def add_a_flow(self, children: list[tuple[str, str]], place: str) -> None:
        parent = self.new_id()
        named = [(self.new_id(), policy, child_place) for policy, child_place in children]
        self._add_flow(
            self._record(parent, place=place, waits=True),
            *(self._record(one, parent, policy=policy, place=at) for one, policy, at in named),
            expected=[1] * (1 + len(named)),
        )
        self.model.make_parent(parent, place=place)
        for job_id, policy, child_place in named:
            self.model.add(job_id, place=child_place, is_delayed=False)
            self.model.jobs[job_id].family.policy = policy
        for job_id, _, _ in named:
            self.model.join(parent, job_id, is_new=True)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), policy=policies)
    def give_a_job_another_child(self, data: st.DataObject, policy: str) -> None:
        parent = self.choose(data, sorted(self.model.jobs.values(), key=lambda job: job.id))
        child = self.new_id()
        record = self._record(child, parent.id, policy=policy)
        if parent.has_ended:
            with pytest.raises(ParentMissing):
                self._add_flow(record, expected=[])
            return
        self._add_flow(record, expected=[1])
        self.model.add(child, place="0", is_delayed=False)
        self.model.jobs[child].family.policy = policy
        self.model.join(parent.id, child, is_new=True)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def add_a_parent_of_jobs_that_are_there(self, data: st.DataObject) -> None:
        jobs = self.choose_some(data, sorted(self.model.jobs.values(), key=lambda job: job.id))
        self._add_parent_of([job.id for job in jobs[:3]])

    @precondition(lambda self: self.model.gone)
    @rule(data=st.data())
    def add_a_parent_of_a_job_that_was_removed(self, data: st.DataObject) -> None:
        self._add_parent_of([data.draw(st.sampled_from(sorted(self.model.gone)))])

    def _add_parent_of(self, children: list[str]) -> None:
        parent = self.new_id()
        self._add_flow(
            self._record(parent, waits=True),
            *(self._record(child, parent) for child in children),
            expected=[1, *(0 for _ in children)],
        )
        self.model.make_parent(parent, place="0")
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
        jobs = sorted(self.model.jobs.values(), key=lambda job: job.id)
        return [job for job in jobs if job.family.parents]

    @precondition(lambda self: self._children())
    @rule(data=st.data())
    def part_a_child_from_its_parents(self, data: st.DataObject) -> None:
        child = self.choose(data, self._children())
        parted = self.driver.scripts.remove_child_dependency(job_id=child.id, parent="")
        assert self.run(parted) == self.model.part(child)

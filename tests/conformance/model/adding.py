"""Rules: what producers do."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.machine import QueueFrame
from tests.conformance.model.times import delays
from vqueue.options import JobOptions

priorities = st.integers(1, 3)


class Adding(QueueFrame):
    """Adds of every kind."""

    def _add(self, *job_ids: str, options: JobOptions | None = None) -> None:
        asked = self.ask(options or JobOptions())
        expected = [int(self.model.add(job_id, asked)) for job_id in job_ids]
        assert self.add_really(asked, *job_ids) == expected

    @initialize()
    def some_jobs_are_there(self) -> None:
        self._add(*(self.new_id() for _ in range(4)))

    @rule()
    def add(self) -> None:
        self._add(self.new_id())

    @rule(count=st.integers(2, 5))
    def add_many_at_once(self, count: int) -> None:
        self._add(*(self.new_id() for _ in range(count)))

    @rule(priority=priorities)
    def add_with_priority(self, priority: int) -> None:
        self._add(self.new_id(), options=JobOptions(priority=priority))

    @rule()
    def add_lifo(self) -> None:
        self._add(self.new_id(), options=JobOptions(lifo=True))

    @rule(max_stalled=st.integers(0, 2))
    def add_with_a_limit_of_stalls(self, max_stalled: int) -> None:
        self._add(self.new_id(), options=JobOptions(max_stalled=max_stalled))

    @rule(delay=delays, count=st.integers(1, 3))
    def add_delayed(self, delay: int, count: int) -> None:
        self._add(*(self.new_id() for _ in range(count)), options=JobOptions(delay=delay))

    @rule(priority=priorities, delay=delays)
    def add_delayed_with_priority(self, priority: int, delay: int) -> None:
        self._add(self.new_id(), options=JobOptions(priority=priority, delay=delay))

    @precondition(lambda self: self.model.jobs)
    @rule(
        data=st.data(),
        options=st.sampled_from([JobOptions(), JobOptions(lifo=True), JobOptions(priority=2)]),
    )
    def add_an_id_that_is_there(self, data: st.DataObject, options: JobOptions) -> None:
        self._add(self.choose(data, self.model.all_jobs).id, options=options)

    @rule()
    def add_one_id_twice_in_a_call(self) -> None:
        job_id = self.new_id()
        self._add(job_id, job_id)

    @precondition(lambda self: self.model.gone)
    @rule(data=st.data())
    def add_an_id_that_was_removed(self, data: st.DataObject) -> None:
        self._add(data.draw(st.sampled_from(sorted(self.model.gone))))

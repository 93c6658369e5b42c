"""Rules: what producers do."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.machine import QueueFrame

#: Milliseconds: far beyond a run. `time_passes` brings a job's time.
FAR_MS = 3_600_000

priorities = st.integers(1, 3).map(str)


class Adding(QueueFrame):
    """Adds of every kind."""

    def _add(self, *job_ids: str, place: str = "0", delay_ms: int = 0) -> None:
        expected = [
            int(self.model.add(job_id, place=place, is_delayed=delay_ms > 0)) for job_id in job_ids
        ]
        added = self.run(self.driver.add(*job_ids, place=place, delay_ms=delay_ms))
        assert added == expected

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
    def add_with_priority(self, priority: str) -> None:
        self._add(self.new_id(), place=priority)

    @rule()
    def add_lifo(self) -> None:
        self._add(self.new_id(), place="lifo")

    @rule()
    def add_delayed(self) -> None:
        self._add(self.new_id(), delay_ms=FAR_MS)

    @rule(priority=priorities)
    def add_delayed_with_priority(self, priority: str) -> None:
        self._add(self.new_id(), place=priority, delay_ms=FAR_MS)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), place=st.sampled_from(["0", "lifo", "2"]))
    def add_an_id_that_is_there(self, data: st.DataObject, place: str) -> None:
        job = self.choose(data, sorted(self.model.jobs.values(), key=lambda job: job.id))
        self._add(job.id, place=place)

    @rule()
    def add_one_id_twice_in_a_call(self) -> None:
        job_id = self.new_id()
        self._add(job_id, job_id)

    @precondition(lambda self: self.model.gone)
    @rule(data=st.data())
    def add_an_id_that_was_removed(self, data: st.DataObject) -> None:
        self._add(data.draw(st.sampled_from(sorted(self.model.gone))))

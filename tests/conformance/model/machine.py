"""The state machine's frame: a queue and its model side by side, compared after every step."""

import asyncio
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.conformance.model.job import Asked, ModelJob
from tests.conformance.model.model import QueueModel
from tests.conformance.model.observed import view_of_model, view_of_queue
from tests.support.driver import Driver
from tests.support.invariants import violations
from vqueue.options import JobOptions
from vqueue.record import NewRecord, Record
from vqueue.scripts import Taken

T = TypeVar("T")

#: Two workers: what one of them holds, the other must not be able to end.
CONSUMERS = ("w1", "w2")
consumers = st.sampled_from(CONSUMERS)


def other(consumer: str) -> str:
    """The worker that it is not."""
    return CONSUMERS[consumer == CONSUMERS[0]]


def _ids(jobs: Sequence[ModelJob]) -> list[str]:
    return [job.id for job in jobs]


class QueueFrame(RuleBasedStateMachine):
    """Runs real scripts; subclasses bring the rules."""

    redis_url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.driver = Driver(self.redis_url, f"model-{secrets.token_hex(6)}")
        self.model = QueueModel()
        #: Numbers of log lines only have to grow within an activation.
        self.lines_written = 0
        #: Those of partial results, too.
        self.results_sent = 0
        self._ids = 0
        self._values = 0

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Wait for a call."""
        return self._runner.run(call)

    def new_id(self) -> str:
        """An id that was not used yet."""
        self._ids += 1
        return f"job-{self._ids:03}"

    def new_value(self, what: str) -> bytes:
        """JSON that no job had yet: what is left of a former one is seen."""
        self._values += 1
        return b'"%b %d"' % (what.encode(), self._values)

    def ask(self, options: JobOptions) -> Asked:
        """A job with data of its own."""
        return Asked(data=self.new_value("data"), options=options)

    def add_really(self, asked: Asked, *job_ids: str) -> list[int | str]:
        """Add jobs to the queue alone."""
        settings = (*asked.options.settings, "task")
        jobs = [NewRecord(job_id, asked.rest, settings) for job_id in job_ids]
        return self.run(self.driver.scripts.add(jobs=jobs))

    def choose(self, data: st.DataObject, jobs: Sequence[ModelJob]) -> ModelJob:
        """One of some jobs."""
        return self.model.jobs[data.draw(st.sampled_from(_ids(jobs)), label="job")]

    def choose_some(self, data: st.DataObject, jobs: Sequence[ModelJob]) -> list[ModelJob]:
        """At least one of some jobs, in any order."""
        chosen = st.lists(st.sampled_from(_ids(jobs)), min_size=1, unique=True)
        return [self.model.jobs[job_id] for job_id in data.draw(chosen, label="jobs")]

    def handed_out(
        self, taken: Taken, consumer: str, want: int, own_max: int | None = None
    ) -> None:
        """Compare what a take gave with what it should have: which jobs, and their data."""
        given = [job.id.decode() for job in taken.jobs]
        expected = self.model.take(consumer, want, given, own_max)
        assert given == [job.id for job in expected]
        for job, real in zip(expected, taken.jobs, strict=True):
            record = Record.parse(real.record)
            assert (record.data, record.options) == (job.data, job.options)
            job.taken = real

    @invariant()
    def the_queue_is_as_the_model_says(self) -> None:
        """Everything of View, and that no key contradicts another."""
        dump = self.run(self.driver.dump())
        assert list(violations(dump)) == []
        assert view_of_queue(dump) == view_of_model(self.model)

    def teardown(self) -> None:
        """Leave nothing in Redis."""
        self.run(self.driver.wipe())
        self.run(self.driver.close())
        self._runner.close()

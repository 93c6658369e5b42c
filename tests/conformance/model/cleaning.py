"""Rules: many jobs are removed at once, or all there is; or retried."""

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.conformance.model.machine import QueueFrame
from tests.support.queue_dump import keys_left
from vqueue import JobOptions, Queue
from vqueue.clean_scripts import Cleaned
from vqueue.edit_scripts import Resets
from vqueue.scripts import MAX_BATCH

_CLEANED = ("waiting", "prioritized", "delayed", "completed", "failed")


class Cleaning(QueueFrame):
    """Clean, drain and obliterate, and the retry of all that completed."""

    def _clean(
        self, state: str, *, most: int = MAX_BATCH, before: str = "", cursor: str = ""
    ) -> Cleaned:
        cleaned = self.driver.scripts.clean(
            state=state, before=before, limit=most, cursor=cursor, is_told=True
        )
        return self.run(cleaned)

    @precondition(lambda self: self.model.in_state("waiting", "delayed"))
    @rule(states=st.sampled_from([_CLEANED[:2], _CLEANED[:3]]))
    def drain(self, states: tuple[str, ...]) -> None:
        for state in states:
            assert self._clean(state).ids == self.model.clean(state, most=MAX_BATCH)

    @precondition(lambda self: self.model.in_state("waiting", "delayed"))
    @rule(state=st.sampled_from(_CLEANED[:3]), most=st.integers(1, 2))
    def clean_the_first_of_those_in_line(self, state: str, most: int) -> None:
        assert self._clean(state, most=most).ids == self.model.clean(state, most=most)

    @precondition(lambda self: self.model.in_state("completed"))
    @rule(data=st.data())
    def clean_those_that_completed_until_then(self, data: st.DataObject) -> None:
        before_ms = self.choose(data, self.model.in_state("completed")).ended_ms
        cleaned = self._clean("completed", before=str(before_ms))
        assert cleaned.ids == self.model.clean("completed", most=MAX_BATCH, before_ms=before_ms)

    @precondition(lambda self: self.model.in_state("completed", "failed"))
    @rule(state=st.sampled_from(_CLEANED[3:]), most=st.integers(1, 2))
    def clean_the_ended_ones_page_by_page(self, state: str, most: int) -> None:
        page = self._clean(state, most=most)
        ids = page.ids
        while page.cursor:
            page = self._clean(state, most=most, before=page.before, cursor=page.cursor)
            assert len(page.ids) <= most
            ids += page.ids
        assert sorted(ids) == sorted(self.model.clean(state, most=MAX_BATCH))

    @precondition(lambda self: self.model.in_state("completed"))
    @rule(count=st.integers(1, 3))
    def retry_the_first_that_completed(self, count: int) -> None:
        jobs = self.model.page("completed")[:count]
        resets = Resets(made=False, started=False)
        retried = self.driver.scripts.retry(state="completed", resets=resets, most=count)
        reply = self.run(retried)
        assert isinstance(reply, tuple)
        assert reply[0] == len(jobs)
        for job in jobs:
            self.model.retry(job, made=False, started=False)

    @precondition(lambda self: len(self.model.jobs) > 3)
    @rule()
    def obliterate(self) -> None:
        event("the queue was obliterated")
        self.run(self._obliterate(force=bool(self.model.in_state("active"))))
        self.model = self.model.emptied()
        # a queue without a job has no keys to look at
        job_id, asked = self.new_id(), self.ask(JobOptions())
        assert self.model.add(job_id, asked)
        assert self.add_really(asked, job_id) == [1]

    async def _obliterate(self, *, force: bool) -> None:
        async with Queue(self.driver.queue_name, self.redis_url) as queue:
            await queue.obliterate(force=force)
        assert await keys_left(self.driver.client, self.driver.keys) == {"ev"}

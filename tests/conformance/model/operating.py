"""Rules: what operators do."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.conformance.model.machine import QueueFrame
from tests.conformance.model.settling import keep_rule
from tests.conformance.model.times import delays
from tests.support.driver import LONG_MS, settle
from vqueue.edit_scripts import Resets
from vqueue.options import JobOptions

_CANCELLED = b'"cancelled"'


class Operating(QueueFrame):
    """Removal, promotion, retry, priorities, cancellation, pause and global concurrency."""

    @precondition(lambda self: self.model.idle)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.idle)
        assert self.run(self.driver.scripts.remove(job_id=job.id, children=False)) == 1
        self.model.remove_by_hand(job)

    @precondition(lambda self: self.model.former)
    @rule(data=st.data())
    def add_an_id_that_was_removed_by_hand(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.model.former)))
        asked = self.ask(JobOptions())
        expected = int(self.model.add(job_id, asked))
        assert self.add_really(asked, job_id) == [expected]

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def an_active_job_is_left_alone(self, data: st.DataObject) -> None:
        job, scripts = self.choose(data, self.model.in_state("active")), self.driver.scripts
        assert self.run(scripts.remove(job_id=job.id, children=False)) == "active"
        assert self.run(scripts.promote(job_id=job.id)) == "active"
        changed = scripts.change_priority(job_id=job.id, priority=1, lifo=False)
        assert self.run(changed) == "active"

    @precondition(lambda self: self.model.in_state("delayed"))
    @rule(data=st.data())
    def promote(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("delayed"))
        assert self.run(self.driver.scripts.promote(job_id=job.id)) == 1
        self.model.come_due(job)

    @precondition(lambda self: self.model.in_state("delayed"))
    @rule(count=st.integers(1, 3))
    def promote_those_that_are_due_first(self, count: int) -> None:
        jobs = self.model.delayed_line[:count]
        assert self.run(self.driver.scripts.promote(most=count)) == len(jobs)
        for job in jobs:
            self.model.come_due(job)

    @precondition(lambda self: self.model.in_state("delayed"))
    @rule(data=st.data(), delay=delays)
    def change_delay(self, data: st.DataObject, delay: int) -> None:
        job = self.choose(data, self.model.in_state("delayed"))
        changed = self.driver.scripts.change_delay(job_id=job.id, delay_ms=delay * 1000)
        assert self.run(changed) == 1
        self.model.postpone(job, delay * 1000)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def update_data(self, data: st.DataObject) -> None:
        job, new = self.choose(data, self.model.all_jobs), self.new_value("data")
        assert self.run(self.driver.scripts.update_data(job_id=job.id, data=new)) == 1
        self.model.update_data(job, new)

    @precondition(lambda self: self.model.in_state("waiting", "delayed", "waiting-children"))
    @rule(data=st.data(), priority=st.integers(0, 3), lifo=st.booleans())
    def change_priority(self, data: st.DataObject, priority: int, lifo: bool) -> None:
        jobs = self.model.in_state("waiting", "delayed", "waiting-children")
        job = self.choose(data, jobs)
        changed = self.driver.scripts.change_priority(job_id=job.id, priority=priority, lifo=lifo)
        assert self.run(changed) == 1
        self.model.change_priority(job, priority, lifo=lifo)

    @precondition(lambda self: self.model.in_state("completed", "failed"))
    @rule(data=st.data(), made=st.booleans(), started=st.booleans())
    def retry(self, data: st.DataObject, made: bool, started: bool) -> None:
        job = self.choose(data, self.model.in_state("completed", "failed"))
        retried = self.driver.scripts.retry(
            job_id=job.id, state=job.state, resets=Resets(made=made, started=started)
        )
        reply = self.run(retried)
        assert isinstance(reply, tuple)
        assert reply[0] == 1
        self.model.retry(job, made=made, started=started)

    @precondition(lambda self: self.model.in_state("waiting", "delayed", "waiting-children"))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        jobs = self.model.in_state("waiting", "delayed", "waiting-children")
        job = self.choose(data, jobs)
        assert self.run(self.driver.scripts.cancel(job_id=job.id, reason=_CANCELLED)) == 1
        self.model.fail(job, _CANCELLED)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def a_result_comes_before_the_cancellation_is_heard(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        assert job.taken
        cancelled = self.driver.scripts.cancel(job_id=job.id, reason=_CANCELLED)
        assert self.run(cancelled) == "active"
        beat = self.driver.scripts.heartbeat(
            consumer=job.holder, lease_ms=LONG_MS, tokens=[job.taken.token]
        )
        assert list(self.run(beat).cancelled) == [job.taken.token]
        result = self.new_value("result")
        settlement = settle(job.taken, value=result, rule=keep_rule(job), consumer=job.holder)
        reply = self.run(self.driver.finish(settlement, consumer=job.holder))
        assert reply.statuses == [1]
        self.model.end(job, "completed", result, now_ms=reply.taken.now_ms)
        self.model.tell_parents()
        self.handed_out(reply.taken, job.holder, 0)

    @precondition(lambda self: self.model.limits.is_paused or self.model.in_state("waiting"))
    @rule(is_paused=st.sampled_from([False, False, True]))
    def pause_or_resume(self, is_paused: bool) -> None:
        self.run(self.driver.scripts.pause(paused=is_paused))
        self.model.limits.is_paused = is_paused

    @precondition(lambda self: self.model.limits.concurrency or self.model.in_state("waiting"))
    @rule(concurrency=st.sampled_from([None, None, 1, 2, 3]))
    def set_global_concurrency(self, concurrency: int | None) -> None:
        self.run(self.driver.scripts.set_limits(concurrency=concurrency))
        self.model.limits.concurrency = concurrency

"""Rules: what workers do that are late, dead, or do not hear an answer."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.conformance.model.machine import consumers, other
from tests.conformance.model.sweeping import Sweeping
from tests.support.driver import LONG_MS, expire, settle


class Faults(Sweeping):
    """Lost leases, late calls, lost replies."""

    @precondition(lambda self: self.model.in_state("active"))
    @rule(max_stalled=st.integers(0, 2))
    def sweep_while_all_is_well(self, max_stalled: int) -> None:
        assert self.run(self.driver.sweep(max_stalled=max_stalled)) == (0, 0, False)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), max_stalled=st.integers(0, 2))
    def leases_run_out(self, data: st.DataObject, max_stalled: int) -> None:
        jobs = self.choose_some(data, self.model.in_state("active"))
        for job in jobs:
            assert job.taken
            self.run(expire(self.driver, job.taken.token))
        self.sweep_as_the_model_says(jobs, max_stalled=max_stalled)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(consumer=consumers, max_stalled=st.integers(0, 2))
    def a_worker_is_seen_to_die(self, consumer: str, max_stalled: int) -> None:
        jobs = self.model.held_by(consumer)
        self.sweep_as_the_model_says(jobs, max_stalled=max_stalled, dead=consumer)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), outcome=st.sampled_from(["completed", "failed", "waiting", "delayed"]))
    def another_worker_ends_a_job(self, data: st.DataObject, outcome: str) -> None:
        job = self.choose(data, self.model.in_state("active"))
        assert job.taken
        wrong = other(job.holder)
        settlement = settle(job.taken, outcome, rule="1000", consumer=wrong)
        reply = self.run(self.driver.finish(settlement, consumer=wrong))
        assert reply.statuses == [0]
        self.handed_out(reply.taken, wrong, 0)

    @precondition(lambda self: self.model.past)
    @rule(data=st.data(), outcome=st.sampled_from(["completed", "failed", "waiting", "delayed"]))
    def a_past_activation_ends_its_job_again(self, data: st.DataObject, outcome: str) -> None:
        taken, consumer = data.draw(st.sampled_from(self.model.past), label="activation")
        settlement = settle(taken, outcome, rule="1000", consumer=consumer)
        # the last one to end is told so: its reply may have been lost
        was_last = self.model.ended_by.get(taken.id.decode()) == (taken.token, consumer)
        reply = self.run(self.driver.finish(settlement, consumer=consumer))
        assert reply.statuses == [2 if was_last else 0]
        self.handed_out(reply.taken, consumer, 0)

    @precondition(lambda self: self.model.past)
    @rule(data=st.data())
    def a_past_activation_hands_its_job_back(self, data: st.DataObject) -> None:
        taken, consumer = data.draw(st.sampled_from(self.model.past), label="activation")
        job_id = taken.id.decode()
        was_last = self.model.ended_by.get(job_id) == (taken.token, consumer)
        released = self.driver.scripts.release(consumer=consumer, jobs=[(job_id, taken.token)])
        assert self.run(released) == [2 if was_last else 0]

    @precondition(lambda self: self.model.past)
    @rule(data=st.data())
    def a_past_activation_reports(self, data: st.DataObject) -> None:
        taken, consumer = data.draw(st.sampled_from(self.model.past), label="activation")
        job_id, scripts = taken.id.decode(), self.driver.scripts
        report = [(job_id, taken.token, b"99")]
        assert self.run(scripts.progress(consumer=consumer, jobs=report)) == [0]
        lines = [(job_id, taken.token, 10_000, "late")]
        assert self.run(scripts.log(consumer=consumer, keep=1000, lines=lines)) == [0]
        changed = scripts.update_data(
            job_id=job_id, data=b'"late"', token=taken.token, consumer=consumer
        )
        assert self.run(changed) == 0

    @precondition(lambda self: self.model.past)
    @rule(data=st.data())
    def a_late_heartbeat_takes_nothing_back(self, data: st.DataObject) -> None:
        taken, consumer = data.draw(st.sampled_from(self.model.past), label="activation")
        beat = self.driver.scripts.heartbeat(
            consumer=consumer, lease_ms=LONG_MS, tokens=[taken.token]
        )
        assert self.run(beat).lost == [taken.token]

    @precondition(lambda self: self.model.in_state("waiting", "delayed"))
    @rule(consumer=consumers, want=st.integers(1, 3))
    def the_reply_of_a_take_is_lost(self, consumer: str, want: int) -> None:
        known = [job.taken.token for job in self.model.held_by(consumer) if job.taken]
        self.run(self.driver.take(want, consumer=consumer))
        found = self.run(
            self.driver.scripts.adopt(consumer=consumer, lease_ms=LONG_MS, known=known)
        )
        by_id = {taken.id.decode(): taken for taken in found.jobs}
        expected = self.model.take(consumer, want, list(by_id))
        assert by_id.keys() == {job.id for job in expected}
        for job in expected:
            job.taken = by_id[job.id]

    @precondition(lambda self: self.model.in_state("active"))
    @rule()
    def repair_while_all_is_well(self) -> None:
        repaired = self.run(self.driver.scripts.repair())
        assert repaired == (0, False)

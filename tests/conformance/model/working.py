"""Rules: what healthy workers do, and time."""

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.conformance.model.machine import consumers
from tests.conformance.model.model import ModelJob
from tests.conformance.model.settling import KEEP_TWO, Settling
from tests.conformance.model.times import DELAYS, HOUR_MS, delays
from tests.support.driver import KEEP_NONE, LONG_MS, settle


class Working(Settling):
    """Takes, ends of attempts, reports, hand-backs."""

    def hand_back_jobs(self, jobs: Sequence[ModelJob]) -> None:
        """A worker lets go of jobs, really and in the model."""
        named = [(job.id, job.taken.token) for job in jobs if job.taken]
        released = self.driver.scripts.release(consumer=jobs[0].holder, jobs=named)
        assert self.run(released) == [1] * len(jobs)
        self.model.release(jobs)

    @rule(consumer=consumers, want=st.integers(1, 4))
    def take(self, consumer: str, want: int) -> None:
        self.handed_out(self.run(self.driver.take(want, consumer=consumer)), consumer, want)

    @precondition(lambda self: self.model.in_state("delayed"))
    @rule(consumer=consumers)
    def look_without_a_free_slot(self, consumer: str) -> None:
        self.handed_out(self.run(self.driver.take(0, consumer=consumer)), consumer, 0)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        self.finish([self.choose(data, self.model.in_state("active"))], "completed")

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), want=st.integers(1, 3))
    def complete_and_take(self, data: st.DataObject, want: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self.finish([job], "completed", want=want)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), want=st.integers(0, 3))
    def complete_many_of_a_worker(self, data: st.DataObject, want: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        jobs = self.choose_some(data, self.model.held_by(job.holder))
        self.finish(jobs, "completed", want=want)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def complete_and_keep_nothing(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self.finish([job], "completed", rule=KEEP_NONE)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def complete_and_keep_two(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self.finish([job], "completed", rule=KEEP_TWO)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def complete_with_an_unsent_progress(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self.finish([job], "completed", progress=b"100")

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.finish([self.choose(data, self.model.in_state("active"))], "failed")

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def fail_and_keep_nothing(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self.finish([job], "failed", rule=KEEP_NONE)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), want=st.integers(0, 2))
    def retry_at_once(self, data: st.DataObject, want: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self.finish([job], "waiting", want=want)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), delay=delays)
    def retry_some_later(self, data: st.DataObject, delay: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        jobs = self.choose_some(data, self.model.held_by(job.holder))
        self.finish(jobs, "delayed", delay_ms=delay * 1000)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), kind=st.sampled_from(["front", "parked", "limited"]))
    def handlers_put_their_jobs_back(self, data: st.DataObject, kind: str) -> None:
        job = self.choose(data, self.model.in_state("active"))
        jobs = self.choose_some(data, self.model.held_by(job.holder))
        rule = "" if kind == "front" else str(HOUR_MS)
        settlements = [
            settle(job.taken, kind, value=b"", rule=rule, consumer=job.holder)
            for job in jobs
            if job.taken
        ]
        reply = self.run(self.driver.finish(*settlements, consumer=job.holder))
        assert reply.statuses == [1] * len(jobs)
        self.model.put_back(jobs, delay_ms=HOUR_MS if kind == "parked" else 0)
        if kind == "limited":
            self.model.limits.is_held = True
        self.handed_out(reply.taken, job.holder, 0)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        jobs = self.choose_some(data, self.model.held_by(job.holder))
        self.hand_back_jobs(jobs)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), percent=st.integers(0, 99))
    def report_progress(self, data: st.DataObject, percent: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        assert job.taken
        value = str(percent).encode()
        report = [(job.id, job.taken.token, value)]
        assert self.run(self.driver.scripts.progress(consumer=job.holder, jobs=report)) == [1]
        job.progress = value
        job.events.append("progress")

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), again=st.booleans())
    def a_handler_changes_its_data(self, data: st.DataObject, again: bool) -> None:
        job = self.choose(data, self.model.in_state("active"))
        assert job.taken
        new = self.new_value("data")
        changed = self.driver.scripts.update_data(
            job_id=job.id, data=new, token=job.taken.token, consumer=job.holder
        )
        assert self.run(changed) == 1
        self.model.update_data(job, new)
        if again:  # the next handler gets them
            self.hand_back_jobs([job])
            self.take("w2", 1)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def write_a_log_line(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        assert job.taken
        self.lines_written += 1
        line = f"line {self.lines_written}"
        lines = [(job.id, job.taken.token, self.lines_written, line)]
        calls = data.draw(st.integers(1, 2), label="calls")  # the reply of one was lost
        for _ in range(calls):
            written = self.driver.scripts.log(consumer=job.holder, keep=1000, lines=lines)
            assert self.run(written) == [1]
        job.log.append(line)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(consumer=consumers)
    def heartbeat(self, consumer: str) -> None:
        tokens = [job.taken.token for job in self.model.held_by(consumer) if job.taken]
        beat = self.run(
            self.driver.scripts.heartbeat(consumer=consumer, lease_ms=LONG_MS, tokens=tokens)
        )
        assert beat.lost == []

    @precondition(lambda self: any(job.due[0] for job in self.model.in_state("delayed")))
    @rule(count=st.integers(1, 3))
    def time_passes(self, count: int) -> None:
        # all by the same time, so that they come due in the order of their scores
        ms = max(DELAYS) * 1000
        for job in self.model.pass_time(count):
            earlier = self.driver.redis("ZINCRBY", self.driver.keys.delayed, -4096 * ms, job.id)
            self.run(earlier)

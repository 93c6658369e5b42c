"""Rules: what healthy workers do, and time."""

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.conformance.model.adding import FAR_MS
from tests.conformance.model.machine import QueueFrame, consumers
from tests.conformance.model.model import ModelJob
from tests.support.driver import KEEP_ALL, KEEP_NONE, LONG_MS, settle

#: What a job returns, as JSON.
RESULT = b'"done"'
_REASON = b'"boom"'
_KEEP_TWO = "2 -1"


def keep_rule(job: ModelJob, rule: str = KEEP_ALL) -> str:
    """A keep rule as a worker gives it: it says when a job has a deduplication."""
    return f"{rule} *" if job.unique else rule


class Working(QueueFrame):
    """Takes, ends of attempts, reports, hand-backs."""

    def _finish(
        self,
        jobs: Sequence[ModelJob],
        outcome: str,
        value: bytes,
        *,
        rule: str = KEEP_ALL,
        want: int = 0,
        progress: bytes = b"",
    ) -> None:
        consumer = jobs[0].holder
        settlements = [
            settle(
                job.taken,
                outcome,
                value=value,
                rule=keep_rule(job, rule) if outcome in ("completed", "failed") else rule,
                consumer=consumer,
                progress=progress,
            )
            for job in jobs
            if job.taken
        ]
        reply = self.run(self.driver.finish(*settlements, consumer=consumer, want=want))
        assert reply.statuses == [1] * len(jobs)
        alike = list(dict.fromkeys(keep_rule(job) for job in jobs))  # jobs that end alike at once
        for job in sorted(jobs, key=lambda job: alike.index(keep_rule(job))):
            if progress:
                job.progress = progress
                job.events.append("progress")
            self.model.end(job, outcome, value, now_ms=reply.taken.now_ms)
            if rule == KEEP_NONE and job.state == outcome:
                self.model.remove(job)
        self.model.tell_parents()
        if rule == _KEEP_TWO and jobs[0].state == outcome:
            self.model.keep_newest(2)
        self.handed_out(reply.taken, consumer, want)

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
        self._finish([self.choose(data, self.model.in_state("active"))], "completed", RESULT)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), want=st.integers(1, 3))
    def complete_and_take(self, data: st.DataObject, want: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self._finish([job], "completed", RESULT, want=want)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), want=st.integers(0, 3))
    def complete_many_of_a_worker(self, data: st.DataObject, want: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        jobs = self.choose_some(data, self.model.held_by(job.holder))
        self._finish(jobs, "completed", RESULT, want=want)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def complete_and_keep_nothing(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self._finish([job], "completed", RESULT, rule=KEEP_NONE)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def complete_and_keep_two(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self._finish([job], "completed", RESULT, rule=_KEEP_TWO)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def complete_with_an_unsent_progress(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self._finish([job], "completed", RESULT, progress=b"100")

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self._finish([self.choose(data, self.model.in_state("active"))], "failed", _REASON)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def fail_and_keep_nothing(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self._finish([job], "failed", _REASON, rule=KEEP_NONE)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), want=st.integers(0, 2))
    def retry_at_once(self, data: st.DataObject, want: int) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self._finish([job], "waiting", _REASON, want=want)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def retry_later(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        self._finish([job], "delayed", _REASON, rule=str(FAR_MS))

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("active"))
        jobs = self.choose_some(data, self.model.held_by(job.holder))
        named = [(job.id, job.taken.token) for job in jobs if job.taken]
        statuses = self.run(self.driver.scripts.release(consumer=job.holder, jobs=named))
        assert statuses == [1] * len(jobs)
        self.model.release(jobs)

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

    @precondition(lambda self: self.model.in_state("delayed"))
    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        job = self.choose(data, self.model.in_state("delayed"))
        score = self.model.come_due(job) * 4096
        self.run(self.driver.redis("ZADD", self.driver.keys.delayed, "XX", score, job.id))

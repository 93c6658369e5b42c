"""The end of attempts, really and in the model: what the rules share."""

from collections.abc import Sequence

from tests.conformance.model.endings import TRACES
from tests.conformance.model.machine import QueueFrame
from tests.conformance.model.model import ModelJob
from tests.support.driver import KEEP_ALL, KEEP_NONE, settle

KEEP_TWO = "2 -1"


def keep_rule(job: ModelJob, rule: str = KEEP_ALL) -> str:
    """A keep rule as a worker gives it: it says when a job has a deduplication."""
    return f"{rule} *" if job.unique else rule


class Settling(QueueFrame):
    """Attempts end as their workers say."""

    def finish(
        self,
        jobs: Sequence[ModelJob],
        outcome: str,
        *,
        rule: str = KEEP_ALL,
        want: int = 0,
        progress: bytes = b"",
        delay_ms: int = 0,
    ) -> None:
        """End attempts of one worker alike, really and in the model."""
        consumer, value, trace = jobs[0].holder, self.new_value(outcome), ""
        if outcome != "completed":
            trace = f"trace of {value.decode()}"
        ends = outcome in ("completed", "failed")
        settlements = [
            settle(
                job.taken,
                outcome,
                value=value,
                rule=keep_rule(job, rule) if ends else str(delay_ms),
                consumer=consumer,
                progress=progress,
                stack=trace,
                stack_limit=TRACES,
            )
            for job in jobs
            if job.taken
        ]
        reply = self.run(self.driver.finish(*settlements, consumer=consumer, want=want))
        assert reply.statuses == [1] * len(jobs)
        if ends:  # jobs that end alike go at once
            alike = list(dict.fromkeys(keep_rule(job) for job in jobs))
            jobs = sorted(jobs, key=lambda job: alike.index(keep_rule(job)))
        now_ms = reply.taken.now_ms
        for job in jobs:
            if progress:
                job.progress = progress
                job.events.append("progress")
            self.model.end(job, outcome, value, now_ms=now_ms, trace=trace, delay_ms=delay_ms)
            if rule == KEEP_NONE and job.state == outcome:
                self.model.remove(job)
        self.model.tell_parents()
        if rule == KEEP_TWO and jobs[0].state == outcome:
            self.model.keep_newest(2)
        self.handed_out(reply.taken, consumer, want)

"""Rules: deduplication in all its modes."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.job import ModelJob
from tests.conformance.model.times import HOUR, HOUR_MS
from tests.conformance.model.working import Working
from vqueue.deduplication import Deduplication
from vqueue.options import JobOptions

#: Those that stand until their job has ended, and those that stand for a time.
MODES = (
    Deduplication(id="d1"),
    Deduplication(id="d1", replace=True),
    Deduplication(id="d1", keep_last_if_active=True),
    Deduplication(id="d2", keep_last_if_active=True),
    Deduplication(id="t1", ttl=HOUR),
    Deduplication(id="t1", ttl=HOUR, extend=True),
    Deduplication(id="t1", ttl=HOUR, replace=True),
    Deduplication(id="t1", ttl=HOUR, extend=True, replace=True),
)


class Deduplicating(Working):
    """Adds with a deduplication id."""

    @initialize(
        mode=st.sampled_from(MODES),
        delay=st.sampled_from([0, 0, HOUR]),
        outcome=st.sampled_from(["", "completed", "failed", "waiting"]),
    )
    def a_job_that_stands_for_others_is_there(
        self, mode: Deduplication, delay: int, outcome: str
    ) -> None:
        self.add_with_deduplication(mode, delay, "back")
        if mode.ttl:
            self.the_time_of_a_deduplication_passes(is_over=False)
        if not delay:
            self.take("w1", 5)
        self.add_with_deduplication(mode, delay, "back")
        if outcome and self._running_owners():
            self.finish(self._running_owners(), outcome)

    @rule(
        mode=st.sampled_from(MODES),
        delay=st.sampled_from([0, 0, HOUR]),
        place=st.sampled_from(["back", "lifo", "priority"]),
    )
    def add_with_deduplication(self, mode: Deduplication, delay: int, place: str) -> None:
        job_id = self.new_id()
        asked = self.ask(
            JobOptions(
                deduplication=mode,
                delay=delay,
                lifo=place == "lifo",
                priority=2 * (place == "priority"),
            )
        )
        expected = self.model.add_unique(job_id, asked)
        assert self.add_really(asked, job_id) == [expected]

    def _running_owners(self) -> list[ModelJob]:
        owners = {owner.job_id for owner in self.model.owners.values()}
        return [job for job in self.model.in_state("active") if job.id in owners]

    @precondition(lambda self: "t1" in self.model.owners)
    @rule(is_over=st.booleans())
    def the_time_of_a_deduplication_passes(self, is_over: bool) -> None:
        key = f"{self.driver.keys.prefix}dd:t1"
        self.run(self.driver.redis("PEXPIRE", key, 0 if is_over else HOUR_MS // 2))
        if is_over:
            del self.model.owners["t1"]
        else:
            self.model.owners["t1"].time_left = "half"

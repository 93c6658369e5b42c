"""Rules: rate limits, and their time."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.conformance.model.machine import QueueFrame, consumers
from tests.conformance.model.times import HOUR_MS
from tests.support.driver import LONG_MS


class Limiting(QueueFrame):
    """Limits of the queue and of its workers."""

    @precondition(lambda self: self.model.limits.max_jobs or self.model.in_state("waiting"))
    @rule(max_jobs=st.sampled_from([None, 1, 2, 4]))
    def set_the_rate_limit(self, max_jobs: int | None) -> None:
        limit_ms = max_jobs and HOUR_MS
        self.run(self.driver.scripts.set_limits(limit_max=max_jobs, limit_ms=limit_ms))
        self.model.limits.max_jobs = max_jobs

    @rule(consumer=consumers, want=st.integers(1, 3), own_max=st.integers(1, 3))
    def take_with_a_rate_limit_of_its_own(self, consumer: str, want: int, own_max: int) -> None:
        taken = self.driver.scripts.take(
            consumer=consumer, want=want, lease_ms=LONG_MS, limiter=(own_max, HOUR_MS)
        )
        self.handed_out(self.run(taken), consumer, want, own_max)

    @precondition(lambda self: self.model.in_state("waiting"))
    @rule()
    def hold_all_jobs_for_a_while(self) -> None:
        self.run(self.driver.scripts.rate_limit(hold_ms=HOUR_MS))
        self.model.limits.is_held = True

    @precondition(lambda self: self.model.limits.is_held or self.model.limits.used is not None)
    @rule()
    def forget_the_rate(self) -> None:
        self.run(self.driver.scripts.rate_limit(hold_ms=0))
        self.model.limits.forget_rate()

    @precondition(lambda self: self.model.limits.used is not None)
    @rule()
    def the_window_ends(self) -> None:
        self.run(self.driver.redis("HSET", self.driver.keys.meta, "window_end", 1))
        self.model.limits.used = None

    @precondition(lambda self: self.model.limits.is_held)
    @rule()
    def the_hold_ends(self) -> None:
        self.run(self.driver.redis("HSET", self.driver.keys.meta, "held_until", 1))
        self.model.limits.is_held = False

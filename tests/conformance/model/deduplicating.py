"""Rules: deduplication, simple and with replacement."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.conformance.model.adding import FAR_MS
from tests.conformance.model.machine import QueueFrame


class Deduplicating(QueueFrame):
    """Adds with a deduplication id."""

    @initialize(is_delayed=st.booleans())
    def a_job_that_stands_for_others_is_there(self, is_delayed: bool) -> None:
        self.add_with_deduplication("d1", is_delayed, True)

    @rule(
        unique=st.sampled_from(["d1", "d2"]),
        is_delayed=st.booleans(),
        replaces=st.booleans(),
    )
    def add_with_deduplication(self, unique: str, is_delayed: bool, replaces: bool) -> None:
        job_id = self.new_id()
        expected = self.model.add_unique(job_id, unique, is_delayed=is_delayed, replaces=replaces)
        replace = b',"replace":true' if replaces else b""
        options = b'{"deduplication":{"id":"%b"%b}}' % (unique.encode(), replace)
        added = self.driver.add(job_id, place="0*", options=options, delay_ms=FAR_MS * is_delayed)
        assert self.run(added) == [expected]

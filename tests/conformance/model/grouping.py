"""Rules: groups, whose order of turns is left open."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.adding import FAR_MS
from tests.conformance.model.machine import QueueFrame

groups = st.sampled_from(["g1", "g2"])


class Grouping(QueueFrame):
    """Jobs of groups, and limits of groups."""

    @initialize(concurrency=st.sampled_from([None, 1, 1, 2]))
    def some_jobs_of_groups_are_there(self, concurrency: int | None) -> None:
        for group in ("g1", "g1", "g1", "g2", "g2"):
            self.add_to_a_group(group, "0", False)
        self.set_concurrency_of_a_group("g1", concurrency)

    @rule(group=groups, place=st.sampled_from(["0", "lifo", "2"]), is_delayed=st.booleans())
    def add_to_a_group(self, group: str, place: str, is_delayed: bool) -> None:
        job_id = self.new_id()
        self.model.add(job_id, place=place, is_delayed=is_delayed, group=group)
        options = b'{"group":{"id":"%b"}}' % group.encode()
        added = self.driver.add(
            job_id, place=f"{place}*", options=options, delay_ms=FAR_MS * is_delayed
        )
        assert self.run(added) == [1]

    @rule(group=groups, max_size=st.integers(1, 3), is_delayed=st.booleans())
    def add_to_a_group_of_limited_size(self, group: str, max_size: int, is_delayed: bool) -> None:
        job_id = self.new_id()
        is_full = not is_delayed and len(self.model.group_line(group)) >= max_size
        if not is_full:
            self.model.add(job_id, place="0", is_delayed=is_delayed, group=group)
        options = b'{"group":{"id":"%b","max_size":%d}}' % (group.encode(), max_size)
        added = self.driver.add(job_id, place="0*", options=options, delay_ms=FAR_MS * is_delayed)
        assert self.run(added) == [-1 if is_full else 1]

    @rule(group=groups, concurrency=st.one_of(st.none(), st.integers(1, 2)))
    def set_concurrency_of_a_group(self, group: str, concurrency: int | None) -> None:
        settings = {"concurrency": concurrency}
        self.run(self.driver.scripts.set_group(group_id=group, start=0, settings=settings))
        self.model.group_concurrency.pop(group, None)
        if concurrency is not None:
            self.model.group_concurrency[group] = concurrency

    @precondition(lambda self: self.model.paused_groups or self.model.in_state("waiting"))
    @rule(group=groups, is_paused=st.sampled_from([False, False, True]))
    def pause_or_resume_a_group(self, group: str, is_paused: bool) -> None:
        settings = {"paused": 1 if is_paused else None}
        self.run(self.driver.scripts.set_group(group_id=group, start=0, settings=settings))
        self.model.paused_groups.discard(group)
        if is_paused:
            self.model.paused_groups.add(group)

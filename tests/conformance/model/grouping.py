"""Rules: groups, whose order of turns is left open."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.machine import QueueFrame
from tests.conformance.model.times import HOUR
from vqueue.groups import Group
from vqueue.options import JobOptions

groups = st.sampled_from(["g1", "g2"])


class Grouping(QueueFrame):
    """Jobs of groups, and limits of groups."""

    @initialize(concurrency=st.sampled_from([None, 1, 1, 2]))
    def some_jobs_of_groups_are_there(self, concurrency: int | None) -> None:
        for group in ("g1", "g1", "g1", "g2", "g2"):
            self.add_to_a_group(group, "back", 0)
        self.set_concurrency_of_a_group("g1", concurrency)

    @rule(
        group=groups,
        place=st.sampled_from(["back", "lifo", "priority"]),
        delay=st.sampled_from([0, HOUR]),
    )
    def add_to_a_group(self, group: str, place: str, delay: int) -> None:
        job_id = self.new_id()
        asked = self.ask(
            JobOptions(
                group=group, lifo=place == "lifo", priority=2 * (place == "priority"), delay=delay
            )
        )
        self.model.add(job_id, asked)
        assert self.add_really(asked, job_id) == [1]

    @rule(group=groups, max_size=st.integers(1, 3), delay=st.sampled_from([0, HOUR]))
    def add_to_a_group_of_limited_size(self, group: str, max_size: int, delay: int) -> None:
        job_id = self.new_id()
        asked = self.ask(JobOptions(group=Group(id=group, max_size=max_size), delay=delay))
        is_full = not delay and len(self.model.group_line(group)) >= max_size
        if not is_full:
            self.model.add(job_id, asked)
        assert self.add_really(asked, job_id) == [-1 if is_full else 1]

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

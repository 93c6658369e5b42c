"""Rules: more jobs in one state than a call of any script looks at."""

from collections.abc import Callable
from typing import ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.machine import CONSUMERS, consumers
from tests.conformance.model.settling import KEEP_TWO, Settling
from tests.conformance.model.sweeping import Sweeping
from tests.conformance.model.times import DELAYS, HOUR
from tests.support.driver import LONG_MS
from vqueue.edit_scripts import Resets
from vqueue.options import JobOptions
from vqueue.scripts import MAX_BATCH, MAX_HELD_BATCH

#: In the order in which they are filled: who takes, takes all that waits.
STATES = ("completed", "failed", "active", "delayed", "prioritized", "waiting")
_ENDED, _ORDERED = STATES[:2], STATES[3:]
_CROWD, _FEW = MAX_BATCH + 6, 3
_pages = st.sampled_from([100, MAX_BATCH])

_COME_DUE = """
for i = 2, #ARGV do redis.call('ZINCRBY', KEYS[1], ARGV[1], ARGV[i]) end
"""


class Crowding(Settling, Sweeping):
    """A crowd in one state and a few jobs in the others: pages, and what is done in steps.

    A run costs much, so chance has a say only in the order of what it does.
    """

    #: Where the crowd begins.
    crowded: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._acts: tuple[Callable[[st.DataObject], None], ...] = (
            self._read_all_pages,
            self._end_all_of_a_worker,
            self._take_a_crowd,
            self._a_worker_is_seen_to_die,
            self._all_delayed_jobs_come_due,
            self._all_leases_run_out,
            self._take_a_crowd,
            self._retry_all_that_completed,
            self._one_completes_and_two_are_kept,
            self._promote_all,
            self._clean_all_pages,
        )
        self._left: list[int] = []

    @initialize(order=st.permutations(range(11)))
    def a_crowd_is_there(self, order: list[int]) -> None:
        self._left = order
        for state in STATES:
            options = JobOptions(
                priority=2 * (state == "prioritized"), delay=HOUR * (state == "delayed")
            )
            self._add(_CROWD if state == self.crowded else _FEW, options)
            if state in ("completed", "failed", "active"):
                while self.model.in_state("waiting"):
                    self._take("w1", MAX_BATCH)
            if state in _ENDED:
                self._end_all("w1", state)

    @precondition(lambda self: self._left)
    @rule(data=st.data())
    def do_what_was_not_done_yet(self, data: st.DataObject) -> None:
        act = self._acts[self._left.pop(0)]
        note(act.__name__)
        act(data)

    def _add(self, count: int, options: JobOptions) -> None:
        asked = self.ask(options)
        ids = [self.new_id() for _ in range(count)]
        for start in range(0, count, MAX_BATCH):
            some = ids[start : start + MAX_BATCH]
            assert [self.model.add(job_id, asked) for job_id in some] == [True] * len(some)
            assert self.add_really(asked, *some) == [1] * len(some)

    def _take(self, consumer: str, want: int) -> None:
        self.handed_out(self.run(self.driver.take(want, consumer=consumer)), consumer, want)

    def _end_all(self, consumer: str, outcome: str) -> None:
        while jobs := self.model.held_by(consumer)[:MAX_HELD_BATCH]:
            self.finish(jobs, outcome)

    def _read_all_pages(self, data: st.DataObject) -> None:
        most = data.draw(_pages, label="page")
        for state in STATES:
            for is_rising in (True, False):
                self._read_pages(state, most, is_rising=is_rising)

    def _read_pages(self, state: str, most: int, *, is_rising: bool) -> None:
        ids: list[str] = []
        cursor, is_last = "", False
        while not is_last:
            read = self.driver.scripts.page(
                state=state, cursor=cursor, limit=most, is_rising=is_rising
            )
            cursor, page = self.run(read)
            assert len(page) <= most
            ids += [job_id for job_id, _ in page]
            is_last = not cursor
        expected = [job.id for job in self.model.page(state)]
        if state in _ORDERED:
            assert ids == expected[:: 1 if is_rising else -1]
        assert sorted(ids) == sorted(expected)

    def _clean_all_pages(self, data: st.DataObject) -> None:
        most = data.draw(_pages, label="page")
        for state in (*_ENDED, *_ORDERED):
            ids: list[str] = []
            cursor, before, is_last = "", "", False
            while not is_last:
                clean = self.driver.scripts.clean(
                    state=state, before=before, limit=most, cursor=cursor, is_told=True
                )
                page = self.run(clean)
                assert len(page.ids) <= most
                ids += page.ids
                cursor, before, is_last = page.cursor, page.before, not page.cursor
            expected = self.model.clean(state, most=len(self.model.jobs))
            assert sorted(ids) == sorted(expected)

    def _all_delayed_jobs_come_due(self, data: st.DataObject) -> None:
        consumer = data.draw(consumers)
        ids = [job.id for job in self.model.pass_time(len(self.model.jobs))]
        earlier_by = -4096 * max(DELAYS) * 1000
        self.run(
            self.driver.redis("EVAL", _COME_DUE, 1, self.driver.keys.delayed, earlier_by, *ids)
        )
        while self.model.in_state("delayed"):
            self._take(consumer, 1)
            self.the_queue_is_as_the_model_says()

    def _promote_all(self, data: st.DataObject) -> None:
        while jobs := self.model.delayed_line[:MAX_BATCH]:
            assert self.run(self.driver.scripts.promote(most=MAX_BATCH)) == len(jobs)
            for job in jobs:
                self.model.come_due(job)

    def _retry_all_that_completed(self, data: st.DataObject) -> None:
        resets = Resets(made=True, started=True)
        while jobs := self.model.page("completed")[:MAX_BATCH]:
            retry = self.driver.scripts.retry(state="completed", resets=resets, most=MAX_BATCH)
            reply = self.run(retry)
            assert isinstance(reply, tuple)
            assert reply[0] == len(jobs)
            for job in jobs:
                self.model.retry(job, made=True, started=True)

    def _take_a_crowd(self, data: st.DataObject) -> None:
        self._take(data.draw(consumers), MAX_BATCH)

    def _end_all_of_a_worker(self, data: st.DataObject) -> None:
        self._end_all(data.draw(consumers), data.draw(st.sampled_from(_ENDED)))

    def _one_completes_and_two_are_kept(self, data: st.DataObject) -> None:
        if jobs := self.model.in_state("active")[:1]:
            self.finish(jobs, "completed", rule=KEEP_TWO)

    def _a_worker_is_seen_to_die(self, data: st.DataObject) -> None:
        consumer = data.draw(consumers)
        jobs = self.model.held_by(consumer)
        self.sweep_as_the_model_says(jobs, max_stalled=data.draw(st.integers(0, 1)), dead=consumer)

    def _all_leases_run_out(self, data: st.DataObject) -> None:
        for consumer in CONSUMERS:
            for lane, is_express in (
                (self.driver.keys.ready, False),
                (self.driver.keys.express, True),
            ):
                tokens = [job.taken.token for job in self.model.held_by(consumer) if job.taken]
                entries = [
                    token.removeprefix(b"x")
                    for token in tokens
                    if token.startswith(b"x") == is_express
                ]
                if entries:
                    claim = ("XCLAIM", lane, "workers", consumer, 0, *entries)
                    self.run(self.driver.redis(*claim, "IDLE", LONG_MS, "JUSTID"))
        jobs = self.model.in_state("active")
        self.sweep_as_the_model_says(jobs, max_stalled=data.draw(st.integers(0, 1)))

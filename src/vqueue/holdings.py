"""The jobs that one worker holds: taken from the line, run in its slots, given up.

Owns the calls that hand out jobs (take, the tail of finish, adopt), the count of free slots,
and what must be known of a job while it is held. When to take is fetching.py's decision, what
Redis takes ahead ahead.py's, how a job is settled settling.py's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypedDict

from vqueue.activation import Activation, Take
from vqueue.ahead import MOST_AHEAD, Follow, TakeAhead
from vqueue.errors import QueueUnavailable
from vqueue.handouts import HandOuts
from vqueue.lease import LeaseKeeper
from vqueue.record import Settlement
from vqueue.reports import Reports
from vqueue.scripts import MAX_HELD_BATCH, Scripts, Taken

logger = logging.getLogger(__name__)

#: Jobs handed back in one call: each costs Redis three times as much as one that completes.
_RELEASED = 100


class _TakeArguments(TypedDict):
    consumer: str
    want: int
    lease_ms: int
    limiter: tuple[int, int] | None


class Starter(Protocol):
    """What runs the jobs that were taken, see slots.Slots."""

    def start(self, activations: Iterable[Activation]) -> None:
        """Run these soon."""


class Holdings:
    """What a worker holds. `slots` is set before the first take."""

    slots: Starter

    def __init__(
        self,
        queue_name: str,
        scripts: Scripts,
        lease: LeaseKeeper,
        reports: Reports,
        *,
        consumer: str,
        lease_ms: int,
        concurrency: int,
        limiter: tuple[int, int] | None = None,
    ) -> None:
        self._queue_name = queue_name
        self._scripts = scripts
        self._lease = lease
        self._reports = reports
        self._consumer = consumer
        self._lease_ms = lease_ms
        #: The worker's rate limit: so many jobs in so many ms.
        self._limiter = limiter
        #: Jobs that may be held at a time.
        self.concurrency = concurrency
        #: Cleared while no job may be taken: the worker is closing, or paused.
        self.is_taking = True
        #: Held jobs by their tokens.
        self.running: dict[bytes, Activation] = {}
        #: Set when a slot has become free, when nothing is held any more, and when somebody is
        #: to look whether to take.
        self.changed = asyncio.Event()
        #: Called when nothing is held any more.
        self.on_idle: Callable[[], None] = lambda: None
        self._hand_outs = HandOuts()
        #: What Redis does when the worker's sleep ends.
        self.ahead = TakeAhead(scripts, self._hand_outs, lease_ms=lease_ms)
        #: Set when the time for closing is over: what is held, and what still comes, goes back.
        self._handing_back = False
        #: Replies of finish calls are handled one after the other. Jobs that end at once are
        #: then on their way to Redis, which works on them, before those of the next reply start.
        self._starting = asyncio.Lock()

    @property
    def free_slots(self) -> int:
        """Jobs that may be taken now; negative after the concurrency was lowered."""
        return self.concurrency - len(self.running) - self._hand_outs.reserved

    async def take(self) -> tuple[bool, int] | None:
        """Fill the free slots; return whether the line is empty, and ms until it is not; or
        None when there was no slot left to ask for.

        Raises QueueUnavailable when Redis gives no answer; the next take looks for the jobs
        that the lost reply held.
        """
        await self.find_lost_jobs()
        await self._hand_outs.begin()
        want = max(0, min(self.free_slots, MAX_HELD_BATCH)) if self.is_taking else 0
        self._hand_outs.reserved += want
        taken = Taken(0, [], -1)
        answered = False
        sent_at = time.monotonic()
        try:
            if want:
                taken = await self._scripts.take(**self._take_arguments(want))
            answered = True
        finally:
            self._hand_outs.end(reserved=want, answered=answered)
        if not want:
            return None
        self._start(taken, since=sent_at, held_since=sent_at)
        return len(taken.jobs) < want, taken.due_ms

    def _take_arguments(self, want: int) -> _TakeArguments:
        return {
            "consumer": self._consumer,
            "want": want,
            "lease_ms": self._lease_ms,
            "limiter": self._limiter,
        }

    def take_ahead(self, follow: Follow) -> None:
        """Send the next take, for Redis to carry it out when the worker's sleep ends; `taken_ahead`
        has to follow. Safe to repeat.

        Only while nothing is held: a handler may keep the event loop from turning, and jobs would
        be handed to a worker that cannot start them.
        """
        may_send = self.is_taking and self._hand_outs.may_begin
        if may_send and not self.running and not self.ahead.is_sent:
            want = min(self.free_slots, MOST_AHEAD)
            command = self._scripts.take_command(**self._take_arguments(want))
            self.ahead.send(follow, command, want=want)

    async def taken_ahead(self) -> tuple[bool, int] | None:
        """Start what `take_ahead` has got, when the sleep is over, and return what `take` does;
        None when there is no answer, or none that still holds."""
        answer = await self.ahead.answer()
        if answer is None:
            return None
        self._start(answer.taken, since=time.monotonic(), held_since=answer.sent_at)
        return len(answer.taken.jobs) < answer.want, answer.taken.due_ms

    async def finish(self, settled: Sequence[tuple[Activation, Settlement]]) -> None:
        """Settle jobs and take the next ones in the same call. Raises as `take`."""
        await self._hand_outs.begin()
        want = reserved = 0
        if self.is_taking and not self._hand_outs.reply_lost:
            want = max(0, min(self.free_slots + len(settled), MAX_HELD_BATCH))
            reserved = max(0, want - len(settled))
        self._hand_outs.reserved += reserved
        has_turn = False
        try:
            sent_at = time.monotonic()
            statuses, taken = await self._scripts.finish(
                jobs=[settlement for _, settlement in settled], **self._take_arguments(want)
            )
            has_turn = await self._starting.acquire()
        finally:
            self._hand_outs.end(reserved=reserved, answered=has_turn)
        try:
            for activation, _ in settled:
                self._lease.drop(activation.token)
                self.running.pop(activation.token, None)
            self._start(taken, since=sent_at, held_since=sent_at)
            for (activation, settlement), status in zip(settled, statuses, strict=True):
                if status == 0:
                    activation.lost = True
                    logger.warning(
                        "%s; its %s result is dropped", activation.lease_lost(), settlement.kind
                    )
            await asyncio.sleep(0)
        finally:
            self._starting.release()

    def give_up(self, activations: Iterable[Activation]) -> None:
        """Free the slots of jobs that are settled, handed back or lost. Safe to repeat."""
        for activation in activations:
            self._lease.drop(activation.token)
            self.running.pop(activation.token, None)
        if self.free_slots > 0 or not self.running:
            self.changed.set()
        if not self.running:
            self.on_idle()

    def hand_back(self) -> None:
        """Cancel the handlers; their jobs, and those that a call under way brings, go back to the
        line. Nothing must be taken any more. Safe to repeat."""
        self._handing_back = True
        for activation in list(self.running.values()):
            activation.hand_back()

    async def release(self, jobs: Sequence[tuple[str, bytes]]) -> None:
        """Hand jobs of (id, token) back, the last ones first; wakes another worker in any
        case. Raises QueueUnavailable."""
        starts = range(0, max(len(jobs), 1), _RELEASED)
        for start in reversed(starts):
            await self._scripts.release(
                consumer=self._consumer, jobs=jobs[start : start + _RELEASED]
            )

    async def release_all(self) -> None:
        """Hand back what is still held, replies that were lost included, and wake another
        worker. Jobs that Redis does not take back stay until their leases run out."""
        await self.ahead.call_off()
        try:
            held = [(a.job_id, a.token) for a in self.running.values() if not a.lost]
            await self.release([*held, *await self._lost_jobs()])
        except QueueUnavailable as error:
            logger.warning("jobs not handed back, their leases will run out: %s", error)
        finally:
            self._hand_outs.reply_lost = False
            self.running.clear()
            self.changed.set()

    async def release_lost(self) -> None:
        """Hand back the jobs that a lost reply held, at once: others may run for hours yet.

        Nothing must be taken meanwhile. When Redis is away, `release_all` tries again.
        """
        try:
            if lost := await self._lost_jobs():
                await self.release(lost)
            self._hand_outs.reply_lost = False
        except QueueUnavailable as error:
            logger.warning("jobs of a lost reply are not handed back yet: %s", error)

    async def _lost_jobs(self) -> list[tuple[str, bytes]]:
        """Return id and token of the jobs that are held and not known."""
        lost: list[tuple[str, bytes]] = []
        if self._hand_outs.any_unanswered:
            known = list(self.running)
            while found := (await self._adopt(known)).jobs:
                lost += [(job.id.decode(), job.token) for job in found]
                known += [job.token for job in found]
        return lost

    async def until_idle(self) -> None:
        """Wait until nothing is held. Something must keep jobs from being taken meanwhile."""
        while self.running:
            self.changed.clear()
            await self.changed.wait()

    async def quiesce(self) -> None:
        """Wait for the calls under way; those that follow `is_taking = False` take nothing."""
        async with self._hand_outs.alone():
            return

    def lose(self, tokens: Iterable[bytes]) -> None:
        """Cancel the handlers of jobs whose leases are gone."""
        for token in tokens:
            if activation := self.running.get(token):
                activation.lose()

    def cancel(self, reasons: Mapping[bytes, bytes]) -> None:
        """Cancel the handlers of jobs by token, each with its reason (JSON)."""
        for token, reason in reasons.items():
            if activation := self.running.get(token):
                activation.cancel(reason)

    async def find_lost_jobs(self) -> None:
        """Adopt and run jobs that a lost reply held, if there is one."""
        self._hand_outs.look_again_when_it_is_time()
        if not self._hand_outs.reply_lost:
            return
        async with self._hand_outs.alone():
            while self._hand_outs.reply_lost:
                sent_at = time.monotonic()
                taken = await self._adopt(list(self.running))
                if not taken.jobs:
                    break
                self._start(taken, since=sent_at, held_since=sent_at)
            self._hand_outs.reply_lost = False

    async def _adopt(self, known: Sequence[bytes]) -> Taken:
        """Ask for jobs that this worker holds and that are not among the known tokens."""
        return await self._scripts.adopt(
            consumer=self._consumer, lease_ms=self._lease_ms, known=known
        )

    def _start(self, taken: Taken, *, since: float, held_since: float) -> None:
        """Run jobs that were asked for at `since`, and handed out no earlier than `held_since`."""
        take = Take(self._queue_name, self._consumer, taken.now_ms, since, self._reports)
        activations = [Activation(job, take) for job in taken.jobs]
        by_token = {activation.token: activation for activation in activations}
        self.running.update(by_token)
        self._lease.hold(by_token, held_since)
        for activation in activations:
            if activation.job._options and (own_ms := activation.job._options.get("lock_duration")):
                self._lease.hold_for(activation.token, own_ms / 1000)
        if self._handing_back:
            self.hand_back()
        self.slots.start(activations)

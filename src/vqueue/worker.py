"""Worker: takes jobs, runs the handler in its slots, settles them.

Three tasks share the work. The fetcher takes jobs while slots are free and sleeps on the
wake key; the settler finishes ended jobs in batches and takes the next ones in the same
call, two calls at a time, so that Redis works on one while the other's reply is handled;
each job runs in a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from vqueue.activation import Activation, Take
from vqueue.attempt import Handler
from vqueue.connection import BLOCK_MARGIN, RedisSource, is_transient, open_client
from vqueue.duties import Repair, Sweep, run_duty
from vqueue.errors import InvalidOption, QueueUnavailable
from vqueue.handouts import HandOuts
from vqueue.job import Job
from vqueue.keys import QueueKeys, check_name
from vqueue.lease import LeaseKeeper
from vqueue.options import KEEP_ALL, Retention, Seconds, to_ms
from vqueue.outcome import BackoffStrategy, Outcome, OutcomePolicy
from vqueue.record import Settlement
from vqueue.reports import Reports
from vqueue.scripts import MAX_BATCH, Scripts, Taken
from vqueue.slots import Slots

logger = logging.getLogger(__name__)

#: Longest sleep on the wake key in seconds: what a wake-up costs that died with the
#: worker that got it. With the take after it, an idle worker sends 1.4 commands a second.
IDLE_BLOCK = 1.5
#: Jobs for which one finish call is better than two halves.
_SMALL_BATCH = 16


def new_consumer() -> str:
    """Make a consumer name that no other worker has."""
    return secrets.token_hex(5)


class Worker:
    """Runs `handler` for the jobs of a queue, `concurrency` at a time.

    `lock_duration` is the lease in seconds: how long a job stays with a worker that
    shows no sign of life; it is renewed while the handler runs. `max_stalled` is how many
    times a job may lose its worker before it fails. A handler whose lease is lost is
    cancelled. What a handler returns becomes the job's `returnvalue`; an exception ends
    the attempt, UnrecoverableError the job. `consumer` names this worker, for a supervisor
    that reports its death by `Queue.recover_crashed`; make a new one for every start.

    `run` works until `close` is called; the worker opens connections of its own.
    """

    def __init__(
        self,
        name: str,
        handler: Handler,
        redis: RedisSource,
        *,
        concurrency: int = 1,
        lock_duration: Seconds = 30,
        max_stalled: int = 1,
        backoff_strategy: BackoffStrategy | None = None,
        remove_on_complete: bool | int | Retention = KEEP_ALL,
        remove_on_fail: bool | int | Retention = KEEP_ALL,
        keep_logs: int = 1000,
        consumer: str | None = None,
        prefix: str = "vq",
    ) -> None:
        if concurrency < 1:
            raise InvalidOption(f"concurrency must be at least 1, not {concurrency!r}")
        self._lease_ms = to_ms(lock_duration, what="lock_duration")
        if self._lease_ms < 100:
            raise InvalidOption(f"lock_duration must be at least 0.1 s, not {lock_duration!r}")
        self.name = name
        self.keys = QueueKeys(name, prefix)
        self.concurrency = concurrency
        #: This worker process in Redis, in fences and in logs; never used twice.
        self.consumer = check_name(consumer or new_consumer(), what="consumer")
        self._handler = handler
        self._client = open_client(redis)
        self._blocking_client = open_client(
            redis, reply_timeout=IDLE_BLOCK + BLOCK_MARGIN, blocking=True
        )
        self._scripts = Scripts(self._client, self.keys)
        self._policy = OutcomePolicy(
            remove_on_complete=Retention.of(remove_on_complete).to_wire(),
            remove_on_fail=Retention.of(remove_on_fail).to_wire(),
            backoff_strategy=backoff_strategy,
        )
        self._lease = LeaseKeeper(
            redis,
            self.keys,
            consumer=self.consumer,
            lease=self._lease_ms / 1000,
            on_lost=self._on_lost,
        )
        self._reports = Reports(self._scripts, consumer=self.consumer, keep_logs=keep_logs)
        self._duties = (
            Sweep(
                self._scripts,
                interval=min(self._lease_ms / 4000, 15.0),
                max_stalled=max_stalled,
                keep=self._policy.remove_on_fail,
            ),
            Repair(self._scripts),
        )

        self._running: dict[bytes, Activation] = {}
        self._ended: list[tuple[Activation, Outcome | None]] = []
        self._any_ended = asyncio.Event()
        self._slot_free = asyncio.Event()
        self._hand_outs = HandOuts()
        #: Jobs of one finish call: with many slots two calls share them.
        self._batch = min(MAX_BATCH, max(_SMALL_BATCH, -(-concurrency // 2)))
        self._slots: Slots | None = None
        self._fetcher_block: asyncio.Timeout | None = None
        self._started = False
        self._closing = asyncio.Event()
        #: Set when the time for closing is over: Redis is not waited for any more.
        self._giving_up = False
        self._background: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def running(self) -> list[Job]:
        """The jobs that run at this moment."""
        return [activation.job for activation in self._running.values()]

    async def run(self) -> None:
        """Work until `close` is called. Runs once.

        Raises QueueUnavailable when Redis cannot be reached at the start; later outages
        are waited out. When the task is cancelled, unfinished jobs are handed back.
        """
        if self._started:
            raise RuntimeError("a Worker runs once: make a new one")
        self._started = True
        try:
            await self._scripts.open(lease_ms=self._lease_ms)
            self._lease.start()
            try:
                await self._work()
            finally:
                await asyncio.shield(self._wind_up())
        finally:
            await self._blocking_client.aclose()
            await self._client.aclose()
            self._closed.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as background:
            loops = [
                background.create_task(self._reports.run()),
                *(background.create_task(run_duty(duty)) for duty in self._duties),
                *(background.create_task(self._settle_ended()) for _ in range(2)),
            ]
            async with asyncio.TaskGroup() as jobs:
                self._slots = Slots(jobs, self._handler, self._policy, self._job_ended)
                await self._fetch()
                self._slots.close()
            # every handler has ended, so every job is settled or in self._ended
            while self._running:
                self._slot_free.clear()
                await self._slot_free.wait()
            for task in loops:
                task.cancel()

    async def _wind_up(self) -> None:
        """Hand back what is still held, wake another worker, end the lease thread."""
        try:
            held = [(a.job_id, a.token) for a in self._running.values() if not a.lost]
            if self._hand_outs.any_unanswered:
                known = list(self._running)
                while found := (await self._adopt(known)).jobs:
                    held += [(job.id.decode(), job.token) for job in found]
                    known += [job.token for job in found]
            await self._release(held)
        except QueueUnavailable as error:
            logger.warning("jobs not handed back, their leases will run out: %s", error)
        finally:
            self._running.clear()
            await self._lease.stop()

    async def _release(self, jobs: Sequence[tuple[str, bytes]]) -> None:
        """Hand jobs back in batches, the last ones first, and wake another worker."""
        starts = range(0, max(len(jobs), 1), MAX_BATCH)
        for start in reversed(starts):
            await self._scripts.release(
                consumer=self.consumer, jobs=jobs[start : start + MAX_BATCH]
            )

    async def close(self, timeout: float | None = None) -> None:
        """Stop taking jobs, wait for the running ones, then end `run`.

        After `timeout` seconds (None: wait without limit, 0: at once) the handlers that
        are still running are cancelled and their jobs go back to the front of the line,
        without an attempt spent. While Redis is away it takes up to 10 s longer: handing
        back is tried for that long. Safe to repeat, also with a shorter time-out.
        """
        self._closing.set()
        self._slot_free.set()
        if self._fetcher_block is not None:
            # end the sleep on the wake key, and nothing but that
            self._fetcher_block.reschedule(asyncio.get_running_loop().time())
        if not self._started and self._background is None:
            self._started = True
            await self._blocking_client.aclose()
            await self._client.aclose()
            self._closed.set()
            return
        try:
            async with asyncio.timeout(timeout):
                await self._closed.wait()
        except TimeoutError:
            self._giving_up = True
            for activation in list(self._running.values()):
                activation.hand_back()
            await self._closed.wait()

    # -- taking ------------------------------------------------------------------------

    def _free_slots(self) -> int:
        return self.concurrency - len(self._running) - self._hand_outs.reserved

    async def _fetch(self) -> None:
        pause = 0.05
        while not self._closing.is_set():
            if self._free_slots() <= 0:
                self._slot_free.clear()
                await self._slot_free.wait()
                continue
            try:
                idle, due_ms = await self._take()
                if idle:
                    await self._sleep_on_wake_key(due_ms)
                pause = 0.05
            except (QueueUnavailable, RedisError, OSError) as error:
                if isinstance(error, RedisError) and not is_transient(error):
                    raise
                logger.warning("worker %s waits for Redis: %s", self.consumer, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
        async with self._hand_outs.alone():
            # a finish that is under way may still start jobs, later ones take none
            return

    async def _take(self) -> tuple[bool, int]:
        """Fill the free slots; return whether the line is empty, and ms until it is not."""
        if self._hand_outs.reply_lost:
            await self._find_lost_jobs()
        await self._hand_outs.begin()
        want = 0 if self._closing.is_set() else max(0, min(self._free_slots(), MAX_BATCH))
        self._hand_outs.reserved += want
        taken = Taken(0, [], -1)
        answered = False
        sent_at = time.monotonic()
        try:
            if want:
                taken = await self._scripts.take(
                    consumer=self.consumer, want=want, lease_ms=self._lease_ms
                )
            answered = True
        finally:
            self._hand_outs.end(reserved=want, answered=answered)
        self._start(taken, since=sent_at)
        return len(taken.jobs) < want, taken.due_ms

    async def _find_lost_jobs(self) -> None:
        """Adopt jobs that a lost reply held."""
        async with self._hand_outs.alone():
            while True:
                sent_at = time.monotonic()
                taken = await self._adopt(list(self._running))
                if not taken.jobs:
                    break
                self._start(taken, since=sent_at)
            self._hand_outs.reply_lost = False

    async def _adopt(self, known: Sequence[bytes]) -> Taken:
        """Ask for jobs that this worker holds and that are not among the known tokens."""
        return await self._scripts.adopt(
            consumer=self.consumer, lease_ms=self._lease_ms, known=known
        )

    async def _sleep_on_wake_key(self, due_ms: int) -> None:
        block = IDLE_BLOCK if due_ms < 0 else min(IDLE_BLOCK, max(due_ms, 1) / 1000)
        try:
            async with asyncio.timeout(block + BLOCK_MARGIN) as self._fetcher_block:
                if self._closing.is_set():
                    return
                await self._blocking_client.execute("BZPOPMIN", self.keys.wake, block)
        except TimeoutError:
            if not self._closing.is_set():
                raise QueueUnavailable(
                    f"no reply to BZPOPMIN {self.keys.wake} after {block + BLOCK_MARGIN:.1f} s"
                ) from None
        finally:
            self._fetcher_block = None

    def _start(self, taken: Taken, *, since: float) -> None:
        assert self._slots is not None  # noqa: S101 - set before anything is taken
        take = Take(self.name, self.consumer, taken.now_ms, self._reports)
        activations = [Activation(job, take) for job in taken.jobs]
        by_token = {activation.token: activation for activation in activations}
        self._running.update(by_token)
        self._lease.hold(by_token, since)
        self._slots.start(activations)

    def _job_ended(self, activation: Activation, outcome: Outcome | None) -> None:
        self._ended.append((activation, outcome))
        self._any_ended.set()

    def _on_lost(self, tokens: Sequence[bytes]) -> None:
        for token in tokens:
            activation = self._running.get(token)
            if activation is not None:
                activation.lose()

    # -- settling ----------------------------------------------------------------------

    async def _settle_ended(self) -> None:
        """Settle jobs as they end. Two of these run: one waits for a reply of Redis, while the
        other handles the one that it has got."""
        while True:
            if not self._ended:
                self._any_ended.clear()
                await self._any_ended.wait()
                continue
            batch = self._ended[: self._batch]
            del self._ended[: self._batch]
            await self._settle_batch(batch)

    async def _settle_batch(self, batch: list[tuple[Activation, Outcome | None]]) -> None:
        back = [(a.job_id, a.token) for a, outcome in batch if outcome is None and not a.lost]
        if back:
            try:
                await self._release(back)
            except QueueUnavailable as error:
                logger.warning("jobs not handed back, their leases will run out: %s", error)
        # made once: what they carry, the last progress, must be in every try
        finished = [(a, a.settle(outcome)) for a, outcome in batch if outcome]
        pause = 0.05
        while finished := [(a, settlement) for a, settlement in finished if not a.lost]:
            try:
                await self._finish(finished)
                break
            except QueueUnavailable as error:
                # results are kept and offered again until their leases run out
                if self._giving_up:
                    logger.error("%d results are lost, leases run out: %s", len(finished), error)
                    break
                logger.warning("%d ended jobs wait for Redis: %s", len(finished), error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
        for activation, _ in batch:
            self._lease.drop(activation.token)
            self._running.pop(activation.token, None)
        self._slot_free.set()

    async def _finish(self, finished: Sequence[tuple[Activation, Settlement]]) -> None:
        await self._hand_outs.begin()
        want = reserved = 0
        if not self._closing.is_set() and not self._hand_outs.reply_lost:
            want = max(0, min(self._free_slots() + len(finished), MAX_BATCH))
            reserved = max(0, want - len(finished))
        self._hand_outs.reserved += reserved
        reply = None
        try:
            sent_at = time.monotonic()
            reply = await self._scripts.finish(
                consumer=self.consumer,
                want=want,
                lease_ms=self._lease_ms,
                jobs=[settlement for _, settlement in finished],
            )
        finally:
            self._hand_outs.end(reserved=reserved, answered=reply is not None)
        statuses, taken = reply
        for activation, _ in finished:
            self._lease.drop(activation.token)
            self._running.pop(activation.token, None)
        self._start(taken, since=sent_at)
        for (activation, settlement), status in zip(finished, statuses, strict=True):
            if status == 0:
                activation.lost = True
                logger.warning(
                    "%s; its %s result is dropped", activation.lease_lost(), settlement.kind
                )

    async def __aenter__(self) -> Self:
        """Start `run` in the background; `async with` ends it by `close`."""
        self._background = asyncio.create_task(self.run(), name=f"vqueue-worker-{self.name}")
        self._background.add_done_callback(_tell_failure)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(timeout=None if exc is None else 0)
        if self._background is not None:
            await self._background


def _tell_failure(background: asyncio.Task[None]) -> None:
    """Say at once that a worker in the background has died; `async with` raises it at its end."""
    if not background.cancelled() and (error := background.exception()):
        logger.error("the worker in the background has ended: %s", error, exc_info=error)

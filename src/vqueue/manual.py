"""ManualWorker: takes jobs when it is asked to, and settles them when it is told how.

For tests, for consumers with a rhythm of their own, and for work that other systems do. A job
that was taken is held like in a Worker: its lease is renewed until it is settled, and its
progress and log are the job's own methods. Stalled jobs are the business of the queue's other
workers: one Worker must run somewhere, or `Queue.recover_crashed` be called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from vqueue.activation import Activation
from vqueue.connection import open_client
from vqueue.consumers import new_consumer
from vqueue.errors import DelayedError, JobParked, WaitingError
from vqueue.holdings import Holdings
from vqueue.job import Job
from vqueue.keys import QueueKeys, check_name
from vqueue.lease import LeaseKeeper
from vqueue.options import KEEP_ALL, MIN_LEASE_MS, Retention
from vqueue.outcome import BackoffStrategy, Outcome, OutcomePolicy
from vqueue.presence import Presence
from vqueue.quantities import Seconds, duration_ms, to_ms
from vqueue.reports import Reports
from vqueue.scripts import Scripts
from vqueue.serializing import Serializer, encoder_of
from vqueue.sources import RedisSource
from vqueue.wake import IDLE_BLOCK, WakeKey


class HeldJob:
    """A job that was taken by hand. It is settled once, by one of its methods.

    Each of them raises LeaseLost when the job is no longer held, QueueUnavailable when Redis
    gives no answer: then it is safe to repeat.
    """

    def __init__(self, activation: Activation, owner: ManualWorker) -> None:
        self._activation = activation
        self._owner = owner

    @property
    def job(self) -> Job:
        """The job, active."""
        return self._activation.job

    @property
    def is_lost(self) -> bool:
        """Whether its lease is gone: whatever is done for it must not be published."""
        return self._activation.lost

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled it: stop, and call `move_to_failed`."""
        return self._activation.cancel_reason is not None

    async def move_to_completed(self, result: Any = None) -> None:
        """Complete the job. Raises InvalidOption for a result that JSON cannot hold."""
        await self._owner._settle(self._activation, self._owner._policy.succeeded(self.job, result))

    async def move_to_failed(self, error: Exception) -> None:
        """End the attempt: the job waits for the next one, or has failed.

        Of a job that was cancelled the error does not matter: it has failed as cancelled.
        """
        policy, activation = self._owner._policy, self._activation
        if isinstance(error, JobParked):
            outcome = policy.parked(error)
        elif activation.cancel_reason is not None:
            outcome = policy.cancelled(self.job, activation.cancel_reason)
        else:
            outcome = await policy.raised(self.job, error)
        await self._owner._settle(activation, outcome)

    async def move_to_delayed(self, seconds: Seconds) -> None:
        """Put the job back for so long, without an attempt spent."""
        await self.move_to_failed(DelayedError(seconds))

    async def move_to_wait(self) -> None:
        """Put the job back to the front of its priority, without an attempt spent."""
        await self.move_to_failed(WaitingError())

    async def release(self) -> None:
        """Hand the job back to the front, as if it had not been taken."""
        await self._owner._release(self._activation)


class _Hand:
    """Where Holdings puts the jobs that were taken, in the place of Slots."""

    def __init__(self) -> None:
        self.taken: list[Activation] = []

    def start(self, activations: Iterable[Activation]) -> None:
        """Lay them ready."""
        self.taken.extend(activations)


class ManualWorker:
    """Takes jobs of a queue one by one. An async context manager; it serves one event loop.

    `lock_duration`, the retention, `keep_logs`, `keep_partials`, `backoff_strategy` and
    `serializer` are those of Worker.
    """

    def __init__(
        self,
        name: str,
        redis: RedisSource,
        *,
        lock_duration: Seconds = 30,
        backoff_strategy: BackoffStrategy | None = None,
        remove_on_complete: bool | int | Retention = KEEP_ALL,
        remove_on_fail: bool | int | Retention = KEEP_ALL,
        keep_logs: int = 1000,
        keep_partials: int = 1000,
        consumer: str | None = None,
        prefix: str = "vq",
        serializer: Serializer | None = None,
    ) -> None:
        lease_ms = duration_ms(lock_duration, what="lock_duration", least_ms=MIN_LEASE_MS)
        keys = QueueKeys(name, prefix)
        self.name = name
        self.consumer = check_name(consumer or new_consumer(), what="consumer")
        self._lease_ms = lease_ms
        self._client = open_client(redis, key=keys.meta)
        self._wake_key = WakeKey(redis, keys)
        self._scripts = Scripts(self._client, keys)
        encode = encoder_of(serializer)
        self._policy = OutcomePolicy(
            remove_on_complete=Retention.of(remove_on_complete).to_wire(),
            remove_on_fail=Retention.of(remove_on_fail).to_wire(),
            backoff_strategy=backoff_strategy,
            encode=encode,
        )
        self._lease = LeaseKeeper(
            redis,
            keys,
            consumer=self.consumer,
            lease=lease_ms / 1000,
            on_lost=lambda tokens: self._holdings.lose(tokens),
            on_cancelled=lambda reasons: self._holdings.cancel(reasons),
            presence=Presence(
                self.consumer,
                lease_ms=lease_ms,
                concurrency=lambda: len(self._holdings.running),
                running=lambda: list(self._holdings.running.values()),
                is_paused=lambda: False,
            ),
        )
        self._reports = Reports(
            self._scripts,
            consumer=self.consumer,
            keep_logs=keep_logs,
            keep_partials=keep_partials,
            encode_data=encode,
        )
        self._hand = _Hand()
        self._holdings = Holdings(
            name,
            self._scripts,
            self._lease,
            self._reports,
            consumer=self.consumer,
            lease_ms=lease_ms,
            concurrency=1,
        )
        self._holdings.slots = self._hand
        #: Takes one by one, and not while a job is settled: settling takes no other.
        self._turn = asyncio.Lock()
        self._reporting: asyncio.Task[None] | None = None

    async def get_next_job(self, *, timeout: Seconds = 0) -> HeldJob | None:
        """Take the next job; None when there was none for `timeout` seconds.

        Raises QueueUnavailable when Redis gives no answer; a job that a lost reply held is
        what the next call returns.
        """
        loop = asyncio.get_running_loop()
        over = loop.time() + to_ms(timeout, what="timeout") / 1000
        while True:
            due_ms = -1
            async with self._turn:
                if not self._hand.taken:
                    self._holdings.concurrency = len(self._holdings.running) + 1
                    taken = await self._holdings.take()
                    due_ms = taken[1] if taken else -1
                if self._hand.taken:
                    return HeldJob(self._hand.taken.pop(0), self)
            left = over - loop.time()
            if left <= 0:
                return None
            await self._wake_key.sleep(due_ms, longest=min(left, IDLE_BLOCK))

    async def _settle(self, activation: Activation, outcome: Outcome) -> None:
        settlement = activation.settle(outcome)
        if not activation.lost:
            async with self._turn:
                self._holdings.is_taking = False
                try:
                    await self._holdings.finish([(activation, settlement)])
                finally:
                    self._holdings.is_taking = True
        if activation.lost:
            self._holdings.give_up([activation])
            raise activation.lease_lost()

    async def _release(self, activation: Activation) -> None:
        await self._holdings.release([(activation.job_id, activation.token)])
        self._holdings.give_up([activation])

    async def close(self) -> None:
        """Hand back what is still held, and close the connections. Safe to repeat."""
        if self._reporting is None:
            return
        reporting, self._reporting = self._reporting, None
        try:
            await self._holdings.release_all()
        finally:
            reporting.cancel()
            await asyncio.wait([reporting])
            await self._lease.stop()
            await self._wake_key.close()
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        await self._scripts.open(lease_ms=self._lease_ms)
        self._lease.start()
        self._reporting = asyncio.create_task(self._reports.run(), name="vqueue-reports")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

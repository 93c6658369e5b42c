"""Worker: takes jobs, runs the handler in its slots, settles them.

Three tasks share the work. The fetcher takes jobs while slots are free and sleeps on the
wake key (fetching.py, holdings.py); the settler finishes ended jobs in batches and takes the
next ones in the same call (settling.py); handlers run in tasks of their own (slots.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from vqueue.attempt import Handler, with_start_limit, with_timeout
from vqueue.background import RunsInBackground
from vqueue.busy_polling import check_busy_poll
from vqueue.connection import open_client
from vqueue.consumers import new_consumer
from vqueue.errors import QueueUnavailable
from vqueue.fetching import Fetcher
from vqueue.holdings import Holdings
from vqueue.job import Job
from vqueue.keys import QueueKeys, check_name
from vqueue.lease import LeaseKeeper
from vqueue.middleware import Middleware, with_middleware
from vqueue.options import KEEP_ALL, MIN_LEASE_MS, RateLimit, Retention
from vqueue.outcome import BackoffStrategy, OutcomePolicy
from vqueue.presence import Presence
from vqueue.quantities import Seconds, check_count, duration_ms, to_ms
from vqueue.reports import Reports
from vqueue.scripts import Scripts
from vqueue.serializing import Serializer, encoder_of
from vqueue.settling import Settler
from vqueue.slots import Slots
from vqueue.sources import RedisSource
from vqueue.upkeep import Upkeep
from vqueue.wake import WakeKey


class Worker(RunsInBackground):
    """Runs `handler` for the jobs of a queue, `concurrency` at a time.

    `lock_duration` is the lease in seconds: how long a job stays with a worker that
    shows no sign of life; it is renewed while the handler runs. `timeout` is how many seconds
    an attempt may take before its handler is cancelled and it has failed; the options of a
    job come before both. `max_loop_lag` is how many seconds a handler may block the event loop
    before the worker's leases are not renewed any more, for other workers to take its jobs
    over (None: without limit). `middleware` are functions around the handler, the first outermost;
    `in_batches` and `in_threads` make handlers of other functions. `max_stalled` is how many
    times a job may lose its worker before it fails (a job of a scheduler fails only by its own
    option), `max_started_attempts` how often it may be started, for whatever reason (None:
    without limit). `limiter` bounds how many jobs of the queue start in a time, counted over all
    workers that have one; a limit of the queue comes before it.
    A handler whose lease is lost is cancelled. What a handler returns becomes the job's
    `returnvalue`, written by the `serializer` if there is one; an exception ends the attempt,
    UnrecoverableError the job. `keep_logs` and `keep_partials` are how many log lines and
    partial results of a job are kept, the newest. `consumer` names this worker, for a
    supervisor that reports its death by `Queue.recover_crashed`; make a new one for every start.
    `busy_poll` is that of Queue: handlers wait for as long while a lone call is under way.

    `run` works until `close` is called; the worker opens connections of its own. Making one raises
    InvalidOption for a setting that is out of its bounds, named in the message.
    """

    def __init__(
        self,
        name: str,
        handler: Handler,
        redis: RedisSource,
        *,
        concurrency: int = 1,
        lock_duration: Seconds = 30,
        timeout: Seconds | None = None,
        max_loop_lag: Seconds | None = None,
        middleware: Sequence[Middleware] = (),
        max_stalled: int = 1,
        max_started_attempts: int | None = None,
        limiter: RateLimit | None = None,
        backoff_strategy: BackoffStrategy | None = None,
        remove_on_complete: bool | int | Retention = KEEP_ALL,
        remove_on_fail: bool | int | Retention = KEEP_ALL,
        keep_logs: int = 1000,
        keep_partials: int = 1000,
        consumer: str | None = None,
        prefix: str = "vq",
        serializer: Serializer | None = None,
        busy_poll: Seconds = 0,
    ) -> None:
        check_count(concurrency, what="concurrency", low=1)
        handler = with_middleware(handler, middleware)
        if max_started_attempts is not None:
            check_count(max_started_attempts, what="max_started_attempts", low=1)
            handler = with_start_limit(handler, max_started_attempts)
        if timeout is not None:
            handler = with_timeout(handler, duration_ms(timeout, what="timeout"))
        self._lease_ms = duration_ms(lock_duration, what="lock_duration", least_ms=MIN_LEASE_MS)
        max_lag_ms = None
        if max_loop_lag is not None:
            max_lag_ms = duration_ms(max_loop_lag, what="max_loop_lag")
        self.name = name
        self.keys = QueueKeys(name, prefix)
        #: This worker process in Redis, in fences and in logs; never used twice.
        self.consumer = check_name(consumer or new_consumer(), what="consumer")
        self._handler = handler
        self._client = open_client(redis, key=self.keys.meta, busy_poll=check_busy_poll(busy_poll))
        self._wake_key = WakeKey(redis, self.keys)
        self._scripts = Scripts(self._client, self.keys)
        encode = encoder_of(serializer)
        completed, failed = Retention.of(remove_on_complete), Retention.of(remove_on_fail)
        self._policy = OutcomePolicy(
            remove_on_complete=completed.to_wire(),
            remove_on_fail=failed.to_wire(),
            backoff_strategy=backoff_strategy,
            encode=encode,
        )
        own_limit = (limiter.max, limiter.duration_ms) if limiter else None
        self._lease = LeaseKeeper(
            redis,
            self.keys,
            consumer=self.consumer,
            lease=self._lease_ms / 1000,
            on_lost=lambda tokens: self._holdings.lose(tokens),
            on_cancelled=lambda reasons: self._holdings.cancel(reasons),
            presence=Presence(
                self.consumer,
                lease_ms=self._lease_ms,
                concurrency=lambda: self._holdings.concurrency,
                running=lambda: list(self._holdings.running.values()),
                is_paused=lambda: self.is_paused,
                max_loop_lag_ms=max_lag_ms,
                limiter=own_limit,
            ),
        )
        self._reports = Reports(
            self._scripts,
            consumer=self.consumer,
            keep_logs=keep_logs,
            keep_partials=keep_partials,
            encode_data=encode,
        )
        self._upkeep = Upkeep(
            self._client,
            self._scripts,
            self.keys,
            lease_ms=self._lease_ms,
            max_stalled=max_stalled,
            completed=completed,
            failed=failed,
        )
        self._holdings = Holdings(
            name,
            self._scripts,
            self._lease,
            self._reports,
            consumer=self.consumer,
            lease_ms=self._lease_ms,
            concurrency=concurrency,
            limiter=own_limit,
        )
        self._settler = Settler(self._holdings, self._upkeep.latencies)
        self._fetcher = Fetcher(
            self._holdings, self._wake_key, consumer=self.consumer, lease=self._lease_ms / 1000
        )
        self._started = False
        self._closed = asyncio.Event()

    @property
    def concurrency(self) -> int:
        """Jobs that run at a time. Takes effect at once when it is set: with more the worker
        takes more jobs, with fewer the surplus ends by itself and is not replaced.

        Setting raises InvalidOption for less than 1.
        """
        return self._holdings.concurrency

    @concurrency.setter
    def concurrency(self, value: int) -> None:
        check_count(value, what="concurrency", low=1)
        self._holdings.concurrency = value
        self._fetcher.rouse()

    @property
    def is_paused(self) -> bool:
        """Whether this worker was paused; the queue may be paused all the same."""
        return self._fetcher.is_paused

    async def pause(self, *, wait_for_active: bool = True) -> None:
        """Take no more jobs, and wait for the running ones; other workers go on.

        Safe to repeat, and to cancel: the worker stays paused.
        """
        self._fetcher.pause()
        if wait_for_active:
            # a call that is under way may still start jobs, and so may one whose reply was lost
            await self._holdings.quiesce()
            with suppress(QueueUnavailable):
                await self._holdings.find_lost_jobs()
            await self._holdings.until_idle()

    def resume(self) -> None:
        """Take jobs again. Safe to repeat."""
        self._fetcher.resume()

    async def rate_limit(self, seconds: Seconds) -> None:
        """Let no worker of the queue take a job for so many seconds; see Queue.rate_limit.

        A handler calls it before it raises RateLimitError without a time.
        """
        await self._scripts.rate_limit(hold_ms=max(1, to_ms(seconds, what="rate_limit")))

    @property
    def running(self) -> list[Job]:
        """The jobs that run at this moment."""
        return [activation.job for activation in self._holdings.running.values()]

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
            await self._scripts.load("take", "finish", "heartbeat", "present", "sweep")
            self._lease.start()
            try:
                await self._work()
            finally:
                await asyncio.shield(self._wind_up())
        finally:
            await self._wake_key.close()
            await self._client.aclose()
            self._closed.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as background:
            loops = [
                background.create_task(self._reports.run()),
                *self._upkeep.start(background),
                *(background.create_task(self._settler.run()) for _ in range(2)),
            ]
            async with asyncio.TaskGroup() as jobs:
                slots = Slots(jobs, self._handler, self._policy, self._settler.job_ended)
                self._holdings.slots = slots
                await self._fetcher.run()
                slots.close()
            # every handler has ended, so every job is settled or waits for the settler
            await self._holdings.until_idle()
            for task in loops:
                task.cancel()
        with suppress(QueueUnavailable):
            await self._upkeep.latencies.run_once()

    async def _wind_up(self) -> None:
        """Hand back what is still held, wake another worker, end the lease thread."""
        try:
            await self._holdings.release_all()
        finally:
            await self._lease.stop()

    async def close(self, timeout: float | None = None) -> None:
        """Stop taking jobs, wait for the running ones, then end `run`.

        After `timeout` seconds (None: wait without limit, 0: at once) the handlers that
        are still running are cancelled and their jobs go back to the front of the line,
        without an attempt spent. While Redis is away it takes up to 10 s longer: handing
        back is tried for that long. Safe to repeat, also with a shorter time-out.
        """
        self._fetcher.stop()
        if not self._started and self._background is None:
            self._started = True
            await self._wake_key.close()
            await self._client.aclose()
            self._closed.set()
            return
        try:
            async with asyncio.timeout(timeout):
                await self._closed.wait()
        except TimeoutError:
            self._settler.giving_up = True
            self._holdings.hand_back()
            await self._closed.wait()

"""What the harness can ask of a queue. Each peer's program implements it with its own API.

Standard library only.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, ClassVar

from benchmarks.peers.ledger import Ledger, now_us

Payload = dict[str, Any]

#: Bytes of a payload as compact JSON.
PAYLOAD_BYTES = 100

#: For an index of no digits.
_PADDING = "x" * (PAYLOAD_BYTES - len('{"i":,"pad":""}'))

#: What the harness may call by name, of every peer.
OPERATIONS = frozenset(
    {
        "add_bulk",
        "add_concurrently",
        "add_delayed",
        "add_one_by_one",
        "add_paced",
        "add_timed",
        "close",
        "count_left_over",
        "end_to_end",
        "fill",
        "open",
        "work_progress",
        "work_start",
        "work_stop",
        "work_wait",
    }
)


def _uniform_gaps(seed: int) -> Iterator[float]:
    """Factors of 0.5 to 1.5: the generator of peer.cjs, so the same for every peer."""
    state = seed or 1
    while True:
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        yield 0.5 + state / 2**32


class Unsupported(Exception):
    """The queue has nothing to call here; the harness leaves the cell empty."""


def payload(index: int, *, added_us: float | None = None) -> Payload:
    """The data of job `index`, PAYLOAD_BYTES long; `added_us` when its wait is to be measured."""
    if added_us is None:
        return {"i": index, "pad": _PADDING[len(str(index)) :]}
    moment = round(added_us, 1)
    return {"i": index, "pad": _PADDING[len(f'{index},"t":{moment}') :], "t": moment}


def payloads(first: int, count: int) -> list[Payload]:
    """Payloads of the jobs first … first + count - 1; made before the clock runs."""
    return [payload(index) for index in range(first, first + count)]


def chunks(jobs: list[Payload], size: int) -> Iterator[list[Payload]]:
    """Cut a list into lists of at most `size`."""
    return (jobs[start : start + size] for start in range(0, len(jobs), size))


class Adapter(ABC):
    """One queue, opened on one Redis under one name, with one of its settings.

    Jobs are numbered from 0 in the order of adding over the life of the adapter. Operations run
    one at a time. A consumer records every run in `self.ledger` as the handler's first act.
    Operations that take `warm` do that many jobs in the same way first, off the clock, so that
    connections, scripts and compiled code are there.
    """

    #: What the queue promises at the speed measured, with the settings used.
    guarantees: ClassVar[str]
    can_add_in_bulk: ClassVar[bool] = False
    can_delay: ClassVar[bool] = False
    can_await: ClassVar[bool] = False

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self.redis_url = ""
        self.queue_name = ""
        self.ledger = Ledger(expected=0)
        self.completed = asyncio.Event()
        self._next_index = 0

    # -- what a peer implements ----------------------------------------------------------

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of what decides the speed: the queue, its driver, its loop."""

    @abstractmethod
    async def connect(self) -> None:
        """Make clients for `self.redis_url` and `self.queue_name`."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Close them. Safe without `connect`."""

    @abstractmethod
    async def add(self, data: Payload) -> None:
        """Add one job; return when Redis has it."""

    @abstractmethod
    async def start_worker(self, slots: int) -> None:
        """Start to consume with that many jobs at once; return without waiting for jobs."""

    @abstractmethod
    async def stop_worker(self) -> None:
        """Stop it in the queue's own way, running jobs settled."""

    async def add_many(self, jobs: list[Payload]) -> None:
        """Add jobs by the queue's own bulk call; `can_add_in_bulk` says whether there is one."""
        raise NotImplementedError

    async def add_later(self, data: Payload, delay_s: float) -> None:
        """Add a job that may start in `delay_s` seconds; `can_delay` says whether it can."""
        raise NotImplementedError

    async def add_and_await(self, data: Payload) -> None:
        """Add a job, return when its result is known here; `can_await` says whether it can."""
        raise NotImplementedError

    async def left_over(self) -> int | None:
        """Jobs that the queue takes for waiting or running; None when it cannot tell."""
        return None

    # -- what the harness asks -----------------------------------------------------------

    def operations(self) -> frozenset[str]:
        """What the harness may call by name."""
        return OPERATIONS

    async def open(self, *, redis_url: str, queue_name: str) -> dict[str, Any]:
        """Connect; gives versions and guarantees."""
        self.redis_url, self.queue_name = redis_url, queue_name
        await self.connect()
        return {"versions": self.versions(), "guarantees": self.guarantees}

    async def close(self) -> dict[str, Any]:
        """Disconnect."""
        await self.disconnect()
        return {}

    async def add_one_by_one(self, *, count: int, warm: int) -> dict[str, Any]:
        """Each add waits for the one before it."""
        for data in self._take(warm):
            await self.add(data)
        return await _timed(self._one_by_one(self._take(count)))

    async def add_concurrently(self, *, count: int, warm: int, in_flight: int) -> dict[str, Any]:
        """`in_flight` tasks add at the same time, each one job after the other."""
        await _share(in_flight, self._take(warm), self.add)
        return await _timed(_share(in_flight, self._take(count), self.add))

    async def add_bulk(self, *, count: int, warm: int, chunk: int) -> dict[str, Any]:
        """Bulk calls of `chunk` jobs, one after the other."""
        _require(self.can_add_in_bulk, "no bulk add")
        await self._in_bulk(self._take(warm), chunk)
        return await _timed(self._in_bulk(self._take(count), chunk))

    async def fill(self, *, count: int) -> dict[str, Any]:
        """Add jobs in the fastest way there is, off the clock of any scenario."""
        if self.can_add_in_bulk:
            await self._in_bulk(self._take(count), 1000)
        else:
            await _share(50, self._take(count), self.add)
        return {}

    async def add_paced(self, *, count: int, interval_ms: float) -> dict[str, Any]:
        """Add one job after the other with random gaps of `interval_ms` on average.

        Payloads carry the moment before the add. Random gaps, so that no timer of the queue
        or of the machine beats in time with them. Seeded: the same gaps for every peer.
        """
        gaps = _uniform_gaps(count)
        started = due = time.monotonic()
        for index in self._take_indexes(count):
            due += next(gaps) * interval_ms / 1000
            await asyncio.sleep(max(due - time.monotonic(), 0))
            await self.add(payload(index, added_us=now_us()))
        return {"seconds": time.monotonic() - started}

    async def add_timed(self, *, count: int) -> dict[str, Any]:
        """Add one job after the other and give the duration of each add in microseconds."""
        durations = []
        for data in self._take(count):
            started = time.perf_counter()
            await self.add(data)
            durations.append(round((time.perf_counter() - started) * 1e6, 1))
        return {"durations_us": durations}

    async def add_delayed(self, *, count: int, due_in_s: float) -> dict[str, Any]:
        """Add jobs that are all due at one moment, `due_in_s` from now.

        Payloads carry that moment. `early_s` is what was left of the time after the last add.
        """
        _require(self.can_delay, "no delayed jobs")
        due = time.monotonic() + due_in_s

        async def add(data: Payload) -> None:
            await self.add_later(data, max(due - time.monotonic(), 0))

        jobs = [payload(index, added_us=due * 1e6) for index in self._take_indexes(count)]
        await _share(50, jobs, add)
        return {"early_s": due - time.monotonic()}

    async def end_to_end(self, *, count: int, warm: int, in_flight: int) -> dict[str, Any]:
        """`in_flight` callers, each adds a job, awaits its result, adds the next."""
        _require(self.can_await, "no awaiting of results")
        await _share(in_flight, self._take(warm), self.add_and_await)
        return await _timed(_share(in_flight, self._take(count), self.add_and_await))

    async def work_start(
        self, *, slots: int, expected: int, warm: int = 0, enough: int | None = None
    ) -> dict[str, Any]:
        """Start a worker that is to see the jobs 0 … expected - 1, or `enough` of them."""
        self.ledger = Ledger(expected=expected, warm=warm, enough=enough)
        self.completed = asyncio.Event()
        await self.start_worker(slots)
        return {}

    async def work_wait(self, *, limit_s: float) -> dict[str, Any]:
        """Wait until every job asked for has run, at most `limit_s`; `in_time` tells which."""
        try:
            async with asyncio.timeout(limit_s):
                await self.completed.wait()
        except TimeoutError:
            return {"in_time": False}
        return {"in_time": True}

    async def work_progress(self) -> dict[str, Any]:
        """How many jobs this worker has seen, and when the first and the last one."""
        return self.ledger.progress()

    async def work_stop(self) -> dict[str, Any]:
        """Stop the worker; gives the ledger's figures."""
        await self.stop_worker()
        return self.ledger.figures()

    async def count_left_over(self) -> dict[str, Any]:
        """See `left_over`."""
        return {"left_over": await self.left_over()}

    # -- for the peers ---------------------------------------------------------------------

    def ran(self, data: Payload) -> None:
        """A handler's first act."""
        if self.ledger.record(data["i"], data.get("t")):
            self.completed.set()

    def _take_indexes(self, count: int) -> range:
        first = self._next_index
        self._next_index += count
        return range(first, first + count)

    def _take(self, count: int) -> list[Payload]:
        return [payload(index) for index in self._take_indexes(count)]

    async def _one_by_one(self, jobs: Iterable[Payload]) -> None:
        for data in jobs:
            await self.add(data)

    async def _in_bulk(self, jobs: list[Payload], chunk: int) -> None:
        for some in chunks(jobs, chunk):
            await self.add_many(some)


def _require(able: bool, missing: str) -> None:
    if not able:
        raise Unsupported(missing)


async def _timed(work: Awaitable[None]) -> dict[str, Any]:
    started = time.perf_counter()
    await work
    return {"seconds": time.perf_counter() - started}


async def _share(
    tasks: int, jobs: list[Payload], act: Callable[[Payload], Awaitable[None]]
) -> None:
    """Let `tasks` tasks take jobs from one line until it is empty."""
    line = iter(jobs)

    async def take_all() -> None:
        for data in line:
            await act(data)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(tasks, len(jobs))):
            group.create_task(take_all())

"""The scripts with the largest inputs that the library gives them, for benchmarks/script_times.py.

A case is prepared up to its yield; what it calls from there on is what counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from tests.support.driver import KEEP_ALL, Driver, expire, settle
from tests.support.flows import node
from vqueue import Group, JobOptions, NewJob, Queue, Repeat
from vqueue.codec import encode
from vqueue.edit_scripts import Resets
from vqueue.flows import FlowJob, FlowProducer
from vqueue.scripts import MAX_BATCH, Scripts, Taken

#: Jobs that the sweep of one lane looks at, and those of a call in which some have a group.
_SWEPT, _GROUPED = 100, 100
_NO_RESETS = Resets(made=False, started=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """One queue of a case."""

    queue: Queue
    driver: Driver

    @property
    def scripts(self) -> Scripts:
        """Its scripts."""
        return self.driver.scripts

    async def add(self, count: int, *, first: int = 0, **settings: Any) -> list[str]:
        """Add plain jobs, or such with a place or a delay; return their ids."""
        ids = [f"{number:032x}" for number in range(first, first + count)]
        for start in range(0, count, MAX_BATCH):
            await self.driver.add(*ids[start : start + MAX_BATCH], **settings)
        return ids

    async def add_grouped(self, count: int) -> None:
        """Add jobs, each of a group of its own."""
        await self.queue.add_bulk([grouped(number) for number in range(count)])

    async def end(self, count: int, outcome: str = "completed") -> None:
        """Add jobs, and end them."""
        for start in range(0, count, MAX_BATCH):
            await self.add(MAX_BATCH, first=start)
            taken = await self.driver.take(MAX_BATCH)
            await self.driver.finish(*(settle(job, outcome) for job in taken.jobs))

    async def add_parents(self, count: int, child: FlowJob) -> None:
        """Add parents of one job, 200 a call."""
        async with FlowProducer(self.driver.redis_url) as producer:
            for start in range(0, count, 200):
                numbers = range(start, min(start + 200, count))
                roots = [node(f"p{n}", child, queue_name=self.queue.name) for n in numbers]
                await producer.add_bulk(roots)

    async def finish(self, taken: Taken, *, rule: str = KEEP_ALL, want: int = 0) -> None:
        """Complete jobs in one call."""
        await self.driver.finish(*(settle(job, rule=rule) for job in taken.jobs), want=want)


Run = Callable[[Bench], AsyncGenerator[None, None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A script, what it is given, and how."""

    script: str
    given: str
    run: Run


CASES: list[Case] = []


def case(script: str, given: str) -> Callable[[Run], Run]:
    """Register a case."""

    def register(run: Run) -> Run:
        CASES.append(Case(script=script, given=given, run=run))
        return run

    return register


def grouped(number: int) -> NewJob:
    """A job of a group of its own."""
    return NewJob(name="task", options=JobOptions(group=Group(id=f"g{number}")))


@case("add", "250 jobs")
async def _add(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add(MAX_BATCH)


@case("add", "250 delayed jobs")
async def _add_delayed(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add(MAX_BATCH, delay_ms=60_000)


@case("add", "100 jobs of as many groups")
async def _add_grouped(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add_grouped(_GROUPED)


@case("add_flow", "a parent of 249 jobs")
async def _add_flow(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.queue.add_flow(node("root", *(FlowJob(name="x") for _ in range(249))))


@case("add_flow", "a parent of 99 jobs of as many groups")
async def _add_grouped_flow(bench: Bench) -> AsyncGenerator[None, None]:
    children = [FlowJob(name="x", options=grouped(n).options) for n in range(_GROUPED - 1)]
    yield
    await bench.queue.add_flow(node("root", *children))


@case("add_flow", "200 parents of a job that has completed")
async def _join_ended(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_parents(200, node("child"))
    await bench.finish(await bench.driver.take(1))
    async with FlowProducer(bench.driver.redis_url) as producer:
        shared = node("child")
        roots = [node(f"q{n}", shared, queue_name=bench.queue.name) for n in range(200)]
        yield
        await producer.add_bulk(roots)


@case("take", "250 jobs")
async def _take(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH)
    yield
    await bench.driver.take(MAX_BATCH)


@case("take", "250 jobs with a priority")
async def _take_prioritized(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH, place="7")
    yield
    await bench.driver.take(MAX_BATCH)


@case("take", "250 jobs that have come due")
async def _take_due(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH, delay_ms=1)
    await asyncio.sleep(0.01)
    yield
    await bench.driver.take(MAX_BATCH)


@case("take", "250 jobs of as many groups")
async def _take_grouped(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_grouped(MAX_BATCH)
    yield
    await bench.driver.take(MAX_BATCH)


@case("finish", "250 jobs, and takes 250")
async def _finish(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(2 * MAX_BATCH)
    taken = await bench.driver.take(MAX_BATCH)
    yield
    await bench.finish(taken, want=MAX_BATCH)


@case("finish", "250 jobs, and removes 250 old ones")
async def _finish_and_evict(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(1500)
    await bench.add(MAX_BATCH, first=5000)
    taken = await bench.driver.take(MAX_BATCH)
    yield
    await bench.finish(taken, rule="10 0")


@case("finish", "249 jobs of one parent")
async def _finish_children(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.add_flow(node("root", *(FlowJob(name="x") for _ in range(249))))
    taken = await bench.driver.take(249)
    yield
    await bench.finish(taken)


@case("finish", "one job of 250 parents")
async def _finish_child(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_parents(250, node("child"))
    taken = await bench.driver.take(1)
    yield
    await bench.finish(taken)


@case("finish", "250 jobs of 2000 parents each")
async def _finish_shared(bench: Bench) -> AsyncGenerator[None, None]:
    refs = [f"{bench.queue.name}:p{number}" for number in range(2000)]
    for job_id in await bench.add(MAX_BATCH):
        await bench.driver.redis("SADD", bench.driver.keys.job(job_id) + ":par", *refs)
    await bench.driver.redis("HSET", bench.driver.keys.meta, "flows", 1)
    taken = await bench.driver.take(MAX_BATCH)
    yield
    await bench.finish(taken)


@case("sweep", "100 jobs of a worker that died, of 200")
async def _sweep(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.scripts.open(lease_ms=60_000)
    await bench.add(_SWEPT)
    await bench.add(_SWEPT, first=_SWEPT, place="7")
    await bench.driver.take(2 * _SWEPT, consumer="dead")
    yield
    await bench.driver.sweep(dead="dead")


@case("sweep", "100 jobs of as many workers of 250, which name 50 jobs each")
async def _sweep_of_many(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.scripts.open(lease_ms=60_000)
    named = [[f"{number:032x}", f"1795600000000-{number}", 1795600000000] for number in range(50)]
    said = {"loop_lag": 3, "max_loop_lag": None, "host": "h", "pid": 7, "lock_duration": 60_000}
    for number in range(MAX_BATCH):
        info = encode({**said, "running": named}, "words")
        await bench.scripts.present(consumer=f"w{number}", info=info)
    await bench.add(_SWEPT)
    taken = [await bench.driver.take_one(consumer=f"w{number}") for number in range(_SWEPT)]
    for job in taken:
        await expire(bench.driver, job.token)
    yield
    await bench.driver.sweep()


@case("sweep", "1000 jobs that run, of 2000")
async def _sweep_live(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.scripts.open(lease_ms=60_000)
    await bench.add(8 * MAX_BATCH)
    for _ in range(8):
        await bench.driver.take(MAX_BATCH)
    yield
    await bench.driver.sweep()


@case("tell_parents", "100 parents of a job with 2000")
async def _tell_parents(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_parents(2000, node("child"))
    await bench.finish(await bench.driver.take(1))
    yield
    await bench.scripts.tell_some_parents()


@case("release", "100 jobs")
async def _release(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(100)
    jobs = (await bench.driver.take(100)).jobs
    yield
    held = [(job.id.decode(), job.token) for job in jobs]
    await bench.scripts.release(consumer="w1", jobs=held)


@case("heartbeat", "1000 jobs")
async def _heartbeat(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(4 * MAX_BATCH)
    tokens = [job.token for _ in range(4) for job in (await bench.driver.take(MAX_BATCH)).jobs]
    yield
    await bench.scripts.heartbeat(consumer="w1", lease_ms=60_000, tokens=tokens)


@case("retry", "100 jobs")
async def _retry(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(MAX_BATCH, "failed")
    yield
    await bench.scripts.retry(resets=_NO_RESETS, state="failed", most=100)


@case("promote", "100 jobs")
async def _promote(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH, delay_ms=60_000)
    yield
    await bench.scripts.promote(most=100)


@case("clean", "100 jobs")
async def _clean(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(MAX_BATCH)
    yield
    await bench.queue.clean(0, limit=100)


@case("retain", "250 jobs")
async def _retain(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(1500)
    yield
    await bench.scripts.retain(completed="10 0", failed="10 0")


@case("remove", "a parent and 249 jobs under it")
async def _remove(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.add_flow(node("root", *(FlowJob(name="x") for _ in range(249))))
    yield
    await bench.scripts.remove(job_id="root", children=True)


@case("adopt", "250 jobs")
async def _adopt(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH)
    await bench.driver.take(MAX_BATCH)
    yield
    await bench.scripts.adopt(consumer="w1", lease_ms=60_000, known=[])


@case("take", "50 jobs of as many schedulers")
async def _take_scheduled(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(1)
    taken = await bench.driver.take(1)
    for number in range(50):
        await bench.queue.upsert_job_scheduler(f"s{number}", Repeat(every=0.5), NewJob(name="x"))
    await bench.finish(taken, want=100)
    await asyncio.sleep(0.6)
    yield
    await bench.driver.take(100)

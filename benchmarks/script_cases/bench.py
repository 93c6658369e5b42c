"""What a case of benchmarks/script_times.py is, and the queue that it works on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.driver import KEEP_ALL, Driver, settle
from tests.support.flows import node
from vqueue import Deduplication, Group, JobOptions, NewJob, Queue
from vqueue.flows import FlowDraft, FlowJob, FlowProducer
from vqueue.record import TakenJob
from vqueue.scripts import MAX_BATCH, MAX_HELD_BATCH, Scripts


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

    async def add_flows(self, *flows: FlowJob) -> None:
        """Add flows in one call of the script, whatever is left to others."""
        draft = FlowDraft(self.queue._encode)
        for flow in flows:
            draft.lay_out(flow, self.queue.name)
        await self.scripts.add_flow(nodes=draft.records(), holder=None)

    async def add_unique(self, count: int) -> None:
        """Add jobs, each with a deduplication id of its own."""
        options = (JobOptions(deduplication=Deduplication(id=f"d{n}")) for n in range(count))
        await self.queue.add_bulk([NewJob(name="x", options=each) for each in options])

    async def give_parents(self, job_id: str, count: int) -> None:
        """Let a job have parents that are gone."""
        refs = [f"{self.queue.name}:p{number}" for number in range(count)]
        await self.driver.redis("SADD", self.driver.keys.job(job_id) + ":par", *refs)
        await self.driver.redis("HSET", self.driver.keys.meta, "flows", 1)

    async def end(self, count: int, outcome: str = "completed") -> None:
        """Add jobs, and end them."""
        for start in range(0, count, MAX_BATCH):
            await self.add(MAX_BATCH, first=start)
            jobs = await self.take(MAX_BATCH)
            await self.driver.finish(*(settle(job, outcome) for job in jobs))

    async def take(self, count: int, *, consumer: str = "w1") -> list[TakenJob]:
        """Take jobs, as many a call as a worker does."""
        jobs: list[TakenJob] = []
        while len(jobs) < count:
            want = min(MAX_HELD_BATCH, count - len(jobs))
            jobs += (await self.driver.take(want, consumer=consumer)).jobs
        return jobs

    async def add_parents(self, count: int, child: FlowJob) -> None:
        """Add parents of one job, 200 a call."""
        async with FlowProducer(self.driver.redis_url) as producer:
            for start in range(0, count, 200):
                numbers = range(start, min(start + 200, count))
                roots = [node(f"p{n}", child, queue_name=self.queue.name) for n in numbers]
                await producer.add_bulk(roots)

    async def finish(
        self, jobs: Sequence[TakenJob], *, rule: str = KEEP_ALL, want: int = 0
    ) -> None:
        """Complete jobs in one call."""
        await self.driver.finish(*(settle(job, rule=rule) for job in jobs), want=want)


def grouped(number: int) -> NewJob:
    """A job of a group of its own."""
    return NewJob(name="task", options=JobOptions(group=Group(id=f"g{number}")))


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

"""Adding single jobs to several queues at once: all of them, or none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.driver import Driver
from tests.support.invariants import check_invariants
from tests.support.workers import ended
from vqueue import FlowJob, FlowProducer, InvalidOption, Job, JobOptions, JobState, Queue, Worker


@pytest.fixture
async def other(redis_url: str, queue_name: str) -> AsyncIterator[Queue]:
    """A second queue, proved like the first one."""
    name = f"{queue_name}-other"
    async with Queue(name, redis_url) as queue:
        yield queue
    await check_invariants(redis_url, name)


@pytest.fixture
async def producer(redis_url: str) -> AsyncIterator[FlowProducer]:
    """A producer for any queues."""
    async with FlowProducer(redis_url) as producer:
        yield producer


async def test_jobs_of_several_queues_are_added_in_one_step(
    producer: FlowProducer, queue: Queue, other: Queue, redis_url: str
) -> None:
    async def handler(job: Job) -> str:
        return f"{job.queue_name} {job.data}"

    nodes = await producer.add_bulk(
        [
            FlowJob(name="task", queue_name=queue.name, data=1),
            FlowJob(name="task", queue_name=other.name, data=2, options=JobOptions(priority=3)),
        ]
    )
    first, second = (node.job for node in nodes)
    prioritized = await other.get_job(second.id)
    assert prioritized is not None
    assert prioritized.state is JobState.PRIORITIZED
    async with Worker(queue.name, handler, redis_url), Worker(other.name, handler, redis_url):
        ends = await asyncio.gather(ended(queue, first.id), ended(other, second.id))
    assert [jobs[0].returnvalue for jobs in ends] == [f"{queue.name} 1", f"{other.name} 2"]


async def test_when_one_of_the_jobs_is_refused_none_is_added(
    producer: FlowProducer, queue: Queue, other: Queue
) -> None:
    with pytest.raises(InvalidOption):
        await producer.add_bulk(
            [
                FlowJob(name="task", queue_name=queue.name),
                FlowJob(name="task", queue_name=other.name, data=object()),
            ]
        )
    assert sum((await queue.get_job_counts()).values()) == 0


async def test_a_repeat_adds_what_is_missing(
    producer: FlowProducer, queue: Queue, other: Queue
) -> None:
    jobs = [
        FlowJob(name="task", queue_name=name, options=JobOptions(job_id="one"))
        for name in (queue.name, other.name)
    ]
    await queue.add("task", job_id="one")
    nodes = await producer.add_bulk(jobs)
    assert [node.job.is_duplicate for node in nodes] == [True, False]
    for one in (queue, other):
        assert sum((await one.get_job_counts()).values()) == 1


async def test_a_queue_without_flows_does_not_look_for_any(
    producer: FlowProducer, queue: Queue, driver: Driver
) -> None:
    await producer.add_bulk([FlowJob(name="task", queue_name=queue.name)])
    assert await driver.redis("HGET", driver.keys.meta, "flows") is None

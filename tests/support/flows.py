"""Flows whose jobs are named by their ids, and driving them through the scripts."""

from collections.abc import Sequence
from typing import Any

from tests.support.driver import Driver, settle
from vqueue import FlowJob, FlowNode, JobOptions
from vqueue.flows import FlowProducer
from vqueue.record import TakenJob

#: What a parent is to do when the child fails.
IGNORE: dict[str, Any] = {"ignore_dependency_on_failure": True}
REMOVE: dict[str, Any] = {"remove_dependency_on_failure": True}
CONTINUE: dict[str, Any] = {"continue_parent_on_failure": True}


def node(job_id: str, *children: FlowJob, queue_name: str | None = None, **options: Any) -> FlowJob:
    """A job of a flow, named by its id."""
    return FlowJob(
        name=job_id,
        queue_name=queue_name,
        options=JobOptions(job_id=job_id, **options),
        children=children,
    )


async def add_parents(redis_url: str, queue_name: str, child: str, count: int) -> None:
    """Add a job and parents of it, p0, p1 …, 200 a call. The child is `<queue>:<id>` or an id."""
    of_child, _, child_id = child.rpartition(":")
    shared = node(child_id, queue_name=of_child or queue_name)
    async with FlowProducer(redis_url) as producer:
        for start in range(0, count, 200):
            roots = range(start, min(start + 200, count))
            await producer.add_bulk(
                [node(f"p{root}", shared, queue_name=queue_name) for root in roots]
            )


def shape(flow: FlowNode) -> Any:
    """The ids of a flow, nested."""
    return (
        {flow.job.id: [shape(child) for child in flow.children]} if flow.children else flow.job.id
    )


async def taken(driver: Driver, count: int) -> dict[str, TakenJob]:
    """Take so many jobs; by their ids."""
    jobs = {job.id.decode(): job for job in (await driver.take(count)).jobs}
    assert len(jobs) == count
    return jobs


async def complete(driver: Driver, *job_ids: str, value: bytes = b'"done"') -> None:
    """Take the jobs, which must be the next ones, and complete them."""
    jobs = await taken(driver, len(job_ids))
    assert set(jobs) == set(job_ids)
    await driver.finish(*(settle(job, value=value) for job in jobs.values()))


async def fail(driver: Driver, job_id: str, *, value: bytes = b'"broken"') -> None:
    """Take the job, which must be the next one, and fail it."""
    job = await driver.take_one()
    assert job.id.decode() == job_id
    await driver.finish(settle(job, "failed", value=value))


async def states(driver: Driver, job_ids: Sequence[str]) -> list[str | None]:
    """The states of jobs."""
    return [await driver.state(job_id) for job_id in job_ids]

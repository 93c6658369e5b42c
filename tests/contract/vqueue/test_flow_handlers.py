"""Flows under workers: children added from the handler, and many workers at once."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.driver import Driver, settle
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended, jobs_in
from vqueue import (
    FlowJob,
    Job,
    JobFailed,
    JobNotActive,
    JobOptions,
    JobState,
    LeaseLost,
    Queue,
    UnrecoverableError,
    WaitingChildrenError,
    Worker,
)


def child(job_id: str, **options: Any) -> FlowJob:
    """A job of a flow, named by its id."""
    return FlowJob(name="child", options=JobOptions(job_id=job_id, **options))


async def test_a_handler_adds_children_and_runs_again_when_they_have_ended(
    driver: Driver, queue: Queue, redis_url: str
) -> None:
    async def handle(job: Job) -> Any:
        if job.name == "child":
            return int(job.id[-1])
        if not (values := await job.get_children_values()):
            await queue.add_children(job, [child(f"{job.id}-{k}") for k in range(3)])
            await job.move_to_waiting_children()
        return sum(values.values())

    async with Worker(queue.name, handle, redis_url, concurrency=2):
        added = await queue.add("parent")
        (parent,) = await ended(queue, added.id)

    assert (parent.returnvalue, parent.attempts_made, parent.attempts_started) == (3, 1, 2)
    assert await driver.history(added.id) == [
        "added", "waiting", "active", "waiting-children", "waiting", "active", "completed"
    ]  # fmt: skip


async def test_a_handler_without_pending_children_goes_on(queue: Queue, redis_url: str) -> None:
    async def handle(job: Job) -> str:
        await job.move_to_waiting_children()
        return "went on"

    async with Worker(queue.name, handle, redis_url):
        added = await queue.add("parent")
        (parent,) = await ended(queue, added.id)
    assert (parent.returnvalue, parent.attempts_started) == ("went on", 1)
    with pytest.raises(JobNotActive):
        await parent.move_to_waiting_children()
    with pytest.raises(JobNotActive):
        await parent.get_children_values()


async def test_a_job_that_waits_for_no_children_runs_again_at_once(
    queue: Queue, redis_url: str
) -> None:
    async def handle(job: Job) -> str:
        if job.attempts_started == 1:
            raise WaitingChildrenError("none is there")
        return "ran again"

    async with Worker(queue.name, handle, redis_url):
        added = await queue.add("parent")
        (parent,) = await ended(queue, added.id)
    assert parent.returnvalue == "ran again"


@pytest.mark.parametrize(
    ("options", "prev"),
    [({}, "waiting"), ({"priority": 5}, "prioritized"), ({"lifo": True}, "waiting"),
     ({"delay": 60}, "delayed"), ({"group": "g"}, "waiting")],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("call", ["add_children", "add_flow"])
async def test_a_job_that_stands_in_line_waits_for_children_that_it_gets(
    driver: Driver, queue: Queue, call: str, options: dict[str, Any], prev: str
) -> None:
    await queue.add("task", job_id="parent", **options)
    if call == "add_children":
        await queue.add_children(f"{queue.name}:parent", [child("child")])
    else:
        options = {"job_id": "parent", **options}
        parent = FlowJob(name="task", options=JobOptions(**options), children=[child("child")])
        assert (await queue.add_flow(parent)).job.is_duplicate
    if prev == "delayed":
        assert await driver.state("parent") == "delayed"
        await queue.promote_jobs()
    assert await driver.state("parent") == "waiting-children"
    parked = [e for e in await driver.events() if e.name == "waiting-children"]
    assert [(e.job_id, e.data) for e in parked] == [("parent", {"prev": prev})]
    job = await driver.take_one()
    assert job.id == b"child"
    await driver.finish(settle(job))
    assert await driver.state("parent") == prev.replace("delayed", "waiting")


async def test_a_delayed_job_waits_for_children_that_it_was_given_when_it_is_due(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("parent", delay_ms=60_000)
    await queue.add_children(f"{queue.name}:parent", [child("child")])
    await driver.scripts.change_delay(job_id="parent", delay_ms=1)
    (one,) = (await driver.take(1)).jobs
    await driver.finish(settle(one, "waiting"))

    async def is_parked() -> bool:
        await driver.take(0)
        return await driver.state("parent") == "waiting-children"

    await until(is_parked, what="the parent to be due")
    await driver.finish(settle(await driver.take_one()))
    assert await driver.state("parent") == "waiting"


@pytest.mark.parametrize("is_in_line", [True, False])
async def test_a_parent_waits_out_its_delay_once_when_it_gets_more_children(
    driver: Driver, queue: Queue, is_in_line: bool
) -> None:
    await queue.add_flow(
        FlowJob(
            name="task",
            options=JobOptions(job_id="parent", delay=3600),
            children=[child("first")],
        )
    )
    await driver.finish(settle(await driver.take_one()))
    assert await driver.state("parent") == "delayed"
    if is_in_line:
        await queue.promote("parent")
    await queue.add_children(f"{queue.name}:parent", [child("second")])
    if not is_in_line:
        await queue.promote("parent")
    assert await driver.state("parent") == "waiting-children"
    await driver.finish(settle(await driver.take_one()))
    assert await driver.state("parent") == "waiting"


async def test_a_job_in_line_stays_there_when_the_children_that_it_gets_have_ended(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("child")
    await driver.finish(settle(await driver.take_one()))
    await queue.add("task", job_id="parent")
    await queue.add_children(f"{queue.name}:parent", [child("child")])
    assert await driver.history("parent") == ["added", "waiting"]
    assert list((await queue.get_children_values("parent")).values()) == ["done"]


async def test_a_parent_that_completes_before_its_children_fails(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("parent", "beside")
    parent, beside = (await driver.take(2)).jobs
    await queue.add_children(f"{queue.name}:parent", [child("one"), child("two")])
    await driver.finish(settle(parent), settle(beside))

    failed = await queue.get_job("parent")
    assert failed is not None
    assert failed.state == "failed"
    assert failed.failed_reason is not None
    assert "2 children have not ended: raise WaitingChildrenError" in failed.failed_reason
    assert await driver.state("beside") == "completed"


async def test_a_child_that_fails_while_its_parent_runs_fails_it_when_it_ends_or_waits(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("ends", "waits")
    ends, waits = (await driver.take(2)).jobs
    for parent in ("ends", "waits"):
        await queue.add_children(f"{queue.name}:{parent}", [child(f"of-{parent}")])
    of_ends, of_waits = (await driver.take(2)).jobs
    await driver.finish(settle(of_ends, "failed"), settle(of_waits, "failed"))
    assert [await driver.state(job) for job in ("ends", "waits")] == ["active", "active"]
    await driver.finish(settle(ends), settle(waits, "waiting-children"))
    for parent in ("ends", "waits"):
        job = await queue.get_job(parent)
        assert job is not None
        assert (job.state, job.failed_reason) == (
            "failed",
            f"child {queue.name}:of-{parent} failed",
        )


@pytest.mark.parametrize("own", [None, False])
@pytest.mark.parametrize("of_child", [{}, {"delay": 60}])
async def test_a_parent_that_fails_at_its_end_is_kept_as_its_worker_keeps_what_fails(
    queue: Queue, redis_url: str, own: bool | None, of_child: dict[str, Any]
) -> None:
    """Because its child has failed meanwhile, or has not ended."""

    async def handler(job: Job) -> None:
        if job.name == "child":
            raise UnrecoverableError("broken")
        await queue.add_children(job, [child("c", **of_child)])
        if not of_child:
            with pytest.raises(JobFailed):
                await queue.result("c", timeout=15)

    async with Worker(queue.name, handler, redis_url, concurrency=2, remove_on_fail=True):
        await queue.add("parent", job_id="parent", remove_on_fail=own)
        with pytest.raises(JobFailed, match=r"child .*:c failed|1 children have not ended"):
            await queue.result("parent", timeout=15)
    job = await queue.get_job("parent")
    assert (job is None) == (own is None)


async def test_a_superseded_handler_adds_no_children(
    driver: Driver, queue: Queue, redis_url: str
) -> None:
    handler = HeldHandler()
    async with Worker(queue.name, handler, redis_url, lock_duration=60) as worker:
        await queue.add("parent")
        await handler.running(1)
        (job,) = handler.started
        await queue.recover_crashed(worker.consumer)
        with pytest.raises(LeaseLost):
            await queue.add_children(job, [child("late")])
        handler.let_go.set()
    assert await queue.get_job("late") is None


async def test_many_workers_that_end_children_at_once_free_each_parent_once(
    driver: Driver, queue: Queue, redis_url: str
) -> None:
    async def handle(job: Job) -> Any:
        if job.name == "child":
            await asyncio.sleep(0)
            return 1
        return len(await job.get_children_values())

    flows = [
        FlowJob(
            name="parent",
            options=JobOptions(job_id=f"parent-{k}"),
            # what a parent needs of them does not go with them
            children=[
                FlowJob(name="child", options=JobOptions(remove_on_complete=True))
                for _ in range(20)
            ],
        )
        for k in range(20)
    ]
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(Worker(queue.name, handle, redis_url, concurrency=10))
        await asyncio.gather(*(queue.add_flow(flow) for flow in flows))
        parents = await jobs_in(
            queue, *(f"parent-{k}" for k in range(20)), states={JobState.COMPLETED}
        )
    assert {parent.returnvalue for parent in parents} == {20}
    assert {parent.attempts_started for parent in parents} == {1}
    for parent in parents:
        assert (await driver.history(parent.id)).count("active") == 1

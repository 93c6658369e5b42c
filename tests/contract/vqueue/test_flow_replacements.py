"""Jobs of flows that go in other ways than by an end or a removal."""

from datetime import timedelta

from tests.support.driver import Driver, settle
from tests.support.flows import fail, node
from vqueue import Deduplication, JobState, NewJob, Queue, Repeat

WEEK = timedelta(days=7)


async def test_a_parent_does_not_wait_for_a_child_that_a_newer_job_has_replaced(
    driver: Driver, queue: Queue
) -> None:
    newest = Deduplication(id="d", replace=True)
    await queue.add("task", job_id="old", delay=WEEK, deduplication=newest)
    await queue.add_flow(node("parent", node("old")))
    await queue.add("task", job_id="new", delay=WEEK, deduplication=newest)

    assert await driver.state("old") is None
    assert await driver.state("parent") == "waiting"
    await driver.check()


async def test_a_parent_does_not_wait_for_a_child_whose_scheduler_was_removed(
    driver: Driver, queue: Queue
) -> None:
    await queue.upsert_job_scheduler("nightly", Repeat(every=WEEK), NewJob(name="task"))
    (scheduled,) = (await queue.get_jobs_in(JobState.WAITING)).jobs
    await queue.add_flow(node("parent", node(scheduled.id)))
    await queue.remove_job_scheduler("nightly")

    assert await driver.state(scheduled.id) is None
    assert await driver.state("parent") == "waiting"
    await driver.check()


async def test_a_parent_that_fails_with_its_child_frees_its_deduplication_id(
    driver: Driver, queue: Queue
) -> None:
    once = Deduplication(id="d", keep_last_if_active=True)
    await queue.add("task", job_id="parent", deduplication=once)
    parent = await driver.take_one()
    await queue.add("task", job_id="next", deduplication=once)
    await queue.add_children(f"{queue.name}:parent", [node("child")])
    await driver.finish(settle(parent, "waiting-children", value=b""))
    await fail(driver, "child")

    assert await driver.state("parent") == "failed"
    assert await driver.state("next") == "waiting"
    assert await queue.get_deduplication_job_id("d") == "next"
    await driver.check()

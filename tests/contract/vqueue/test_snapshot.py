"""snapshot and counts: what the queue knows of its jobs, as of one moment."""

from tests.support.driver import Driver, settle
from vqueue import FlowJob, JobOptions, JobState, Queue
from vqueue.job_events import version_of


async def test_every_state_is_told(driver: Driver, queue: Queue) -> None:
    await driver.add("completed", "failed")
    first, second = (await driver.take(2)).jobs
    await driver.finish(settle(first), settle(second, "failed", value=b'"broken"'))
    await driver.add("active")
    await driver.take_one()
    await driver.add("waiting")
    await driver.add("lifo", place="lifo")
    await driver.add("prioritized", place="2")
    await driver.add("delayed", delay_ms=60_000)
    parent = JobOptions(job_id="parent")
    await queue.add_flow(FlowJob(name="task", options=parent, children=[FlowJob(name="task")]))

    names = ["waiting", "lifo", "prioritized", "delayed", "active", "completed", "failed"]
    names += ["parent", "none"]
    jobs = {
        name: job
        for name, job in zip(names, await queue.get_jobs(names), strict=True)
        if job is not None
    }
    assert {name: job.state.value for name, job in jobs.items()} == {
        "waiting": "waiting",
        "lifo": "waiting",
        "prioritized": "prioritized",
        "delayed": "delayed",
        "active": "active",
        "completed": "completed",
        "failed": "failed",
        "parent": "waiting-children",
    }
    assert (jobs["active"].consumer, jobs["active"].attempts_started) == ("w1", 1)
    assert jobs["completed"].returnvalue == "done"
    assert jobs["failed"].failed_reason == "broken"
    added, due = jobs["delayed"].timestamp, jobs["delayed"].delay_until
    assert added is not None
    assert due is not None
    assert round(due - added, 3) == 60
    assert await queue.get_job_counts() == {
        JobState.WAITING: 3,
        JobState.PRIORITIZED: 1,
        JobState.DELAYED: 1,
        JobState.ACTIVE: 1,
        JobState.COMPLETED: 1,
        JobState.FAILED: 1,
        JobState.WAITING_CHILDREN: 1,
    }


async def test_an_empty_queue_has_no_jobs(queue: Queue) -> None:
    assert set((await queue.get_job_counts()).values()) == {0}
    assert await queue.get_job("unknown") is None
    assert await queue.get_jobs([]) == []


async def test_more_jobs_than_one_call_takes_come_in_their_order(queue: Queue) -> None:
    names = [f"job-{number}" for number in range(300)]
    for name in names[::2]:
        await queue.add("task", job_id=name)
    jobs = await queue.get_jobs(names)
    assert [job and job.id for job in jobs] == [
        name if index % 2 == 0 else None for index, name in enumerate(names)
    ]


async def test_every_later_event_has_a_greater_version_than_a_snapshot(driver: Driver) -> None:
    versions = []
    for number in range(50):
        await driver.add(f"job-{number}")
        snapshots = await driver.scripts.snapshot(ids=[f"job-{number}"])
        versions += [(await driver.events())[-1].version, version_of(*snapshots.version)]
    assert versions == sorted(versions)


async def test_a_handed_back_job_is_not_active_any_more(driver: Driver, queue: Queue) -> None:
    await driver.add("job")
    job = await driver.take_one()
    await driver.scripts.release(consumer="w1", jobs=[("job", job.token)])
    found = await queue.get_job("job")
    assert found is not None
    assert (found.state, found.attempts_started, found.fence) == ("waiting", 0, None)


async def test_a_turn_goes_to_one_process_at_a_time(queue: Queue, driver: Driver) -> None:
    assert await queue.claim_turn("redrive", seconds=60)
    assert not await queue.claim_turn("redrive", seconds=60)
    assert await queue.claim_turn("other", seconds=60)
    assert (await driver.dump()).strings == {"turn:redrive": "1", "turn:other": "1"}

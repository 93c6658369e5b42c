"""Changing single jobs from outside: remove, promote, delay, priority, data, log."""

import pytest

from tests.support.driver import Driver, expire, ids, settle
from tests.support.workers import HeldHandler, ended
from vqueue import (
    InvalidOption,
    Job,
    JobNotActive,
    JobNotFound,
    JobNotInState,
    JobOptions,
    Queue,
    Worker,
)


async def put_in(driver: Driver, job_id: str, state: str) -> None:
    """Add a job and bring it into a state."""
    delay_ms = 60_000 if state == "delayed" else 0
    await driver.add(job_id, delay_ms=delay_ms, place="5" if state == "prioritized" else "0")
    if state in ("active", "completed", "failed"):
        job = await driver.take_one()
        if state != "active":
            await driver.scripts.log(
                consumer="w1", keep=9, lines=[(job_id, job.token, 1, "a line")]
            )
            await driver.finish(settle(job, state, progress=b"1"))


# -- removing --------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["waiting", "prioritized", "delayed", "completed", "failed"])
async def test_removing_a_job_leaves_nothing_of_it(
    driver: Driver, queue: Queue, state: str
) -> None:
    await put_in(driver, "job", state)
    assert await queue.remove("job")
    dump = await driver.dump()
    assert [key for key in dump.types if "job" in key] == []
    assert sum(dump.counts) == 0
    event = (await driver.events())[-1]
    assert (event.name, event.job_id, event.data) == ("removed", "job", {"prev": state})


async def test_an_active_job_is_not_removed(driver: Driver, queue: Queue) -> None:
    await put_in(driver, "job", "active")
    with pytest.raises(JobNotInState, match="removal of job job: it is active"):
        await queue.remove("job")
    assert await driver.state("job") == "active"


async def test_removing_an_unknown_job_says_that_there_was_none(queue: Queue) -> None:
    assert not await queue.remove("nobody")


async def test_the_id_of_a_job_removed_by_hand_is_free_at_once(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("job")
    await queue.remove("job")
    assert await driver.add("job") == [1]
    assert ids(await driver.take(2)) == ["job"]


# -- promoting and delays --------------------------------------------------------------


async def test_a_promoted_job_starts_at_the_back_of_its_own_priority(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("later", delay_ms=60_000, place="5")
    await driver.add("equal", place="5")
    await driver.add("less", place="6")
    await queue.promote("later")
    assert ids(await driver.take(3)) == ["equal", "later", "less"]
    assert (await driver.history("later"))[:3] == ["added", "delayed", "waiting"]


async def test_only_a_delayed_job_is_promoted(driver: Driver, queue: Queue) -> None:
    await driver.add("job")
    with pytest.raises(JobNotInState, match="it is waiting, and must be delayed"):
        await queue.promote("job")
    with pytest.raises(JobNotFound, match="promotion of job nobody"):
        await queue.promote("nobody")


async def test_promote_jobs_takes_those_that_are_due_first(driver: Driver, queue: Queue) -> None:
    for seconds in (30, 10, 20):
        await driver.add(f"in-{seconds}", delay_ms=seconds * 1000)
    assert await queue.promote_jobs(2) == 2
    assert ids(await driver.take(3)) == ["in-10", "in-20"]
    assert await driver.state("in-30") == "delayed"


async def test_promote_jobs_promotes_more_than_one_call_holds(driver: Driver, queue: Queue) -> None:
    for start in range(0, 600, 200):
        await driver.add(*(f"j{n:03}" for n in range(start, start + 200)), delay_ms=60_000)
    assert await queue.promote_jobs() == 600
    assert (await driver.dump()).counts[0] == 600


async def test_a_changed_delay_is_what_counts(driver: Driver, queue: Queue) -> None:
    await driver.add("job", delay_ms=60_000)
    await queue.change_delay("job", 0)
    assert (await driver.take_when_due()).id == b"job"
    with pytest.raises(JobNotInState, match="it is active, and must be delayed"):
        await queue.change_delay("job", 1)


async def test_a_changed_delay_wakes_a_worker_that_sleeps_until_the_former_time(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("job", delay_ms=60_000)
    await driver.redis("DEL", driver.keys.wake)  # the add has woken one, too
    await queue.change_delay("job", 1)
    assert (await driver.dump()).zsets["wake"] == {"0": 0}


# -- priorities ------------------------------------------------------------------------


async def test_a_job_without_priority_any_more_waits_at_the_back_of_the_line(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("p5", place="5")
    await driver.add("a")
    await queue.change_priority("p5", 0)
    assert await driver.state("p5") == "waiting"
    assert ids(await driver.take(2)) == ["a", "p5"]


async def test_the_changed_priority_of_a_delayed_job_counts_when_it_is_due(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("job", delay_ms=60_000)
    await driver.add("p2", place="2")
    await queue.change_priority("job", 1)
    assert await driver.state("job") == "delayed"
    await queue.promote("job")
    assert ids(await driver.take(2)) == ["job", "p2"]


@pytest.mark.parametrize("state", ["active", "completed", "failed"])
async def test_the_priority_of_a_job_out_of_the_line_stays(
    driver: Driver, queue: Queue, state: str
) -> None:
    await put_in(driver, "job", state)
    with pytest.raises(JobNotInState, match=f"it is {state}"):
        await queue.change_priority("job", 1)


# -- data ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", ["waiting", "prioritized", "delayed", "active", "completed", "failed"]
)
async def test_data_change_in_any_state(driver: Driver, queue: Queue, state: str) -> None:
    await put_in(driver, "job", state)
    await queue.update_data("job", {"step": 1})
    await queue.update_data("job", {"step": 2})
    job = await queue.get_job("job")
    assert job is not None
    assert (job.data, job.state) == ({"step": 2}, state)
    assert (await driver.history("job"))[-1] == "changed"


async def test_changed_data_keep_to_the_size_limit_of_the_queue(
    redis_url: str, queue_name: str
) -> None:
    limits = JobOptions(size_limit=10)
    async with Queue(queue_name, redis_url, default_job_options=limits) as queue:
        await queue.add("task", "short", job_id="job")
        with pytest.raises(InvalidOption, match="'job' are 12 bytes of JSON"):
            await queue.update_data("job", "0123456789")
        job = await queue.get_job("job")
    assert job is not None
    assert job.data == "short"


async def test_a_handler_starts_with_the_data_that_were_changed_while_its_job_waited(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("job", data=b"1")
    await queue.update_data("job", 2)
    job = await driver.take_one()
    assert job.record.split(b"\n")[4] == b"2"
    await driver.finish(settle(job))
    done = await queue.get_job("job")
    assert done is not None
    assert (done.data, done.returnvalue) == (2, "done")


@pytest.mark.parametrize("end", ["completed", "failed", "waiting", "delayed", "release", "stall"])
async def test_data_changed_while_the_job_is_active_survive_its_end(
    driver: Driver, queue: Queue, end: str
) -> None:
    await driver.add("job", data=b"1")
    job = await driver.take_one()
    await queue.update_data("job", 2)
    if end == "release":
        await driver.scripts.release(consumer="w1", jobs=[("job", job.token)])
    elif end == "stall":
        await expire(driver, job.token)
        await driver.sweep()
    else:
        await driver.finish(settle(job, end, rule="1" if end == "delayed" else "-1 -1"))
    seen = await queue.get_job("job")
    assert seen is not None
    assert seen.data == 2
    if end not in ("completed", "failed"):
        again = await driver.take_when_due()
        assert again.record.split(b"\n")[4] == b"2"


async def test_data_changed_after_they_were_changed_under_a_worker_are_the_newest(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("job", data=b"1")
    job = await driver.take_one()
    await queue.update_data("job", 2)
    await driver.scripts.release(consumer="w1", jobs=[("job", job.token)])
    await queue.update_data("job", 3)
    again = await driver.take_one()
    assert again.record.split(b"\n")[4] == b"3"


async def test_a_handler_changes_its_data_for_the_next_attempt(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    seen = []

    async def handler(job: Job) -> None:
        seen.append(job.data)
        await job.update_data({"step": job.data["step"] + 1})
        if job.data["step"] < 3:
            raise RuntimeError("again")

    job = await queue.add("task", {"step": 0}, attempts=3)
    async with Worker(queue_name, handler, redis_url):
        (done,) = await ended(queue, job.id)
    assert seen == [{"step": 0}, {"step": 1}, {"step": 2}]
    assert done.data == {"step": 3}


async def test_a_superseded_activation_does_not_change_the_data(driver: Driver) -> None:
    await driver.add("job", data=b"1")
    job = await driver.take_one()
    await expire(driver, job.token)
    await driver.sweep()
    late = await driver.scripts.update_data(job_id="job", data=b"2", token=job.token, consumer="w1")
    assert late == 0
    snapshot = await driver.snapshot("job")
    assert snapshot is not None
    assert (snapshot.data, snapshot.record.split(b"\n")[4]) == (b"", b"1")


async def test_only_a_running_job_changes_its_data_by_itself(queue: Queue) -> None:
    job = await queue.add("task")
    with pytest.raises(JobNotActive, match=r"use Queue\.update_data"):
        await job.update_data(1)
    with pytest.raises(JobNotFound):
        await queue.update_data("nobody", 1)


# -- log -------------------------------------------------------------------------------


async def test_log_lines_are_added_from_outside(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    job = await queue.add("task")
    assert await queue.add_job_log(job.id, "while it waits") == 1
    async with Worker(queue_name, handler, redis_url):
        await handler.running(1)
        await handler.started[0].log("from the handler")
        assert await queue.add_job_log(job.id, "while it runs") == 3
        handler.let_go.set()
        await ended(queue, job.id)
    assert await queue.add_job_log(job.id, "after its end", keep_logs=2) == 2
    assert await queue.get_job_logs(job.id) == ["while it runs", "after its end"]
    with pytest.raises(JobNotFound, match="log line of job nobody"):
        await queue.add_job_log("nobody", "line")

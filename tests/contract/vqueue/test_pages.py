"""Pages of the jobs in a state, and counts per priority."""

import pytest

from tests.support.driver import Driver, settle
from vqueue import InvalidOption, JobState, Queue


async def fill(driver: Driver) -> None:
    """Put some jobs into every state but waiting-children."""
    await driver.add(*(f"c{n}" for n in range(3)), *(f"f{n}" for n in range(3)))
    for job in (await driver.take(6)).jobs:
        end = "completed" if job.id.startswith(b"c") else "failed"
        await driver.finish(settle(job, end))
    await driver.add("a0", "a1")
    await driver.add("a2", place="9")
    await driver.take(3)
    await driver.add("w0", "w1", "w2")
    await driver.add("l0", "l1", place="lifo")
    for priority in ("7", "5", "5"):
        await driver.add(f"p{priority}{len(await driver.events())}", place=priority)
    for delay in (3, 1, 2):
        await driver.add(f"d{delay}", delay_ms=delay * 60_000)


async def walk(queue: Queue, *states: JobState, limit: int, asc: bool) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    cursor = None
    while True:
        page = await queue.get_jobs_in(*states, cursor=cursor, limit=limit, asc=asc)
        assert len(page.jobs) <= limit
        assert all(job.state in (states or JobState) for job in page.jobs)
        ids += [job.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            return ids


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_hold_each_job_of_a_state_once_and_in_order(
    driver: Driver, queue: Queue, limit: int
) -> None:
    await fill(driver)
    waiting = await walk(queue, JobState.WAITING, limit=limit, asc=True)
    assert waiting == ["l1", "l0", "w0", "w1", "w2"]
    delayed = await walk(queue, JobState.DELAYED, limit=limit, asc=True)
    assert delayed == ["d1", "d2", "d3"]
    prioritized = await walk(queue, JobState.PRIORITIZED, limit=limit, asc=True)
    assert [i[:2] for i in prioritized] == ["p5", "p5", "p7"]
    assert await walk(queue, JobState.ACTIVE, limit=limit, asc=True) == ["a0", "a1", "a2"]
    for state in (JobState.COMPLETED, JobState.FAILED):
        ended = await walk(queue, state, limit=limit, asc=True)
        assert ended == [f"{state[0]}{n}" for n in range(3)]
        assert await walk(queue, state, limit=limit, asc=False) == ended[::-1]
    for state, ids in (
        (JobState.WAITING, waiting),
        (JobState.DELAYED, delayed),
        (JobState.PRIORITIZED, prioritized),
    ):
        assert await walk(queue, state, limit=limit, asc=False) == ids[::-1]


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
async def test_several_states_are_read_one_after_the_other(
    driver: Driver, queue: Queue, limit: int
) -> None:
    await fill(driver)
    states = (JobState.FAILED, JobState.DELAYED, JobState.ACTIVE)
    ids = await walk(queue, *states, limit=limit, asc=True)
    assert ids == ["f0", "f1", "f2", "d1", "d2", "d3", "a0", "a1", "a2"]
    assert len(await walk(queue, limit=limit, asc=False)) == len((await driver.dump()).jobs)


@pytest.mark.parametrize("asc", [True, False])
async def test_a_page_goes_on_where_its_last_job_has_gone_since(
    driver: Driver, queue: Queue, asc: bool
) -> None:
    names = [f"j{n}" for n in range(9)]
    await driver.add(*names)
    jobs = (await driver.take(9)).jobs
    await driver.finish(*(settle(job, "failed") for job in jobs))  # in one millisecond
    state = JobState.FAILED
    first = await queue.get_jobs_in(state, limit=4, asc=asc)
    await queue.remove(first.jobs[-1].id)
    second = await queue.get_jobs_in(state, limit=100, asc=asc, cursor=first.cursor)
    assert [job.id for job in (*first.jobs, *second.jobs)] == (names if asc else names[::-1])


async def test_a_page_of_the_line_goes_on_where_jobs_were_taken_since(
    driver: Driver, queue: Queue
) -> None:
    await driver.add(*(f"j{n}" for n in range(9)))
    first = await queue.get_jobs_in(JobState.WAITING, limit=3, asc=True)
    await driver.take(5)
    second = await queue.get_jobs_in(JobState.WAITING, asc=True, cursor=first.cursor)
    assert [job.id for job in second.jobs] == ["j5", "j6", "j7", "j8"]


async def test_a_page_holds_whole_jobs(queue: Queue) -> None:
    await queue.add("resize", {"width": 640}, priority=3, attempts=4)
    (job,) = (await queue.get_jobs_in(JobState.PRIORITIZED)).jobs
    assert (job.name, job.data, job.priority, job.attempts) == ("resize", {"width": 640}, 3, 4)


async def test_an_empty_queue_has_empty_pages(queue: Queue) -> None:
    page = await queue.get_jobs_in()
    assert (page.jobs, page.cursor) == ([], None)


@pytest.mark.parametrize("cursor", ["", "x", "failed", "completed|z1 a", "failed|;", "nowhere|z"])
async def test_a_cursor_of_another_page_is_refused(queue: Queue, cursor: str) -> None:
    with pytest.raises(InvalidOption, match="is not one of a page of failed"):
        await queue.get_jobs_in(JobState.FAILED, cursor=cursor)


async def test_jobs_are_counted_per_priority(driver: Driver, queue: Queue) -> None:
    await fill(driver)
    assert await queue.get_counts_per_priority(0, 5, 6, 7) == {0: 5, 5: 2, 6: 0, 7: 1}


async def test_lines_of_groups_that_were_deleted_by_hand_are_passed_in_steps(
    driver: Driver, queue: Queue
) -> None:
    await queue.add("task", job_id="job", group="z")
    deleted = [f"a{number}" for number in range(300)]
    scores = (value for group in deleted for value in (1, group))
    await driver.redis("ZADD", driver.keys.prefix + "groups", *scores)
    first = await queue.get_jobs_in(JobState.WAITING)
    assert first.jobs == []
    assert first.cursor is not None
    assert await walk(queue, JobState.WAITING, limit=20, asc=True) == ["job"]
    await driver.redis("ZREM", driver.keys.prefix + "groups", *deleted)

"""add: new → waiting, prioritized or delayed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devstack import Valkey
from tests.support.driver import Driver, settle
from vqueue import InvalidOption, JobOptions, JobState, NewJob, Queue, QueueFull


async def test_each_kind_of_job_goes_to_its_place(queue: Queue) -> None:
    plain = await queue.add("resize", {"width": 1})
    urgent = await queue.add("resize", priority=3)
    newest = await queue.add("resize", lifo=True)
    later = await queue.add("resize", delay=60)
    jobs = await queue.get_jobs([plain.id, urgent.id, newest.id, later.id])

    assert [job and job.state for job in jobs] == ["waiting", "prioritized", "waiting", "delayed"]
    assert [job.state for job in (plain, urgent, newest, later)] == [
        job and job.state for job in jobs
    ]
    assert await queue.get_job_counts() == {
        JobState.WAITING: 2,
        JobState.PRIORITIZED: 1,
        JobState.DELAYED: 1,
        JobState.ACTIVE: 0,
        JobState.COMPLETED: 0,
        JobState.FAILED: 0,
        JobState.WAITING_CHILDREN: 0,
    }


async def test_delay_wins_over_priority_which_counts_when_the_job_is_due(driver: Driver) -> None:
    await driver.add("urgent", delay_ms=1, place="5")
    assert await driver.state("urgent") == "delayed"
    job = await driver.take_when_due()
    assert job.id == b"urgent"
    assert job.token.startswith(b"x")


async def test_a_second_add_of_an_id_changes_nothing(queue: Queue) -> None:
    first = await queue.add("resize", "first", job_id="invoice-7")
    second = await queue.add("rotate", "second", job_id="invoice-7", priority=9)
    kept = await queue.get_job("invoice-7")

    assert (first.is_duplicate, second.is_duplicate) == (False, True)
    assert kept is not None
    assert (kept.name, kept.data, kept.priority) == ("resize", "first", 0)


@pytest.mark.parametrize("state", ["waiting", "active", "delayed", "completed", "failed"])
async def test_an_id_is_refused_whatever_became_of_its_job(driver: Driver, state: str) -> None:
    await driver.add("job", delay_ms=60_000 if state == "delayed" else 0)
    if state in ("active", "completed", "failed"):
        job = await driver.take_one()
        if state != "active":
            await driver.finish(settle(job, state))
    assert await driver.add("job") == [0]
    assert await driver.state("job") == state
    assert (await driver.history("job"))[-1] == "duplicated"


async def test_the_id_of_a_removed_job_is_remembered(driver: Driver) -> None:
    await driver.add("job")
    await driver.finish(settle(await driver.take_one(), rule="0 -1"))
    assert await driver.add("job") == [0]
    assert await driver.state("job") is None
    ttl_ms = (await driver.dump()).ttl_ms["gone:job"]
    assert 500_000 < ttl_ms <= 600_000


async def test_an_id_twice_in_one_call_is_added_once(driver: Driver) -> None:
    assert await driver.add("a", "b", "a") == [1, 1, 0]


DEEP: Any = None
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        0,
        False,
        [],
        {},
        {"": [[], {}]},
        'Grüße 🎬 \u0000 \\ "',
        2**53 + 1,
        2**64 - 1,
        -(2**63),
        1.5e300,
        "x" * 300_000,
        DEEP,
    ],
    ids=lambda data: repr(data)[:20],
)
async def test_data_comes_back_equal(queue: Queue, data: Any) -> None:
    added = await queue.add("Ünïcode näme", data)
    job = await queue.get_job(added.id)
    assert job is not None
    assert job.data == data
    assert type(job.data) is type(data)
    assert job.name == "Ünïcode näme"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"attempts": 0}, "attempts"),
        ({"attempts": True}, "attempts"),
        ({"priority": -1}, "priority"),
        ({"priority": 2**21}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"delay": -1}, "delay"),
        ({"delay": float("nan")}, "delay"),
        ({"delay": float("inf")}, "delay"),
        ({"lifo": True, "priority": 1}, "lifo and priority"),
        ({"job_id": ""}, "job id"),
        ({"job_id": "a:b"}, "job id"),
        ({"job_id": "a" * 129}, "job id"),
        ({"job_id": "new\nline"}, "job id"),
        ({"max_stalled": -1}, "max_stalled"),
        ({"remove_on_complete": -1}, "retention count"),
        ({"no_such_option": 1}, "unknown job option no_such_option"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_bad_option_is_refused_and_nothing_is_added(
    queue: Queue, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidOption, match=named):
        await queue.add("resize", **options)
    assert set((await queue.get_job_counts()).values()) == {0}


@pytest.mark.parametrize("name", ["", None, 7])
async def test_a_bad_job_name_is_refused(queue: Queue, name: Any) -> None:
    with pytest.raises(InvalidOption, match="job name"):
        await queue.add(name)


@pytest.mark.parametrize(
    "data",
    [object(), {1: 2}, {"set"}, 2**64, "\ud800"],
    ids=["object", "integer key", "set", "65 bits", "half a character"],
)
async def test_data_that_is_not_json_is_refused(queue: Queue, data: Any) -> None:
    with pytest.raises(InvalidOption, match="data of job 'resize'"):
        await queue.add("resize", data)


@pytest.mark.parametrize("name", ["", "a b", "{tag}", "a:b", "ä", "x" * 129])
def test_a_bad_queue_name_is_refused(redis_url: str, name: str) -> None:
    with pytest.raises(InvalidOption, match="queue name"):
        Queue(name, redis_url)


async def test_bulk_keeps_its_order_over_many_calls(queue: Queue, driver: Driver) -> None:
    jobs = await queue.add_bulk(NewJob(name="task", data=number) for number in range(600))
    taken = [job for _ in range(3) for job in (await driver.take(250)).jobs]
    assert [job.id.decode() for job in taken] == [job.id for job in jobs]


async def test_bulk_with_one_bad_job_adds_none(queue: Queue) -> None:
    with pytest.raises(InvalidOption):
        await queue.add_bulk(
            [NewJob(name="good"), NewJob(name="bad", options=JobOptions(job_id="a b"))]
        )
    assert set((await queue.get_job_counts()).values()) == {0}


async def test_bulk_says_which_jobs_are_duplicates(queue: Queue) -> None:
    await queue.add("task", job_id="b")
    jobs = await queue.add_bulk(
        NewJob(name="task", options=JobOptions(job_id=job_id)) for job_id in "abc"
    )
    assert [job.is_duplicate for job in jobs] == [False, True, False]


async def test_adds_of_one_turn_of_the_loop_travel_together(queue: Queue, driver: Driver) -> None:
    await asyncio.gather(*(queue.add("task", number) for number in range(100)))
    entries = await driver.redis("XRANGE", driver.keys.ev, "-", "+")
    assert len(entries) == 2  # of the two calls that go out together


async def test_a_full_redis_refuses_adds_and_lets_running_jobs_end(
    tmp_path: Path, queue_name: str
) -> None:
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        driver = Driver(url, queue_name)
        async with Queue(queue_name, url) as queue:
            await driver.scripts.open(lease_ms=60_000)
            await queue.add("task", job_id="done")
            await queue.add("task", job_id="retried")
            first, second = (await driver.take(2)).jobs
            await driver.redis("CONFIG", "SET", "maxmemory", 1)

            with pytest.raises(QueueFull, match="maxmemory"):
                await queue.add("task", job_id="refused")
            tokens = [first.token, second.token]
            lost = (
                await driver.scripts.heartbeat(consumer="w1", lease_ms=60_000, tokens=tokens)
            ).lost
            progressed = await driver.scripts.progress(
                consumer="w1", jobs=[("done", first.token, b"50")]
            )
            settled = await driver.finish(settle(first), settle(second, "delayed", rule="60000"))
            assert (lost, progressed, settled.statuses) == ([], [1], [1, 1])

            await driver.redis("CONFIG", "SET", "maxmemory", 0)
            assert await queue.get_job("refused") is None
            assert not (await queue.add("task", job_id="refused")).is_duplicate
        await driver.check(idle=True)
        await driver.close()


async def test_jobs_get_the_default_options_of_their_queue(redis_url: str, queue_name: str) -> None:
    defaults = JobOptions(attempts=3, priority=5)
    async with Queue(queue_name, redis_url, default_job_options=defaults) as queue:
        plain = await queue.add("task")
        urgent = await queue.add("task", priority=1)
        bulk = await queue.add_bulk(
            [
                NewJob(name="task"),
                NewJob(name="task", options=queue.job_options(priority=2)),
                NewJob(name="task", options=JobOptions(priority=4)),
            ]
        )
        jobs = await queue.get_jobs([job.id for job in (plain, urgent, *bulk)])
    found = [(job.attempts, job.priority) for job in jobs if job]
    assert found == [(3, 5), (3, 1), (3, 5), (3, 2), (1, 4)]


async def test_default_options_hold_no_job_id(redis_url: str, queue_name: str) -> None:
    with pytest.raises(InvalidOption, match="must not have a job_id"):
        Queue(queue_name, redis_url, default_job_options=JobOptions(job_id="one"))


async def test_the_size_limit_counts_utf_8_bytes_of_the_json(queue: Queue) -> None:
    await queue.add("task", "ää", size_limit=6)
    with pytest.raises(InvalidOption, match="are 6 bytes of JSON, and its size_limit is 5"):
        await queue.add("task", "ää", size_limit=5)
    assert (await queue.get_job_counts())[JobState.WAITING] == 1

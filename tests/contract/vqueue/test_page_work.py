"""What a page costs the server depends on the page, not on the jobs of the queue: counted."""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from tests.support.driver import Driver
from tests.support.monitoring import commands_of_scripts
from vqueue import Group, JobOptions, JobState, NewJob, Queue
from vqueue.scripts import MAX_BATCH

_LIMIT = 20
#: Commands that read or find one thing, in O(log n) at most.
_SMALL = {"HGET", "GET", "HMGET", "ZSCORE", "ZCOUNT", "ZRANK", "ZREVRANK", "XINFO"}


class Work(NamedTuple):
    """What a script has asked of the server."""

    commands: Counter[str]
    #: Members and entries that its ranges asked for.
    elements: int


def asked_for(command: str) -> int:
    """How many elements a command of the page script may read; fails for one unknown here."""
    name, *args = command.split()
    if name in _SMALL:
        return 1
    if name in {"ZRANGE", "ZREVRANGE"} and "BYSCORE" not in args:
        return int(args[2]) - int(args[1]) + 1
    if name == "XPENDING":
        return int(args[4])
    if name in {"XRANGE", "XREVRANGE"}:
        return 1 if args[1] == args[2] else int(args[args.index("COUNT") + 1])
    raise AssertionError(f"of this command it is not known what it reads: {command}")


async def work_of(driver: Driver, call: Callable[[], Awaitable[Any]]) -> Work:
    """Watch what the scripts of a call ask the server for."""
    commands = await commands_of_scripts(driver, call)
    names = Counter(command.split()[0] for command in commands)
    return Work(names, sum(map(asked_for, commands)))


async def fill(driver: Driver, queue: Queue, count: int) -> None:
    """Have so many jobs active, delayed, in line, and in the line of a group."""
    for start in range(0, count, MAX_BATCH):
        numbers = range(start, min(start + MAX_BATCH, count))
        await driver.add(*(f"active-{number}" for number in numbers))
        await driver.take(MAX_BATCH)
        await driver.add(*(f"delayed-{number}" for number in numbers), delay_ms=3_600_000)
    for start in range(0, count, MAX_BATCH):
        await driver.add(*(f"waiting-{n}" for n in range(start, min(start + MAX_BATCH, count))))
    grouped = NewJob(name="x", options=JobOptions(group=Group(id="g")))
    await queue.add_bulk([grouped] * count)


async def behind_the_middle(driver: Driver, count: int) -> dict[JobState, list[str]]:
    """Cursors of pages that follow a job in the middle of its kind."""

    async def entry_of(job_id: str) -> str:
        record: bytes = await driver.redis("GET", driver.keys.job(job_id))
        return record.split()[0].decode()

    async def member_of(key: str) -> str:
        found = await driver.redis("ZRANGE", key, count // 2, count // 2, "WITHSCORES")
        member, score = (value.decode() for value in found)
        return f"z{score} {member}"

    return {
        JobState.ACTIVE: ["r" + await entry_of(f"active-{count // 2}")],
        JobState.DELAYED: [await member_of(driver.keys.delayed)],
        JobState.WAITING: [
            "r" + await entry_of(f"waiting-{count // 2}"),
            "gg " + await member_of(driver.keys.prefix + "g:g"),
        ],
    }


async def work_of_pages(driver: Driver, queue: Queue, count: int) -> dict[str, Work]:
    """What pages cost a queue with so many jobs of each kind."""
    await driver.wipe()
    await fill(driver, queue, count)
    found: dict[str, Work] = {}

    async def page(state: JobState, cursor: str, *, is_rising: bool) -> None:
        _, jobs = await driver.scripts.page(
            state=state, cursor=cursor, limit=_LIMIT, is_rising=is_rising
        )
        assert len(jobs) == _LIMIT

    for state, cursors in (await behind_the_middle(driver, count)).items():
        for cursor in cursors:
            for is_rising in (True, False):
                call = partial(page, state, cursor, is_rising=is_rising)
                found[f"{state} {cursor[0]} {is_rising}"] = await work_of(driver, call)
    return found


async def test_a_step_of_clean_asks_for_no_more_in_a_long_line(driver: Driver) -> None:
    """Though jobs may stand in the line that are older than those before them."""
    found: list[Work] = []
    for count in (100, 5_000):
        await driver.wipe()
        for start in range(0, count, MAX_BATCH):
            await driver.add(*(f"{n}" for n in range(start, min(start + MAX_BATCH, count))))
        record: bytes = await driver.redis("GET", driver.keys.job(f"{count // 2}"))
        cursor = f"{await driver.now_ms()} r{record.split()[0].decode()}"

        async def step(cursor: str = cursor) -> None:
            page = await driver.scripts.find_cleanable(
                state="waiting", before="1", limit=_LIMIT, cursor=cursor
            )
            assert page.cursor
            assert not page.ids

        found.append(await work_of(driver, step))
    assert found[0] == found[1]
    assert found[0].commands["GET"] == _LIMIT


async def test_a_page_asks_for_no_more_in_a_long_queue(driver: Driver, queue: Queue) -> None:
    few = await work_of_pages(driver, queue, 100)
    many = await work_of_pages(driver, queue, 20_000)
    assert len(few) == 8
    assert many == few
    await driver.wipe()

"""The straight ways of add, take and finish: they do what their scripts do else, or nothing.

A script with a straight way alone, whose rest breaks off, is compared with the rest alone.
"""

import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.support.driver import KEEP_NONE, LONG_MS, Driver, settle
from tests.support.queue_dump import QueueDump
from tests.support.waiting import until
from vqueue import lua_source, script_calls
from vqueue.keys import GROUP
from vqueue.record import TakenJob
from vqueue.script_calls import Script
from vqueue.scripts import Taken


@pytest.fixture
async def driver(redis_url: str, queue_name: str) -> AsyncIterator[Driver]:
    """The scripts of a queue whose invariants nobody checks: it is prepared by hand."""
    driver = Driver(redis_url, f"{queue_name}-by-hand")
    yield driver
    await driver.close()


_FIRST = re.compile(r"^--- @first \w+\n", re.MULTILINE)


def _named(name: str, text: str) -> Script:
    return Script(name, text, "0" * 40)  # no such script: it is sent as its text each time


def _rest_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> Script:
    with monkeypatch.context() as patch:
        read = lua_source._read
        patch.setattr(lua_source, "_read", lambda path: _FIRST.sub("", read(path)))
        return _named(name, lua_source.script_text(name))


def _straight_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> Script:
    whole, rest = lua_source.script_text(name), _rest_alone(name, monkeypatch).text
    head, body = rest.split("local F = ", 1)
    assert whole.endswith(body)
    straight = whole.removesuffix("local F = " + body)
    assert straight.startswith(head)
    return _named(name, straight + "error('the straight way is left')\n")


Ways = Callable[[str], Script]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Ways | None], None]:
    """Choose how add, take and finish are run from now on; None: as they are."""
    load = script_calls.load_script

    def choose(way: Ways | None) -> None:
        def chosen(name: str) -> Script:
            return way(name) if way and name in ("add", "take", "finish") else load(name)

        monkeypatch.setattr(script_calls, "load_script", chosen)

    return choose


def _content(dump: QueueDump) -> Any:
    """What a queue holds, without the times and with ids in the place of entries."""
    hashes = {
        # the two ways may run in different minutes
        name: dict(enumerate(sorted(values.values()))) if name.startswith("m:") else dict(values)
        for name, values in dump.hashes.items()
    }
    for mark in ("ms", "seq"):
        hashes["meta"].pop(mark, None)
    told = repr(
        (
            sorted((name, sorted(values.items())) for name, values in hashes.items()),
            sorted((name, sorted(scores.items())) for name, scores in dump.zsets.items()),
            sorted(dump.strings.items()),
            sorted(
                (
                    name,
                    [entry.fields for entry in stream.entries],
                    sorted(
                        (name, sorted(group.pending.values()))
                        for name, group in stream.groups.items()
                    ),
                )
                for name, stream in dump.streams.items()
            ),
            dump.counts,
        )
    )
    return re.sub(r"\d{13,}(\.\d+|-\d+)?", "T", told)


def _assert_unchanged(after: QueueDump, before: QueueDump) -> None:
    for part in ("hashes", "strings", "zsets", "streams"):
        assert getattr(after, part) == getattr(before, part)


async def _has_ended_some(driver: Driver) -> None:
    """This minute, and the next one, have had a job that completed."""
    minute = await driver.now_ms() // 60_000
    await driver.redis("HSET", driver.keys.prefix + "m:completed", minute, 4, minute + 1, 4)


async def _active(driver: Driver, *, place: str = "0") -> TakenJob:
    """The only job of the queue, which runs."""
    await driver.scripts.open(lease_ms=LONG_MS)
    await _has_ended_some(driver)
    await driver.add("first", place=place)
    return await driver.take_one()


async def _three_active(driver: Driver) -> list[TakenJob]:
    """The only jobs of the queue, which run; not in the order in which they were taken."""
    first = await _active(driver)
    await driver.add("between", "last")
    between, last = (await driver.take(2)).jobs
    return [between, last, first]


Prepare = Callable[[Driver], Awaitable[None]]


async def _nothing(driver: Driver) -> None:
    pass


async def _paused(driver: Driver) -> None:
    await driver.scripts.pause(paused=True)


async def _one_removed(driver: Driver) -> None:
    job = await _active(driver)
    await driver.finish(settle(job, rule=KEEP_NONE))


async def _clock_is_ahead(driver: Driver) -> None:
    ahead = await driver.now_ms() + 1_000_000
    await driver.redis("HSET", driver.keys.meta, "ms", ahead, "seq", 7)
    await driver.add("early", "earlier")  # with ids of then


async def _events_are_trimmed(driver: Driver) -> None:
    await driver.redis("HSET", driver.keys.meta, "events_cap", 2)


async def _add(driver: Driver, job_id: str = "new") -> Any:
    return await driver.add(job_id, data=b'{"a":1}')


@pytest.mark.parametrize(
    "prepare",
    [_nothing, _paused, _one_removed, _clock_is_ahead],
    ids=lambda prepare: prepare.__name__.strip("_"),
)
async def test_a_lone_add_does_what_the_long_way_does(
    driver: Driver,
    queue_name: str,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
) -> None:
    found = []
    for way in (_straight_alone, _rest_alone):
        own = Driver(driver.redis_url, f"{queue_name}-{way.__name__}")
        use(None)
        await own.add("before")
        await prepare(own)
        await own.redis("DEL", own.keys.wake)
        script = way("add", monkeypatch)
        use(lambda name, script=script: script)  # type: ignore[misc]
        reply = await _add(own)
        use(None)
        found.append((reply, _content(await own.dump())))
        await own.close()
    assert found[0] == found[1]


async def _is_there(driver: Driver) -> None:
    await driver.add("new")


async def _was_removed(driver: Driver) -> None:
    await driver.add("new")
    jobs = (await driver.take(2)).jobs
    await driver.finish(*(settle(job, rule=KEEP_NONE) for job in jobs))


async def _has_lost_its_clock(driver: Driver) -> None:
    await driver.redis("HDEL", driver.keys.meta, "ms", "seq")


@pytest.mark.parametrize(
    "prepare",
    [_is_there, _was_removed, _has_lost_its_clock, _events_are_trimmed],
    ids=lambda prepare: prepare.__name__.strip("_"),
)
async def test_a_lone_add_that_is_no_plain_one_leaves_the_straight_way_with_nothing_written(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
) -> None:
    await driver.add("before")
    await prepare(driver)
    before = await driver.dump()
    script = _straight_alone("add", monkeypatch)
    use(lambda _: script)
    with pytest.raises(ResponseError, match="the straight way is left"):
        await _add(driver)
    _assert_unchanged(await driver.dump(), before)


async def _one_waits(driver: Driver) -> None:
    await driver.add("second")


async def _three_wait(driver: Driver) -> None:
    await driver.add("second", "third", "fourth")


async def _one_is_delayed(driver: Driver) -> None:
    await driver.add("second", delay_ms=LONG_MS)


async def _another_runs(driver: Driver) -> None:
    await driver.add("second")
    await driver.take_one(consumer="w2")


async def _another_with_priority_runs(driver: Driver) -> None:
    await driver.add("second", place="3")
    await driver.take_one(consumer="w2")


async def _one_was_deleted_by_hand(driver: Driver) -> None:
    await driver.add("second", "third")
    await driver.redis("DEL", driver.keys.job("second"))


async def _one_stands_elsewhere(driver: Driver) -> None:
    await driver.add("second", "third")
    await driver.redis("SET", driver.keys.job("third"), '1-1\n\n"task"')


_PLAIN = pytest.mark.parametrize(
    "prepare",
    [
        _nothing,
        _one_waits,
        _three_wait,
        _one_is_delayed,
        _another_runs,
        _another_with_priority_runs,
        _one_was_deleted_by_hand,
        _one_stands_elsewhere,
        _clock_is_ahead,
    ],
    ids=lambda prepare: prepare.__name__.strip("_"),
)


def _told(taken: Taken) -> Any:
    jobs = [(job.id, job.record.split(b"\n")[1:]) for job in taken.jobs]
    # the time that is left differs by what has passed, and by nothing within one millisecond
    return jobs, math.ceil(taken.due_ms / 10_000)


@pytest.mark.parametrize("want", [1, 5])
@_PLAIN
async def test_a_lone_completion_does_what_the_long_way_does(
    driver: Driver,
    queue_name: str,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
    want: int,
) -> None:
    found = []
    for way in (_straight_alone, _rest_alone):
        own = Driver(driver.redis_url, f"{queue_name}-{way.__name__}")
        use(None)
        job = await _active(own)
        await prepare(own)
        await own.redis("DEL", own.keys.wake)
        script = way("finish", monkeypatch)
        use(lambda name, script=script: script)  # type: ignore[misc]
        reply = await own.finish(settle(job), want=want)
        use(None)
        found.append((reply.statuses, _told(reply.taken), _content(await own.dump())))
        await own.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("want", [1, 5])
@_PLAIN
async def test_completions_together_do_what_the_long_way_does(
    driver: Driver,
    queue_name: str,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
    want: int,
) -> None:
    found = []
    for way in (_straight_alone, _rest_alone):
        own = Driver(driver.redis_url, f"{queue_name}-{way.__name__}")
        use(None)
        jobs = await _three_active(own)
        await prepare(own)
        await own.redis("DEL", own.keys.wake)
        script = way("finish", monkeypatch)
        use(lambda name, script=script: script)  # type: ignore[misc]
        reply = await own.finish(*(settle(job) for job in jobs), want=want)
        use(None)
        found.append((reply.statuses, _told(reply.taken), _content(await own.dump())))
        await own.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("want", [1, 5])
@_PLAIN
async def test_a_take_from_the_back_of_the_line_does_what_the_long_way_does(
    driver: Driver,
    queue_name: str,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
    want: int,
) -> None:
    found = []
    for way in (_straight_alone, _rest_alone):
        own = Driver(driver.redis_url, f"{queue_name}-{way.__name__}")
        use(None)
        await _active(own)
        await prepare(own)
        await own.redis("DEL", own.keys.wake)
        script = way("take", monkeypatch)
        use(lambda name, script=script: script)  # type: ignore[misc]
        taken = await own.take(want)
        use(None)
        found.append((_told(taken), _content(await own.dump())))
        await own.close()
    assert found[0] == found[1]


async def _one_is_due(driver: Driver) -> None:
    await driver.add("second", delay_ms=1)
    due = await driver.now_ms() + 1

    async def is_past() -> bool:
        return await driver.now_ms() > due

    await until(is_past, what="the job to be due")


async def _one_has_priority(driver: Driver) -> None:
    await driver.add("second", place="3")


async def _is_the_first_of_its_minute(driver: Driver) -> None:
    await driver.redis("DEL", driver.keys.prefix + "m:completed")


async def _another_lease_is_longer(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=2 * LONG_MS)


async def _lease_was_lost(driver: Driver) -> None:
    await driver.sweep(dead="w1")


def _meta_has(field: str) -> Prepare:
    async def prepare(driver: Driver) -> None:
        await driver.redis("HSET", driver.keys.meta, field, 1)

    prepare.__name__ = f"meta_has_{field}"
    return prepare


_RARE = [
    _paused,
    _one_is_due,
    _one_has_priority,
    _another_lease_is_longer,
    _events_are_trimmed,
    _has_lost_its_clock,
    _meta_has("groups"),
    _meta_has("sched"),
]


@pytest.mark.parametrize(
    "prepare",
    [*_RARE, _is_the_first_of_its_minute, _lease_was_lost, _meta_has("flows")],
    ids=lambda prepare: prepare.__name__.strip("_"),
)
async def test_a_lone_completion_that_is_no_plain_one_leaves_with_nothing_written(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
) -> None:
    await _left_unwritten(driver, use, monkeypatch, await _active(driver), prepare)


async def _last_is_done(driver: Driver) -> None:
    (entry, *_) = (await driver.redis("XPENDING", driver.keys.ready, GROUP, "-", "+", 3))[-1]
    await driver.redis("XACK", driver.keys.ready, GROUP, entry)


async def _first_is_done(driver: Driver) -> None:
    (entry, *_) = (await driver.redis("XPENDING", driver.keys.ready, GROUP, "-", "+", 3))[0]
    await driver.redis("XACK", driver.keys.ready, GROUP, entry)


async def _just_these_events_are_too_many(driver: Driver) -> None:
    # three that end, one that starts, and the end of the line
    await driver.redis("HSET", driver.keys.meta, "n", 5, "events_cap", 10)


@pytest.mark.parametrize(
    "prepare",
    [
        _first_is_done,
        _last_is_done,
        _is_the_first_of_its_minute,
        _just_these_events_are_too_many,
        _lease_was_lost,
    ],
    ids=lambda prepare: prepare.__name__.strip("_"),
)
async def test_completions_of_which_one_is_no_plain_one_leave_with_nothing_written(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
) -> None:
    jobs = await _three_active(driver)
    await prepare(driver)
    before = await driver.dump()
    script = _straight_alone("finish", monkeypatch)
    use(lambda _: script)
    with pytest.raises(ResponseError, match="the straight way is left"):
        await driver.finish(*map(settle, jobs), want=1)
    _assert_unchanged(await driver.dump(), before)


async def test_ends_of_two_kinds_leave_with_nothing_written(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, _ = await _three_active(driver)
    before = await driver.dump()
    script = _straight_alone("finish", monkeypatch)
    use(lambda _: script)
    with pytest.raises(ResponseError, match="the straight way is left"):
        await driver.finish(settle(first), settle(second, outcome="failed"), want=1)
    _assert_unchanged(await driver.dump(), before)


async def _lost_its_group(driver: Driver) -> None:
    await driver.redis("XGROUP", "DESTROY", driver.keys.ready, GROUP)


@pytest.mark.parametrize("limiter", [None, (1, 60_000)], ids=["unlimited", "limited"])
@pytest.mark.parametrize(
    "prepare",
    [*_RARE, _lost_its_group, _nothing],
    ids=lambda prepare: prepare.__name__.strip("_"),
)
async def test_a_take_that_is_no_plain_one_leaves_with_nothing_written(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Prepare,
    limiter: tuple[int, int] | None,
) -> None:
    await _active(driver)
    await driver.add("waits")
    await prepare(driver)
    want = 0 if prepare is _nothing and limiter is None else 1
    before = await driver.dump()
    script = _straight_alone("take", monkeypatch)
    use(lambda _: script)
    with pytest.raises(ResponseError, match="the straight way is left"):
        await driver.scripts.take(consumer="w1", want=want, lease_ms=LONG_MS, limiter=limiter)
    _assert_unchanged(await driver.dump(), before)


@pytest.mark.parametrize("want", [0, 1])
async def test_a_lone_job_of_the_express_lane_leaves_with_nothing_written(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    want: int,
) -> None:
    job = await _active(driver, place="3" if want else "0")
    await _left_unwritten(driver, use, monkeypatch, job, _nothing, want=want)


@pytest.mark.parametrize(
    ("outcome", "rule", "progress"),
    [("failed", "-1 -1", b""), ("completed", KEEP_NONE, b""), ("completed", "-1 -1", b"5")],
)
async def test_a_lone_end_of_another_kind_leaves_with_nothing_written(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    rule: str,
    progress: bytes,
) -> None:
    job = await _active(driver)
    await _left_unwritten(
        driver, use, monkeypatch, job, _nothing, outcome=outcome, rule=rule, progress=progress
    )


async def _left_unwritten(
    driver: Driver,
    use: Callable[[Ways | None], None],
    monkeypatch: pytest.MonkeyPatch,
    job: TakenJob,
    prepare: Prepare,
    *,
    want: int = 1,
    **end: Any,
) -> None:
    await prepare(driver)
    before = await driver.dump()
    script = _straight_alone("finish", monkeypatch)
    use(lambda _: script)
    with pytest.raises(ResponseError, match="the straight way is left"):
        await driver.finish(settle(job, **end), want=want)
    _assert_unchanged(await driver.dump(), before)


async def test_a_job_whose_entry_is_refused_leaves_no_record_behind(driver: Driver) -> None:
    await driver.add("first")
    await driver.redis("XSETID", driver.keys.ready, "99999999999999-0")
    with pytest.raises(ResponseError, match="equal or smaller"):
        await driver.add("second")
    assert await driver.redis("EXISTS", driver.keys.job("second")) == 0

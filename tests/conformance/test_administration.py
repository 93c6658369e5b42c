"""Behaviours 57 and 58: waiting for results, and removing many jobs."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.driver import Driver, settle
from tests.support.flows import node
from tests.support.queue_dump import keys_left
from tests.support.waiting import until
from vqueue import Deduplication, JobFailed, JobNotFound, JobState, Queue
from vqueue.scripts import Scripts, Snapshots


async def test_a_result_of_a_job_that_has_ended_is_there_at_once(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("good", "bad")
    good, bad = (await driver.take(2)).jobs
    await driver.finish(settle(good, value=b"[1]"), settle(bad, "failed", value=b'"no"'))
    assert await queue.result("good") == [1]
    with pytest.raises(JobFailed, match="no"):
        await queue.result("bad")


@pytest.mark.parametrize("when", ["before the look", "after the look"])
@pytest.mark.parametrize("end", ["completed", "failed"])
@pytest.mark.parametrize("keep", ["-1 -1", "0 -1"])
async def test_an_end_between_subscribing_and_looking_is_not_missed(
    queue: Queue, driver: Driver, monkeypatch: pytest.MonkeyPatch, when: str, end: str, keep: str
) -> None:
    await driver.add("a")
    taken = [await driver.take_one()]
    snapshot = Scripts.snapshot

    async def finish() -> None:
        await driver.finish(*(settle(job, end, value=b'"late"', rule=keep) for job in taken))
        taken.clear()

    async def ends_meanwhile(scripts: Scripts, *, ids: Sequence[str]) -> Snapshots:
        if when == "before the look":
            await finish()
        reply = await snapshot(scripts, ids=ids)
        if when == "after the look":
            await finish()
        return reply

    monkeypatch.setattr(Scripts, "snapshot", ends_meanwhile)
    if end == "completed":
        assert await queue.result("a", timeout=10) == "late"
    else:
        with pytest.raises(JobFailed, match="late"):
            await queue.result("a", timeout=10)


@pytest.mark.parametrize("end", ["completed", "failed", "removed", "nothing"])
async def test_who_waits_for_a_result_hears_of_its_end_its_removal_or_the_time_that_is_out(
    queue: Queue, driver: Driver, end: str
) -> None:
    await driver.add("a")
    waiter = asyncio.create_task(queue.result("a", timeout=0.05 if end == "nothing" else 10))
    if end == "nothing":
        with pytest.raises(TimeoutError, match=r"a has not ended within 0\.05 s"):
            await waiter
        assert await driver.state("a") == "waiting"
        return
    await _subscribed(driver)
    if end == "removed":
        assert await queue.remove("a")
        with pytest.raises(JobNotFound):
            await waiter
        return
    await driver.finish(settle(await driver.take_one(), end, value=b'"told"'))
    if end == "completed":
        assert await waiter == "told"
    else:
        with pytest.raises(JobFailed, match="told"):
            await waiter


async def _subscribed(driver: Driver) -> None:
    async def is_blocked() -> bool:
        clients = await driver.redis("CLIENT", "LIST")
        return any(b"cmd=xread " in line and b"flags=b" in line for line in clients.splitlines())

    await until(is_blocked, what="the reader of events")


async def fill(queue: Queue, driver: Driver) -> None:
    """Put two jobs into each state, with what jobs may have beside them."""
    for end in ("completed", "failed"):
        await driver.add(f"{end}-1", f"{end}-2")
        jobs = (await driver.take(2)).jobs
        lines = [(job.id.decode(), job.token, 1, "a line") for job in jobs]
        await driver.scripts.log(consumer="w1", keep=9, lines=lines)
        await driver.finish(*(settle(job, end, progress=b"1") for job in jobs))
    await driver.add("active-1", "active-2")
    await driver.take(2)
    for n in (1, 2):
        await queue.add("task", job_id=f"waiting-{n}", deduplication=Deduplication(id=f"w{n}"))
        await queue.add("task", job_id=f"prioritized-{n}", priority=n)
        await queue.add("task", job_id=f"delayed-{n}", delay=60)
        await queue.add_flow(node(f"parent-{n}", node(f"child-{n}", delay=60)))


async def counts_of(queue: Queue) -> dict[str, int]:
    """How many jobs are in which state, without those that hold none."""
    return {state.value: n for state, n in (await queue.get_job_counts()).items() if n}


async def keys_of(driver: Driver, *job_ids: str) -> list[str]:
    """The keys that belong to jobs, tombstones apart."""
    names = (await driver.dump()).types
    return [
        name
        for name in names
        if name.startswith("j:") and name.removeprefix("j:").partition(":")[0] in job_ids
    ]


async def test_clean_drain_and_obliterate_leave_the_right_counts_and_no_keys_of_what_is_gone(
    queue: Queue, driver: Driver
) -> None:
    await fill(queue, driver)
    all_states = {
        **{"waiting": 2, "prioritized": 2, "delayed": 4, "waiting-children": 2},
        **{"active": 2, "completed": 2, "failed": 2},
    }
    assert await counts_of(queue) == all_states

    for state in (JobState.COMPLETED, JobState.FAILED):
        removed = await queue.clean(state=state)
        assert sorted(removed) == [f"{state}-1", f"{state}-2"]
        assert await keys_of(driver, *removed) == []
    del all_states["completed"], all_states["failed"]
    assert await counts_of(queue) == all_states

    assert await queue.drain() == 4
    gone = [f"{state}-{n}" for state in ("waiting", "prioritized") for n in (1, 2)]
    assert await keys_of(driver, *gone) == []
    assert await queue.get_deduplication_job_id("w1") is None
    assert await counts_of(queue) == {"delayed": 4, "waiting-children": 2, "active": 2}
    assert await queue.drain(delayed=True) == 4
    # the parents, whose children are gone, are free
    assert await counts_of(queue) == {"waiting": 2, "active": 2}

    await queue.obliterate(force=True)
    assert await counts_of(queue) == {}
    assert await keys_left(driver.client, driver.keys) == {"ev"}

"""Slots: handlers run one after the other in the same task and do not see each other."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from vqueue.activation import Activation, Take
from vqueue.attempt import Handler
from vqueue.job import Job
from vqueue.options import KEEP_ALL
from vqueue.outcome import Outcome, OutcomePolicy
from vqueue.record import TakenJob
from vqueue.slots import Slots

_POLICY = OutcomePolicy(remove_on_complete=KEEP_ALL.to_wire(), remove_on_fail=KEEP_ALL.to_wire())


def activations(count: int) -> list[Activation]:
    """Jobs named by their number, as a take would bring them."""
    take = Take("q", "w1", 1, since=0.0, reports=None)  # type: ignore[arg-type]
    return [
        Activation(TakenJob(b"%d" % n, b"1-%d" % n, b'1-%d\n\n"task"\n\nnull' % n), take)
        for n in range(count)
    ]


async def run_all(
    handler: Handler,
    jobs: list[Activation],
    *,
    meanwhile: Callable[[list[Activation]], Any] | None = None,
) -> dict[str, Outcome | None]:
    """Run the jobs to their ends; return their outcomes."""
    outcomes: dict[str, Outcome | None] = {}
    all_ended = asyncio.Event()

    def ended(activation: Activation, outcome: Outcome | None) -> None:
        outcomes[activation.job_id] = outcome
        if len(outcomes) == len(jobs):
            all_ended.set()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        slots = Slots(group, handler, _POLICY, ended)
        slots.start(jobs)
        if meanwhile is not None:
            await meanwhile(jobs)
        await all_ended.wait()
        slots.close()
    return outcomes


async def test_every_job_runs_once_and_those_that_do_not_wait_share_slots() -> None:
    tasks, ran = set(), []

    async def handler(job: Job) -> None:
        ran.append(job.id)
        tasks.add(asyncio.current_task())

    outcomes = await run_all(handler, activations(200))
    assert sorted(ran, key=int) == [str(n) for n in range(200)]
    assert {outcome and outcome.kind for outcome in outcomes.values()} == {"completed"}
    assert len(tasks) <= 8


async def test_jobs_that_wait_run_at_the_same_time() -> None:
    all_there = asyncio.Barrier(50)

    async def handler(_: Job) -> None:
        await all_there.wait()

    assert len(await run_all(handler, activations(50))) == 50


async def test_context_variables_of_one_job_are_not_seen_by_the_next() -> None:
    variable: ContextVar[str] = ContextVar("variable")
    seen = []

    async def handler(job: Job) -> None:
        seen.append(variable.get(None))
        variable.set(job.id)

    await run_all(handler, activations(30))
    assert seen == [None] * 30


@pytest.mark.parametrize("ends", ["by itself", "when it is cancelled"])
async def test_a_cancellation_does_not_reach_the_next_job(ends: str) -> None:
    lost, following = activations(2)
    tasks = []

    async def handler(job: Job) -> None:
        tasks.append(asyncio.current_task())
        if job.id == lost.job_id:
            lost.lose()
            if ends == "when it is cancelled":
                await asyncio.sleep(60)
            return
        await asyncio.sleep(0)
        # a task that was cancelled would take this for a cancellation of the worker
        raise asyncio.CancelledError

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        ended: asyncio.Queue[tuple[Activation, Outcome | None]] = asyncio.Queue()
        slots = Slots(group, handler, _POLICY, lambda *end: ended.put_nowait(end))
        slots.start([lost])
        assert (await ended.get())[0] is lost
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # its slot is idle again
        slots.start([following])
        _, outcome = await ended.get()
        slots.close()
    assert outcome is not None
    assert outcome.kind == "failed"
    assert tasks[0] is tasks[1]


async def test_a_job_lost_before_it_began_is_not_run() -> None:
    first, *others = activations(3)
    first.lose()
    ran = []

    async def handler(job: Job) -> None:
        ran.append(job.id)

    outcomes = await run_all(handler, [first, *others])
    assert ran == [activation.job_id for activation in others]
    assert outcomes[first.job_id] is None


async def test_closed_slots_are_told_of_nothing_more_to_run() -> None:
    # the last finish of a closing worker brings no jobs, after the group has ended
    slots: list[Slots] = []

    async def handler(_: Job) -> None:
        await asyncio.sleep(0)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        ended: asyncio.Queue[tuple[Activation, Outcome | None]] = asyncio.Queue()
        slots.append(Slots(group, handler, _POLICY, lambda *end: ended.put_nowait(end)))
        slots[0].start(activations(20))
        for _ in range(20):
            await ended.get()
        slots[0].close()
    slots[0].start([])


async def test_a_cancelled_group_ends_the_handlers_and_the_idle_slots() -> None:
    began = asyncio.Event()

    async def handler(_: Job) -> None:
        began.set()
        await asyncio.sleep(60)

    async def cancel_the_group(_: list[Activation]) -> None:
        await began.wait()
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run_all(handler, activations(3), meanwhile=cancel_the_group)

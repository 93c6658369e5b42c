"""Cases of the scripts that know of parents and children."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from benchmarks.script_cases.bench import Bench, case, grouped
from tests.support.driver import settle
from tests.support.flows import node
from vqueue.edit_scripts import Resets
from vqueue.flows import FlowJob, FlowProducer, chain
from vqueue.scripts import MAX_HELD_BATCH

#: Children of a parent that fills a call of add_flow, and those when some have a group.
_CHILDREN, _GROUPED = 249, 99
_NO_RESETS = Resets(made=False, started=False)


def _family() -> FlowJob:
    return node("root", *(node(f"c{number}") for number in range(_CHILDREN)))


def _layers() -> FlowJob:
    """Two groups one after the other: as many links as a flow may have."""
    groups = [[node(f"{step}{number}") for number in range(44)] for step in "ab"]
    return chain(*groups, node("root"))


@case("add_flow", "a parent of 249 jobs")
async def _add_flow(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add_flows(_family())


@case("add_flow", "the same again")
async def _repeat_flow(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_flows(_family())
    yield
    await bench.add_flows(_family())


@case("add_flow", "2000 links between 89 jobs")
async def _add_layers(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add_flows(_layers())


@case("add_flow", "the same links again")
async def _repeat_layers(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_flows(_layers())
    yield
    await bench.add_flows(_layers())


@case("add_flow", "a parent of 99 jobs of as many groups")
async def _add_grouped_flow(bench: Bench) -> AsyncGenerator[None, None]:
    children = [FlowJob(name="x", options=grouped(n).options) for n in range(_GROUPED)]
    yield
    await bench.add_flows(node("root", *children))


@case("add_flow", "200 parents of a job that has completed")
async def _join_ended(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_parents(200, node("child"))
    await bench.finish(await bench.take(1))
    shared = node("child")
    roots = [node(f"q{number}", shared) for number in range(200)]
    yield
    await bench.add_flows(*roots)


@case("finish", "100 jobs of one parent")
async def _finish_children(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.add_flow(_family())
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.finish(taken)


@case("finish", "one job of 100 parents, and takes 100")
async def _finish_child(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_parents(MAX_HELD_BATCH, node("child"))
    taken = await bench.take(1)
    yield
    await bench.finish(taken, want=MAX_HELD_BATCH)


@case("finish", "100 jobs of 2000 parents each")
async def _finish_shared(bench: Bench) -> AsyncGenerator[None, None]:
    for job_id in await bench.add(MAX_HELD_BATCH):
        await bench.give_parents(job_id, 2000)
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.finish(taken)


@case("tell_parents", "100 parents of a job with 2000")
async def _tell_parents(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_parents(2000, node("child"))
    await bench.finish(await bench.take(1))
    yield
    await bench.scripts.tell_some_parents()


@case("retry", "a job of 500 parents that wait for others, too")
async def _rejoin_parents(bench: Bench) -> AsyncGenerator[None, None]:
    shared, other = node("child"), node("other", delay=60)
    async with FlowProducer(bench.driver.redis_url) as producer:
        for start in range(0, 500, 100):
            numbers = range(start, start + 100)
            roots = [node(f"p{n}", shared, other, queue_name=bench.queue.name) for n in numbers]
            await producer.add_bulk(roots)
    (child,) = await bench.take(1)
    await bench.driver.finish(settle(child))
    await bench.scripts.tell_parents()
    yield
    await bench.scripts.retry(resets=_NO_RESETS, state="completed", job_id="child")


@case("retry", "a parent of 2000 failed jobs")
async def _forgive(bench: Bench) -> AsyncGenerator[None, None]:
    (parent,) = await bench.add(1)
    await bench.driver.finish(settle((await bench.take(1))[0], "failed"))
    failed = (value for number in range(2000) for value in (f"other:{number}", '"broken"'))
    await bench.driver.redis("HSET", f"{bench.driver.keys.job(parent)}:bad", *failed)
    await bench.driver.redis("HSET", bench.driver.keys.meta, "flows", 1)
    yield
    await bench.scripts.retry(resets=_NO_RESETS, state="failed", job_id=parent)


@case("remove", "a parent and 249 jobs under it")
async def _remove(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.add_flow(_family())
    yield
    await bench.scripts.remove(job_id="root", children=True)


@case("remove_unprocessed_children", "50 jobs of one parent")
async def _remove_children(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.add_flow(_family())
    refs = [f"{bench.queue.name}:c{number}" for number in range(100)]
    yield
    await bench.scripts.remove_unprocessed_children(job_id="root", children=refs)


@case("remove_unprocessed_children", "a job with 249 under it")
async def _remove_child(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.add_flow(_family())
    top = f"{bench.queue.name}:top"
    await bench.queue.add_flow(node("top", node("other"), delay=60))
    await bench.queue.add_children(top, [_family()])
    refs = [f"{bench.queue.name}:root"]
    yield
    await bench.scripts.remove_unprocessed_children(job_id="top", children=refs)


@case("remove_child_dependency", "100 parents of a job")
async def _part(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_parents(100, node("child"))
    yield
    await bench.scripts.remove_child_dependency(job_id="child", parent="")

"""Cases of the scripts that remove jobs, and of settings that concern many groups."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from benchmarks.script_cases.bench import Bench, case
from tests.support.flows import node
from vqueue.flows import FlowProducer
from vqueue.scripts import MAX_BATCH


@case("clean", "100 jobs")
async def _clean(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(MAX_BATCH)
    yield
    await bench.queue.clean(0, limit=100)


@case("retain", "250 jobs")
async def _retain(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(1500)
    yield
    await bench.scripts.retain(completed="10 0", failed="10 0")


@case("sweep_orphans", "50 records of jobs that are in no place")
async def _sweep_orphans(bench: Bench) -> AsyncGenerator[None, None]:
    ids = await bench.add(50)
    await bench.driver.redis("DEL", bench.driver.keys.ready)
    yield
    await bench.scripts.sweep_orphans(names=[f"j:{job_id}" for job_id in ids])


@case("sweep_orphans", "50 children of as many parents in another queue, after obliterate")
async def _sweep_children(bench: Bench) -> AsyncGenerator[None, None]:
    children = [node(f"child-{n}", queue_name=bench.queue.name) for n in range(50)]
    async with FlowProducer(bench.driver.redis_url) as producer:
        await producer.add_bulk(
            [node(f"parent-{n}", child, queue_name="above") for n, child in enumerate(children)]
        )
    await bench.scripts.obliterate(force=False)
    yield
    await bench.scripts.sweep_orphans(names=[f"j:child-{n}" for n in range(50)])


@case("forget_consumers", "250 consumers")
async def _forget_consumers(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(1)
    names = [f"w{number}" for number in range(MAX_BATCH)]
    for name in names:
        await bench.driver.redis(
            "XGROUP", "CREATECONSUMER", bench.driver.keys.ready, "workers", name
        )
    yield
    await bench.scripts.forget_consumers(stream="ready", group="workers", names=names)


@case("set_group", "100 groups")
async def _set_groups(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_grouped(MAX_BATCH)
    yield
    await bench.scripts.set_group(group_id="", start=0, settings={"concurrency": 5})

"""How long the scripts hold Redis, with the largest inputs that the library gives them.

    python -m benchmarks.script_times [--repeats 5] [--most-jobs 1000000] [--only NAME]

Starts a valkey-server. The times are CPU times of its main thread (INFO cpu), which other programs
on the machine do not add to; reading the call and writing the reply are in them. Of the repeats the
shortest and the middle one are printed. Then pages of 250 jobs, from the middle of ever more jobs:
what a page costs must not grow with them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path

from benchmarks.script_cases import CASES, Bench, Case
from devstack import Valkey
from tests.support.driver import Driver
from vqueue import JobState, Queue
from vqueue.scripts import MAX_BATCH

_PAGES = 5
_COUNTS = (1000, 10_000, 100_000, 1_000_000)


async def _cpu_ms(driver: Driver) -> float:
    """Return what the server's main thread has worked since its start."""
    told = dict(
        line.split(b":", 1) for line in (await driver.redis("INFO", "cpu")).split() if b":" in line
    )
    return 1000 * sum(float(told[b"used_cpu_%b_main_thread" % kind]) for kind in (b"sys", b"user"))


async def _time(case: Case, url: str) -> float:
    driver = Driver(url, "bench")
    try:
        await driver.redis("FLUSHALL")
        async with (
            Queue("bench", url) as queue,
            aclosing(case.run(Bench(queue=queue, driver=driver))) as steps,
        ):
            await anext(steps)
            before = await _cpu_ms(driver)
            async for _ in steps:
                raise AssertionError(f"case {case.given} yields twice")
            return await _cpu_ms(driver) - before
    finally:
        await driver.close()


async def _print_cases(url: str, repeats: int, only: str) -> None:
    print("| script | given | shortest ms | median ms |\n|---|---|---|---|")
    for case in CASES:
        if only in case.script:
            times = [await _time(case, url) for _ in range(repeats)]
            median = statistics.median(times)
            print(f"| `{case.script}` | {case.given} | {min(times):.1f} | {median:.1f} |")


async def _page_ms(driver: Driver, state: JobState, cursor: str) -> float:
    """Return the shortest time of some pages behind a cursor."""
    times = []
    for _ in range(_PAGES):
        before = await _cpu_ms(driver)
        _, page = await driver.scripts.page(
            state=state.value, cursor=cursor, limit=MAX_BATCH, is_rising=True
        )
        assert len(page) == MAX_BATCH
        times.append(await _cpu_ms(driver) - before)
    return min(times)


async def _cursor(driver: Driver, state: JobState, middle: int) -> str:
    """Return the cursor of a page that ends in the middle of the jobs."""
    if state is JobState.WAITING:
        record = await driver.redis("GET", driver.keys.job(f"{middle:032x}"))
        return f"r{record.split()[0].decode()}"
    found = await driver.redis("ZRANGE", driver.keys.delayed, middle, middle, "WITHSCORES")
    member, score = (value.decode() for value in found)
    return f"z{score} {member}"


async def _print_pages(url: str, most: int) -> None:
    print("\n| state | jobs | ms of a page |\n|---|---|---|")
    driver = Driver(url, "bench")
    for state, delay_ms in ((JobState.WAITING, 0), (JobState.DELAYED, 3_600_000)):
        await driver.redis("FLUSHALL")
        async with Queue("bench", url) as queue:
            bench, there = Bench(queue=queue, driver=driver), 0
            for jobs in (count for count in _COUNTS if count <= most):
                await bench.add(jobs - there, first=there, delay_ms=delay_ms)
                there = jobs
                cost = await _page_ms(driver, state, await _cursor(driver, state, jobs // 2))
                print(f"| {state.value} | {jobs:,} | {cost:.2f} |")
    await driver.close()


async def _run(url: str, repeats: int, most_jobs: int, only: str) -> None:
    driver = Driver(url, "bench")
    await driver.scripts.load("page", *{case.script for case in CASES})
    await driver.close()
    await _print_cases(url, repeats, only)
    if only in "page":
        await _print_pages(url, most_jobs)


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--most-jobs", type=int, default=1_000_000)
    parser.add_argument(
        "--only", default="", metavar="NAME", help="scripts with this in their name"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as server:
        url = server.settings()["REDIS_URL"]
        asyncio.run(_run(url, options.repeats, options.most_jobs, options.only))
    return 0


if __name__ == "__main__":
    sys.exit(main())

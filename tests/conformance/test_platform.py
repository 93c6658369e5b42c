"""Three behaviours that BullMQ has no test for: a restart, a failover, two versions at once."""

import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devstack import Valkey
from tests.conformance.processes import SOURCE, worker_process
from tests.support.driver import Driver, fsync_always, ids, settle
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Job, NewJob, Queue, Worker

#: The library before its scripts were laid out anew, see the README beside it.
EARLIER = Path(__file__).parent / "earlier" / "vqueue-1e2edf0.zip"

#: Seconds.
LEASE = 0.6


async def _echo(job: Job) -> Any:
    return job.data


async def test_a_redis_with_aof_that_restarts_in_mid_run_loses_no_job(
    tmp_path: Path, queue_name: str
) -> None:
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        await fsync_always(url)
        async with Queue(queue_name, url, repeat_for=30) as queue:
            added = await queue.add_bulk(NewJob(name="task", data=n) for n in range(500))
            async with Worker(queue_name, _echo, url, concurrency=20):

                async def half_way() -> bool:
                    return (await queue.get_job_counts())["completed"] >= 100

                await until(half_way, what="a part of the jobs")
                server.kill()
                server.start()
                jobs = await ended(queue, *(job.id for job in added))
        driver = Driver(server.settings()["REDIS_URL"], queue_name)
        await driver.check(idle=True)
        await driver.close()
    assert [job.returnvalue for job in jobs] == list(range(500))
    assert {job.attempts_made for job in jobs} == {1}


async def test_a_replica_that_did_not_hear_of_a_take_gives_the_job_to_another_worker(
    tmp_path: Path, queue_name: str
) -> None:
    with Valkey(tmp_path / "primary") as primary, Valkey(tmp_path / "replica") as replica:
        before = Driver(primary.settings()["REDIS_URL"], queue_name)
        after = Driver(replica.settings()["REDIS_URL"], queue_name)
        at = urlsplit(before.redis_url)
        assert at.hostname is not None
        assert at.port is not None
        await after.redis("REPLICAOF", at.hostname, at.port)
        await before.add("heard", "unheard")
        heard = await before.take_one(consumer="first")

        async def is_replicated() -> bool:
            return bool(await before.redis("WAIT", 1, 100))

        await until(is_replicated, what="the replica")
        await after.redis("REPLICAOF", "NO", "ONE")
        unheard = await before.take_one(consumer="first")
        # the primary is gone: what it did since then never happened
        settlements = [settle(job, consumer="first") for job in (heard, unheard)]
        reply = await after.finish(*settlements, consumer="first")
        assert reply.statuses == [1, 0]
        taken = await after.take(2, consumer="second")
        assert ids(taken) == ["unheard"]
        # one entry, two activations: their consumers tell them apart
        assert taken.jobs[0].token == unheard.token
        late = await after.finish(settle(unheard, consumer="first"), consumer="first")
        assert late.statuses == [0]
        done = await after.finish(settle(taken.jobs[0], consumer="second"), consumer="second")
        assert done.statuses == [1]
        await after.check(idle=True)
        await before.close()
        await after.close()


async def test_two_versions_of_the_library_work_on_one_queue(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    """Each ends what the other has added, and takes over what the other held when it died."""
    names = _script_names(EARLIER) | _script_names(SOURCE)
    assert len(names) == 12, "the versions share scripts: keep one that has other texts"
    async with AsyncExitStack() as stack:
        earlier, present = (
            stack.enter_context(worker_process(driver, lease=LEASE, concurrency=2, library=library))
            for library in (EARLIER, SOURCE)
        )
        held = [(await queue.add("task")).id for _ in range(4)]
        for job_id in held:
            await earlier.tells(f"started {job_id}")
        owners = {job.consumer for job in await queue.get_jobs(held) if job}
        assert len(owners) == 2
        present.kill()
        await driver.redis("RPUSH", f"go:{queue_name}", *["go"] * 4)
        jobs = await ended(queue, *held)
        assert {job.state for job in jobs} == {"completed"}
        assert sorted(job.stalled_count for job in jobs) == [0, 0, 1, 1]
        assert len({job.consumer for job in jobs}) == 1

        await queue.add("parent", job_id="parent")
        await earlier.tells("added children")
        earlier.kill()
    async with Worker(queue_name, _after_children, redis_url, lock_duration=LEASE):
        (parent, *children) = await ended(queue, "parent", "parent-1", "parent-2")
    assert {job.state for job in (parent, *children)} == {"completed"}
    assert (parent.stalled_count, parent.returnvalue) == (1, ["parent-1", "parent-2"])
    await driver.check(idle=True)


async def _after_children(job: Job) -> Any:
    if job.name == "parent":
        await job.move_to_waiting_children()
        return sorted((await job.get_children_values()).values())
    return job.id


def _script_names(library: Path) -> set[str]:
    """By which names the server knows the scripts that each job goes through."""
    program = (
        "from vqueue.script_calls import load_script\n"
        "for name in ('add', 'add_flow', 'take', 'finish', 'heartbeat', 'sweep'):\n"
        "    print(load_script(name).sha)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(library)},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(told.stdout.split())

"""Three behaviours that BullMQ has no test for: a restart, a failover, two versions at once."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devstack import Valkey
from tests.support.driver import Driver, fsync_always, ids, settle
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Job, NewJob, Queue, Worker
from vqueue.script_calls import Script
from vqueue.scripts import Scripts


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


class _OtherVersion(Scripts):
    """The scripts under other names, as another version of the library would have them."""

    async def _evaluate(self, script: Script, args: tuple[Any, ...]) -> Any:
        text = script.text + "\n-- of another version"
        sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        return await super()._evaluate(Script(script.name, text, sha), args)


async def test_two_versions_of_the_library_work_on_one_queue(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    other = Driver(redis_url, queue_name)
    other.scripts = _OtherVersion(other.client, other.keys)
    await other.add("a", "b")
    await driver.add("c")
    assert ids(await driver.take(1, consumer="new")) == ["a"]
    held = (await other.take(1, consumer="old")).jobs
    assert [job.id for job in held] == [b"b"]
    await driver.sweep(dead="new")
    assert ids(await other.take(1, consumer="old")) == ["a"]
    async with Worker(queue_name, _echo, redis_url):
        await ended(queue, "c")
    assert (await other.finish(*map(_as_old, held), consumer="old")).statuses == [1]
    assert await driver.state("b") == "completed"
    await other.close()


def _as_old(job: Any) -> Any:
    return settle(job, consumer="old")

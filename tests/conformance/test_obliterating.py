"""A queue that is obliterated again and again, beside its producers and workers.

Each run has other dice and prints their seed; OBLITERATE_SEED=<seed> throws the same again.
"""

import asyncio
import os
import random
import secrets

from tests.support.driver import Driver
from tests.support.flows import node
from tests.support.queue_dump import keys_left
from tests.support.waiting import until
from vqueue import Deduplication, FlowProducer, Job, JobNotFound, JobState, NewJob, Queue, Worker
from vqueue.options import JobOptions

ROUNDS = 12
#: Few, so that an id is added while what it named before is looked for.
IDS = 20
GROUPS = ("a", "b", "c")


class Producers:
    """Add jobs of all kinds to a queue, and parents of them to another, until they are stopped."""

    def __init__(
        self, dice: random.Random, queue: Queue, above: Queue, flows: FlowProducer
    ) -> None:
        self._dice = dice
        self._queue = queue
        self._above = above
        self._flows = flows
        self._parents = 0
        self.is_stopped = False
        #: Those who wait for results: each gets one, or hears that its job is gone.
        self.waiting: list[asyncio.Task[object]] = []

    async def run(self) -> None:
        """Add until stopped."""
        while not self.is_stopped:
            await self._add()

    async def _add(self) -> None:
        dice, queue = self._dice, self._queue
        job_id = f"job-{dice.randrange(IDS)}"
        match dice.randrange(6):
            case 0:
                await queue.add("task", job_id=job_id, delay=dice.choice([0, 0.01, 60]))
            case 1:
                unique = Deduplication(id="d", ttl=dice.choice([None, 60]))
                await queue.add("task", deduplication=unique)
            case 2:
                jobs = [NewJob(name="task", options=JobOptions(group=g)) for g in GROUPS * 3]
                await queue.add_bulk(jobs)
            case 3:
                group = dice.choice(GROUPS)
                await queue.set_group_concurrency(dice.choice([None, 1, 2]), group)
                await queue.pause_group(dice.choice(GROUPS))
                await queue.resume_group(group)
            case 4:
                self._parents += 1
                child = node(job_id, queue_name=queue.name, delay=dice.choice([0, 60]))
                parent = f"parent-{self._parents}"
                await self._flows.add(node(parent, child, queue_name=self._above.name))
            case _:
                await queue.add("task", job_id=job_id)
                self.waiting.append(asyncio.ensure_future(queue.result(job_id)))


async def test_nobody_waits_for_ever_for_a_queue_that_is_obliterated_again_and_again(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    seed = int(os.environ.get("OBLITERATE_SEED") or secrets.randbits(32))
    dice = random.Random(seed)  # noqa: S311 - not a secret

    async def handler(job: Job) -> None:
        await asyncio.sleep(dice.uniform(0, 0.005))

    async with (
        FlowProducer(redis_url) as flows,
        Queue(f"{queue_name}-above", redis_url) as above,
        Worker(queue_name, handler, redis_url, concurrency=4, lock_duration=1) as worker,
        Worker(above.name, handler, redis_url, concurrency=4),
    ):
        producers = Producers(dice, queue, above, flows)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(producers.run())
            for _ in range(ROUNDS):
                await asyncio.sleep(dice.uniform(0, 0.05))
                await queue.obliterate(force=True)
            producers.is_stopped = True
        # what was held back, or is due in a minute, goes on
        for group in GROUPS:
            await queue.resume_group(group)
        await queue.promote_jobs()

        async def have_ended(one: Queue) -> bool:
            counts = await one.get_job_counts()
            return not any(n for state, n in counts.items() if state is not JobState.COMPLETED)

        await until(lambda: have_ended(queue), what="the end of the last jobs", deadline=30)
        await until(lambda: have_ended(above), what="the end of the parents", deadline=30)
        async with asyncio.timeout(30):
            ends = await asyncio.gather(*producers.waiting, return_exceptions=True)
        assert {type(end) for end in ends} <= {type(None), JobNotFound}
        assert await queue.remove_orphaned_jobs() == 0
        await driver.check(idle=True)
        await worker.close()
        await queue.obliterate()
        assert await keys_left(driver.client, driver.keys) == {"ev"}

"""Serializers: data and results in a form of one's own, read wherever it is registered."""

import asyncio
import pickle
import zlib
from typing import Any

import pytest

from tests.support.driver import Driver
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import (
    FlowJob,
    FlowProducer,
    InvalidOption,
    Job,
    JobState,
    NewJob,
    PayloadUnreadable,
    Queue,
    QueueEvents,
    Repeat,
    Worker,
    register_serializer,
)


class Pickled:
    """Python's own form, compressed: bytes that are no JSON, with line breaks in them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def dumps(self, value: Any) -> bytes:
        """Refuse what pickle refuses."""
        return b"\n" + zlib.compress(pickle.dumps(value))

    def loads(self, raw: bytes) -> Any:
        """The tests trust what they wrote."""
        return pickle.loads(zlib.decompress(raw[1:]))  # noqa: S301


class Scrambled(Pickled):
    """A form that only the right key reads."""

    def __init__(self, name: str, key: int) -> None:
        super().__init__(name)
        self._key = key

    def dumps(self, value: Any) -> bytes:
        return bytes(byte ^ self._key for byte in super().dumps(value))

    def loads(self, raw: bytes) -> Any:
        return super().loads(bytes(byte ^ self._key for byte in raw))


DATA = {"when": complex(1, 2), "what": {1, 2, 3}, "raw": b"\n\x00"}


async def test_data_and_results_come_back_as_they_were(
    redis_url: str, queue_name: str, driver: Driver
) -> None:
    pickled = Pickled("pickled")

    async def handler(job: Job) -> Any:
        assert job.data == DATA
        await job.update_data({"step": {4}})
        return {"seen": job.data["step"]}

    async with (
        Queue(queue_name, redis_url, serializer=pickled) as queue,
        QueueEvents(queue_name, redis_url) as events,
        Worker(queue_name, handler, redis_url, serializer=pickled),
    ):
        job = await queue.add("task", DATA)
        (done,) = await ended(queue, job.id)
        assert (done.data, done.returnvalue) == ({"step": {4}}, {"seen": {4}})
        async for event in events:
            if event.name == "completed":
                assert event.data["returnvalue"] == {"seen": {4}}
                break
        await queue.update_data(job.id, {5})
        again = await queue.get_job(job.id)
        assert again is not None
        assert again.data == {5}
    assert b"step" not in (await driver.redis("GET", driver.keys.job(job.id)))


async def test_data_of_every_way_in_are_written_by_the_serializer(
    redis_url: str, queue_name: str
) -> None:
    async with Queue(queue_name, redis_url, serializer=Pickled("pickled")) as queue:
        await queue.add_bulk([NewJob(name="task", data={n}) for n in range(2)])
        await queue.upsert_job_scheduler("s", Repeat(every=3600), NewJob(name="task", data={2}))
        scheduler = await queue.get_job_scheduler("s")
        assert scheduler is not None
        assert scheduler.data == {2}
        page = await queue.get_jobs_in(JobState.WAITING, JobState.DELAYED)
        assert {number for job in page.jobs for number in job.data} == {0, 1, 2}


async def test_partial_results_are_written_by_the_serializer(
    redis_url: str, queue_name: str, driver: Driver
) -> None:
    pickled = Pickled("pickled")

    async def handler(job: Job) -> None:
        await job.send_partial({"seen", 1})

    async with (
        Queue(queue_name, redis_url) as queue,
        Worker(queue_name, handler, redis_url, serializer=pickled),
    ):
        job = await queue.add("task")
        async with queue.partial_results(job.id) as partials, asyncio.timeout(30):
            assert [partial.value async for partial in partials] == [{"seen", 1}]
    ((_, (_, raw)),) = await driver.redis("XRANGE", driver.keys.partials(job.id), "-", "+")
    assert b"seen" not in raw
    assert b"pickled" in raw


async def test_jobs_of_a_flow_and_their_results_are_written_by_the_serializer(
    redis_url: str, queue_name: str
) -> None:
    pickled = Pickled("pickled")

    async def handler(job: Job) -> Any:
        return (job.data, list((await job.get_children_values()).values()))

    flow = FlowJob(
        name="parent",
        queue_name=queue_name,
        data={"parent"},
        children=[FlowJob(name="child", data={"child"})],
    )
    async with (
        FlowProducer(redis_url, serializer=pickled) as producer,
        Queue(queue_name, redis_url, serializer=pickled) as queue,
        Worker(queue_name, handler, redis_url, serializer=pickled),
    ):
        for node in (await producer.add(flow), await queue.add_flow(flow)):
            (done,) = await ended(queue, node.job.id)
            assert done.returnvalue == ({"parent"}, [({"child"}, [])])


async def test_plain_values_beside_those_of_a_serializer_stay_readable(
    redis_url: str, queue_name: str, queue: Queue
) -> None:
    plain = await queue.add("task", {"~": 1})
    async with Queue(queue_name, redis_url, serializer=Pickled("pickled")) as packing:
        packed = await packing.add("task", {1})
        jobs = await packing.get_jobs([plain.id, packed.id])
    assert [job and job.data for job in jobs] == [{"~": 1}, {1}]


async def test_who_does_not_know_the_serializer_sees_that_there_is_one(
    redis_url: str, queue_name: str, driver: Driver, queue: Queue
) -> None:
    await driver.add("job", data=b'{"~serializer":"unheard-of","~":"eHl6"}')
    job = await queue.get_job("job")
    assert job is not None
    assert job.data == {"~serializer": "unheard-of", "~": "eHl6"}


async def test_a_value_of_a_former_key_is_read_when_that_is_registered(
    redis_url: str, queue_name: str
) -> None:
    async with Queue(queue_name, redis_url, serializer=Scrambled("key-1", 77)) as queue:
        old = await queue.add("task", {"secret": 1})
    register_serializer(Scrambled("key-1", 77))
    async with Queue(queue_name, redis_url, serializer=Scrambled("key-2", 99)) as queue:
        new = await queue.add("task", {"secret": 2})
        jobs = await queue.get_jobs([old.id, new.id])
    assert [job and job.data for job in jobs] == [{"secret": 1}, {"secret": 2}]


async def test_a_job_that_the_serializer_cannot_read_fails_alone(
    redis_url: str, queue_name: str
) -> None:
    async with Queue(queue_name, redis_url, serializer=Scrambled("key", 77)) as queue:
        locked = await queue.add("task", 1, attempts=5)
        register_serializer(Scrambled("key", 99))  # somebody else's under the same name
        with pytest.raises(PayloadUnreadable, match="serializer key cannot be read"):
            await queue.get_job(locked.id)

        async def handler(job: Job) -> Any:
            return job.data

        async with Worker(queue_name, handler, redis_url):

            async def has_failed() -> bool:
                return (await queue.get_job_counts())[JobState.FAILED] == 1

            await until(has_failed, what="the job to fail")
        register_serializer(Scrambled("key", 77))
        (failed,) = await ended(queue, locked.id)
    assert failed.failed_reason is not None
    assert "its payload cannot be read" in failed.failed_reason
    assert failed.attempts_made == 1


async def test_what_a_serializer_refuses_is_refused(redis_url: str, queue_name: str) -> None:
    async with Queue(queue_name, redis_url, serializer=Pickled("pickled")) as queue:
        with pytest.raises(InvalidOption, match="cannot be encoded by serializer pickled"):
            await queue.add("task", lambda: None)


async def test_a_result_that_a_serializer_refuses_fails_the_job(
    redis_url: str, queue_name: str, queue: Queue
) -> None:
    async def handler(job: Job) -> Any:
        return lambda: None

    job = await queue.add("task")
    async with Worker(queue_name, handler, redis_url, serializer=Pickled("pickled")):
        (failed,) = await ended(queue, job.id)
    assert "cannot be encoded by serializer pickled" in (failed.failed_reason or "")

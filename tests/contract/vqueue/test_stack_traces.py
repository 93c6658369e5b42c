"""Stack traces: one per attempt that failed, the newest last, within limits."""

import pytest

from tests.support.workers import ended
from vqueue import InvalidOption, Job, Queue, Worker
from vqueue.record import Record, read_traces


def last_lines(job: Job) -> list[str]:
    """The last line of each trace."""
    return [trace.splitlines()[-1] for trace in job.stacktrace]


@pytest.mark.parametrize(
    ("options", "kept"),
    [({}, range(3, 13)), ({"stack_trace_limit": 2}, range(11, 13)), ({"stack_trace_limit": 0}, ())],
)
async def test_a_job_keeps_the_traces_of_its_last_attempts(
    queue: Queue, redis_url: str, queue_name: str, options: dict[str, int], kept: range
) -> None:
    async def handler(job: Job) -> None:
        raise ValueError(f"start {job.attempts_started}")

    added = await queue.add("task", attempts=12, **options)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert last_lines(job) == [f"ValueError: start {number}" for number in kept]


async def test_the_oldest_of_long_traces_go_first(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        raise ValueError("\u00e9" * 16000 + str(job.attempts_started))

    added = await queue.add("task", attempts=4)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert [line[-1] for line in last_lines(job)] == ["3", "4"]
    assert sum(len(trace.encode()) for trace in job.stacktrace) <= 65536


async def test_a_job_that_succeeds_at_last_keeps_its_traces_and_its_handler_sees_them(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> int:
        if job.attempts_started < 3:
            raise ValueError(f"start {job.attempts_started}")
        return len(job.stacktrace)

    added = await queue.add("task", attempts=3)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.returnvalue) == ("completed", 2)
    assert last_lines(job) == ["ValueError: start 1", "ValueError: start 2"]


async def test_a_job_that_is_cancelled_between_attempts_keeps_its_traces(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.attempts_started == 1:
            raise ValueError("start 1")
        await queue.cancel(job.id, reason="not wanted any more")
        raise ValueError("start 2")

    added = await queue.add("task", attempts=3)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert job.failed_reason == "cancelled: not wanted any more"
    assert last_lines(job)[0] == "ValueError: start 1"


async def test_a_negative_limit_is_refused(queue: Queue) -> None:
    with pytest.raises(InvalidOption, match="stack_trace_limit"):
        await queue.add("task", stack_trace_limit=-1)


def test_the_one_trace_of_a_former_version_is_read() -> None:
    raw = b'f\n0 1 1 0 5 4 5-0:w\n"task"\n\nnull\n\n"no"\n"Traceback: no"'
    assert read_traces(Record.parse(raw).stacks) == ("Traceback: no",)

"""Jobs as they are read: of what a take hands out, and of a snapshot."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from vqueue.codec import decode
from vqueue.errors import UnrecoverableError
from vqueue.expiry import expiry_of
from vqueue.job import Job, ResultSource
from vqueue.record import Record, Snapshot, TakenJob, read_traces
from vqueue.serializing import decode_payload
from vqueue.stall import read_stall
from vqueue.states import FINAL_STATES, JobState


def _seconds(ms: int) -> float | None:
    return ms / 1000 if ms else None


def _decoded(raw: bytes) -> Any:
    return decode(raw) if raw else None


def job_from_taken(
    taken: TakenJob, queue_name: str, consumer: str, taken_ms: int
) -> tuple[Job, UnrecoverableError | None]:
    """Build the active job that a handler gets.

    A job whose payload cannot be read, or that has expired, comes with the error that
    is to end it: it must not cost its neighbours anything.
    """
    record = Record.parse(taken.record)
    job = Job(id=taken.id.decode(), name="", data=None, queue_name=queue_name)
    job.state = JobState.ACTIVE
    job.processed_on = taken_ms / 1000
    job.consumer = consumer
    job._token = taken.token
    if record.history_line:
        history = record.history
        job.priority = history.priority
        job.attempts_made = history.made
        job.attempts_started = history.begun + 1
        job.stalled_count = history.stalls
        job.timestamp = history.added_ms / 1000
    else:
        job.attempts_started = 1
        job.timestamp = int(taken.token.partition(b"-")[0]) / 1000
    try:
        job.name = _decode_name(record.name)
        job.data = decode_payload(record.data)
        if record.options:
            job._options = decode(record.options)
        if record.progress:
            job.progress = decode(record.progress)
        if record.stacks:
            job.stacktrace = read_traces(record.stacks)
    except ValueError as error:
        return job, UnrecoverableError(f"job {job.id}: its payload cannot be read: {error}")
    return job, expiry_of(job) if job._options else None


@lru_cache(maxsize=256)
def _decode_name(raw: bytes) -> str:
    name: str = decode(raw)
    return name


def job_from_snapshot(
    job_id: str, snapshot: Snapshot, *, queue_name: str, queue: ResultSource | None = None
) -> Job:
    """Build a job from what snapshot.lua answered; `queue` is where its result can be had."""
    record = Record.parse(snapshot.record)
    data = decode_payload(snapshot.data or record.data)
    job = Job(id=job_id, name=_decode_name(record.name), data=data, queue_name=queue_name)
    job.state = JobState(snapshot.state)
    job._queue = queue
    job._options = _decoded(record.options) or {}
    if snapshot.stall:
        job.last_stall = read_stall(snapshot.stall)
    history = record.history
    job.timestamp = _seconds(history.added_ms)
    job.priority = history.priority
    job.attempts_made = history.made
    job.attempts_started = history.begun
    job.stalled_count = history.stalls
    job.stacktrace = read_traces(record.stacks)
    job.progress = _decoded(snapshot.progress or record.progress)
    job.processed_on = _seconds(history.started_ms)
    if job.state is JobState.COMPLETED:
        job.returnvalue = decode_payload(record.value) if record.value else None
    else:
        job.failed_reason = _decoded(record.value)
    if job.state in FINAL_STATES:
        job.finished_on = _seconds(snapshot.at_ms)
    elif snapshot.at_ms:
        job.delay_until = snapshot.at_ms / 1000
    if job.state is JobState.ACTIVE:
        job.consumer = snapshot.consumer
        job._token = record.place
        job.attempts_started += 1
    elif history.ended_by:
        job.consumer = history.ended_by.rpartition(b":")[2].decode()
    return job

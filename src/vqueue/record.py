"""The record of a job, as lua/include/record.lua describes it: reading and settling it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vqueue.codec import encode

if TYPE_CHECKING:
    from vqueue.outcome import Outcome


class TakenJob(NamedTuple):
    """A job as take.lua hands it out."""

    id: bytes
    token: bytes
    record: bytes


class NewRecord(NamedTuple):
    """A job as add.lua gets it."""

    job_id: str
    #: The lines of the record from the name on.
    rest: bytes
    #: Delay in ms; '0', 'lifo' or the priority; name.
    settings: tuple[int, str, str]


class Snapshot(NamedTuple):
    """What the queue knows of one job."""

    state: str
    #: Who holds an active job.
    consumer: str
    #: When a delayed job is due or a finished one has ended; 0 for others.
    at_ms: int
    record: bytes
    #: What the running attempt has reported last (JSON), b"" for nothing.
    progress: bytes


class Settlement(NamedTuple):
    """How finish.lua settles one job."""

    #: completed, failed, delayed or waiting.
    kind: str
    #: Keep rule for the final kinds, ms for delayed, "" for waiting.
    rule: str
    job_id: bytes
    token: bytes
    #: The new record.
    record: bytes
    #: Of the event.
    detail: bytes
    #: JSON of a progress that was not sent yet, b"" for none.
    progress: bytes


def fence_of(token: bytes) -> int:
    """Return the fence of an entry token: ms · 2²⁰ + sequence, growing over a queue."""
    ms, seq = token.removeprefix(b"x").split(b"-")
    return int(ms) << 20 | int(seq)


class Record(NamedTuple):
    """The lines of a record, read. JSON is left as it is; b"" where there is nothing."""

    place: bytes
    priority: int
    made: int
    begun: int
    stalls: int
    started_ms: int
    added_ms: int
    #: <token>:<consumer> of the activation that was the last to end.
    ended_by: bytes
    name: bytes
    options: bytes
    data: bytes
    progress: bytes
    #: The result, or why the last attempt failed.
    value: bytes
    stack: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Record:
        """Read a record. Raises ValueError for what is none."""
        lines = raw.split(b"\n")
        lines += [b""] * (8 - len(lines))
        place, history, name, options, data, progress, value, stack = lines
        if history:
            priority, made, begun, stalls, started, added, ended_by = history.split(b" ", 6)
        else:
            # it stands where it was added: the entry's id tells when
            priority = made = begun = stalls = started = b"0"
            added, ended_by = place.partition(b"-")[0], b""
        return cls(
            place=place,
            priority=int(priority),
            made=int(made),
            begun=int(begun),
            stalls=int(stalls),
            started_ms=int(started),
            added_ms=int(added),
            ended_by=ended_by,
            name=name,
            options=options,
            data=data,
            progress=progress,
            value=value,
            stack=stack,
        )


#: First line of a record by what becomes of the job; finish.lua knows the others.
_PLACES = {"completed": b"c", "failed": b"f", "delayed": b"d", "waiting": b""}


def settlement(
    taken: TakenJob,
    outcome: Outcome,
    *,
    consumer: bytes,
    started_ms: int,
    progress: bytes = b"",
    unsent: bytes = b"",
) -> Settlement:
    """Return how finish.lua is to settle a job that was taken at `started_ms`.

    `progress` is the last one of this attempt (JSON), `unsent` the same when Redis does not
    have it yet.
    """
    _, token, raw = taken
    kind, value, stack, rule = outcome
    place = _PLACES[kind]
    if raw.startswith(b"\n\n", len(token)):
        # the first attempt of a job that stands where it was added
        made = begun = 1
        added, _, _ = token.partition(b"-")
        new = b"%b\n0 1 1 0 %d %b %b:%b\n%b\n%b\n%b" % (
            *(place, started_ms, added, token, consumer),
            *(raw[len(token) + 2 :], progress, value),
        )
    else:
        old = Record.parse(raw)
        made, begun = old.made + 1, old.begun + 1
        new = b"%b\n%d %d %d %d %d %d %b:%b\n%b\n%b\n%b\n%b\n%b" % (
            *(place, old.priority, made, begun, old.stalls, started_ms, old.added_ms),
            *(token, consumer, old.name, old.options, old.data),
            *(progress or old.progress, value),
        )
    if stack:
        new += b"\n" + encode(stack, what="stack trace")
    if kind in ("completed", "failed"):
        detail = b"%d %d %d %b" % (made, begun, started_ms, value)
    else:
        detail = b"active"
    return Settlement(kind, rule, taken.id, token, new, detail, unsent)

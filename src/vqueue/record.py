"""The record of a job, as lua/include/record.lua describes it: reading and settling it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vqueue.codec import decode, encode

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
    #: Data that was changed while it ran (JSON), b"" when it was not.
    data: bytes
    #: Why it stalled last (JSON, see presence.Stall), b"" when it has not.
    stall: bytes

    @classmethod
    def read(cls, reply: list[Any]) -> Snapshot:
        """Read what the script tells of a job that it knows."""
        state, consumer, *others = reply
        return cls(state.decode(), consumer.decode(), *others)


class Settlement(NamedTuple):
    """How finish.lua settles one job."""

    #: A kind of finish.lua.
    kind: str
    #: Keep rule for the final kinds, ms for delayed and limited, "" for the others.
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


class History(NamedTuple):
    """The second line of a record."""

    priority: int
    #: Attempts that have ended.
    made: int
    #: Attempts that were started and not handed back.
    begun: int
    stalls: int
    #: When the last attempt that has ended was started; 0 for never.
    started_ms: int
    added_ms: int
    #: <token>:<consumer> of the activation that was the last to end.
    ended_by: bytes


class Record(NamedTuple):
    """The lines of a record. JSON is left as it is; b"" where there is nothing."""

    place: bytes
    #: Empty for a job that stands where it was added to `ready`.
    history_line: bytes
    name: bytes
    options: bytes
    data: bytes
    progress: bytes
    #: The result, or why the last attempt failed.
    value: bytes
    #: See read_traces.
    stacks: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Record:
        """Read a record. Raises TypeError for one with more lines."""
        lines = raw.split(b"\n")
        return cls(*lines, *_NO_LINES[len(lines) :])

    @property
    def history(self) -> History:
        """What has become of the job so far. Raises ValueError when it cannot be read."""
        if not self.history_line:
            added_ms = int(self.place.partition(b"-")[0])
            return History(0, 0, 0, 0, 0, added_ms, b"")
        *numbers, ended_by = self.history_line.split(b" ", 6)
        priority, made, begun, stalls, started_ms, added_ms = map(int, numbers)
        return History(priority, made, begun, stalls, started_ms, added_ms, ended_by)


_NO_LINES = (b"",) * 8

#: Bytes of JSON that the stack traces of a job may have together; the newest is kept anyhow.
_STACKS_LIMIT = 65536


def read_traces(raw: bytes) -> tuple[str, ...]:
    """Return the stack traces in a record, the newest last."""
    found = decode(raw) if raw else ()
    # a version of the library that kept the last one only may still be at work
    return (found,) if isinstance(found, str) else tuple(found)


def _with_trace(raw: bytes, trace: str, limit: int) -> bytes:
    """Return the stack traces with one more, the oldest dropped above the limits."""
    if not limit:
        return b""
    traces = [*read_traces(raw), trace][-limit:]
    while len(line := encode(traces, "stack traces")) > _STACKS_LIMIT and len(traces) > 1:
        del traces[0]
    return line


#: First line of a record by what becomes of the job; finish.lua knows the others.
_PLACES = {"completed": b"c", "failed": b"f", "delayed": b"d", "waiting": b""}
#: The same, and the kind in finish.lua, of what spends no attempt.
_PARKED = {
    "parked": (b"d", "delayed"),
    "front": (b"", "front"),
    "limited": (b"", "limited"),
    "waiting-children": (b"w", "waiting-children"),
}


def settlement(
    taken: TakenJob,
    outcome: Outcome,
    *,
    consumer: str,
    started_ms: int,
    progress: bytes = b"",
    unsent: bytes = b"",
) -> Settlement:
    """Return how finish.lua is to settle a job that was taken at `started_ms`.

    `progress` is the last one of this attempt (JSON), `unsent` the same when Redis does not
    have it yet.
    """
    _, token, raw = taken
    kind, value, stack, rule, stack_limit = outcome
    if kind in _PARKED:
        return _parking(taken, outcome, consumer, started_ms, progress, unsent)
    if raw.startswith(b"\n\n", len(token)):
        # the first attempt of a job that stands where it was added
        attempts = b"1 1 "
        history = b"0 1 1 0 "
        added, _, _ = token.partition(b"-")
        rest, stacks = raw[len(token) + 2 :], b""
    else:
        record = Record.parse(raw)
        old = record.history
        made, begun = old.made + 1, old.begun + 1
        attempts = b"%d %d " % (made, begun)
        history = b"%d %d %d %d " % (old.priority, made, begun, old.stalls)
        added = b"%d" % old.added_ms
        rest = b"\n".join((record.name, record.options, record.data))
        progress, stacks = progress or record.progress, record.stacks
    started = b"%d" % started_ms
    by = b"".join((started, b" ", added, b" ", token, b":", consumer.encode()))
    new = b"\n".join((_PLACES[kind], history + by, rest, progress, value))
    if stack:
        stacks = _with_trace(stacks, stack, stack_limit)
    if stacks:
        new += b"\n" + stacks
    detail = b"active"
    if kind == "completed" or kind == "failed":
        detail = b"".join((attempts, started, b" ", value))
    return Settlement(kind, rule, taken.id, token, new, detail, unsent)


def _parking(
    taken: TakenJob,
    outcome: Outcome,
    consumer: str,
    started_ms: int,
    progress: bytes,
    unsent: bytes,
) -> Settlement:
    """Return how to put a job back that was started and has spent no attempt."""
    place, kind = _PARKED[outcome.kind]
    record = Record.parse(taken.record)
    old = record.history
    history = b"%d %d %d %d %d %d %b:%b" % (
        *(old.priority, old.made, old.begun + 1, old.stalls, started_ms, old.added_ms),
        *(taken.token, consumer.encode()),
    )
    new = record._replace(place=place, history_line=history, progress=progress or record.progress)
    line = b"\n".join(new).rstrip(b"\n")
    return Settlement(kind, outcome.rule, taken.id, taken.token, line, b"active", unsent)

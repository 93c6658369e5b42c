"""What a queue's event stream tells: JobEvent, and the decoding of the stream's entries.

An entry holds all events of one kind that one call has caused. Whoever follows the stream
(events.py, durable.py, mirror.py) decodes it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from vqueue.codec import decode
from vqueue.serializing import decode_payload

#: Name of the notice that events are missing.
GAP = "gap"
#: Name of the first event of a queue that was obliterated.
OBLITERATED = "obliterated"
#: What the stream has before the name of an event of the user's.
CUSTOM = "c:"
_ADDED_AND_WAITING = "added,waiting"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobEvent:
    """One event. `name` is one of BullMQ's, ``gap`` or a custom one; `job_id` is empty for what
    concerns no single job: cleaned, drained, obliterated, paused, resumed, gap.

    ================= ==============================================================
    name              data
    ================= ==============================================================
    added             name
    waiting           prev (the state before; absent for a new job)
    waiting-children  prev (absent for a new job)
    delayed           delay_until (seconds since the epoch)
    active            consumer
    progress          progress (the value)
    completed         returnvalue, prev, attempts_made, attempts_started, processed_on
    failed            failed_reason, prev (``active``, or where a job was that was cancelled
                      or failed with its child), attempts_made, attempts_started, processed_on
    retries-exhausted attempts_made (beside ``failed``, when no attempt was left)
    stalled           stalled_count
    duplicated        (nothing)
    deduplicated      deduplication_id, deduplicated_job_id (the add that was ignored, or
                      the delayed job that this one has replaced)
    changed           field (``data`` or ``priority``)
    removed           prev (by hand: not when retention removes a finished job; absent when the
                      queue was obliterated)
    obliterated       (nothing): all jobs and settings are gone; ``removed`` follows for each job
    cleaned           count (jobs that `Queue.clean` removed in one step)
    drained           (nothing): the last job that waited or ran has ended
    paused, resumed   (nothing)
    gap               missed (number of events, None when unknown)
    (others)          what `Queue.emit_event` was given
    ================= ==============================================================
    """

    name: str
    job_id: str
    data: dict[str, Any]
    #: Position: ``<entry id>/<index>``; give it to QueueEvents to go on after this event.
    id: str
    #: Counts the queue's events from 1, without holes.
    number: int
    #: Grows with each call that changes the queue, whose events share it: ms · 2²⁰ + sequence
    #: of the entry.
    version: int

    @property
    def timestamp(self) -> float:
        """When it happened, in seconds since the epoch by the Redis server's clock."""
        return (self.version >> 20) / 1000


def version_of(ms: int, seq: int) -> int:
    """Return the version that an id of the queue's clock stands for."""
    return ms << 20 | seq


def _finished(detail: bytes, *, value_name: str) -> dict[str, Any]:
    prev = b"active"
    if not detail[:1].isdigit():
        prev, _, detail = detail.partition(b" ")
    made, begun, started, value = detail.split(b" ", 3)
    return {
        value_name: decode_payload(value),
        "prev": prev.decode(),
        "attempts_made": int(made),
        "attempts_started": int(begun),
        "processed_on": int(started) / 1000 if started != b"0" else None,
    }


def _no_detail(_: bytes) -> dict[str, Any]:
    return {}


_DETAILS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "added": lambda detail: {"name": detail.decode()},
    "waiting": lambda detail: {"prev": detail.decode()} if detail else {},
    "waiting-children": lambda detail: {"prev": detail.decode()} if detail else {},
    "delayed": lambda detail: {"delay_until": int(detail) / 1000},
    "active": lambda detail: {"consumer": detail.decode()},
    "progress": lambda detail: {"progress": decode(detail)},
    "completed": lambda detail: _finished(detail, value_name="returnvalue"),
    "failed": lambda detail: _finished(detail, value_name="failed_reason"),
    "deduplicated": lambda detail: dict(
        zip(("deduplication_id", "deduplicated_job_id"), detail.decode().split(" "), strict=True)
    ),
    "cleaned": lambda detail: {"count": int(detail)},
    "changed": lambda detail: {"field": detail.decode()},
    "removed": lambda detail: {"prev": detail.decode()} if detail else {},
    "retries-exhausted": lambda detail: {"attempts_made": int(detail)},
    "stalled": lambda detail: {"stalled_count": int(detail)},
}


#: Names that custom events cannot have.
EVENT_NAMES = frozenset(
    {
        *_DETAILS,
        *("duplicated", "drained", OBLITERATED, "paused", "resumed", GAP),
    }
)


def told_by(fields: list[bytes]) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield kind, job id and detail of each event of an entry, in their order."""
    kind = fields[1].decode()
    for job_id, detail in zip(fields[4::2], fields[5::2], strict=True):
        if kind == _ADDED_AND_WAITING:
            yield "added", job_id, detail
            yield "waiting", job_id, b""
        else:
            yield kind, job_id, detail


def expand(entry_id: bytes, fields: list[bytes]) -> list[JobEvent]:
    """Return the events of one stream entry (fields as XRANGE lists them)."""
    first = int(fields[3])
    ms, seq = entry_id.split(b"-")
    version = version_of(int(ms), int(seq))
    return [
        JobEvent(
            name=kind.removeprefix(CUSTOM),
            job_id=job_id.decode(),
            data=_data_of(kind, detail),
            id=f"{entry_id.decode()}/{index}",
            number=first + index,
            version=version,
        )
        for index, (kind, job_id, detail) in enumerate(told_by(fields))
    ]


def _data_of(kind: str, detail: bytes) -> dict[str, Any]:
    read = decode if kind.startswith(CUSTOM) else _DETAILS.get(kind, _no_detail)
    data: dict[str, Any] = read(detail)
    return data

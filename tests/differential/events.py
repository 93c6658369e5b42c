"""Events of both sides in one form: name and payload by vqueue's names.

Of clocks and of the names of workers only is compared that they are told: they stand as "…".
A delay is what is left of it at the event, in whole seconds, rounded up.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from vqueue.job_events import JobEvent

Told = dict[str, Any]

#: BullMQ's field → ours.
_NAMES = {
    "returnvalue": "returnvalue",
    "failedReason": "failed_reason",
    "prev": "prev",
    "name": "name",
    "data": "progress",
    "count": "count",
    "attemptsMade": "attempts_made",
    "deduplicationId": "deduplication_id",
    "deduplicatedJobId": "deduplicated_job_id",
}
#: What BullMQ writes as text that is JSON.
_JSON = ("returnvalue", "progress", "count", "attempts_made")
_UNTOLD = ("consumer", "processed_on")


def _left(due_ms: float, at_ms: int) -> int:
    return math.ceil((due_ms - at_ms) / 1000)


def of_ours(event: JobEvent) -> Told:
    """Return an event of vqueue's."""
    told = {key: "…" if key in _UNTOLD else value for key, value in event.data.items()}
    if told.pop("delay_until", None):
        told["delay"] = _left(event.data["delay_until"] * 1000, event.version >> 20)
    return {"event": event.name, **told}


def of_theirs(entry: str, fields: list[str]) -> tuple[str, Told]:
    """Return the id of the job and the event of an entry of BullMQ's stream."""
    read = dict(zip(fields[::2], fields[1::2], strict=True))
    told: Told = {"event": read.pop("event")}
    job_id = read.pop("jobId", "")
    if "delay" in read:
        told["delay"] = _left(float(read.pop("delay")), int(entry.partition("-")[0]))
    for key, value in read.items():
        name = _NAMES.get(key, key)
        told[name] = json.loads(value) if name in _JSON else value
    return job_id, told


def by_job(events: Iterable[tuple[str, Told]]) -> dict[str, list[Told]]:
    """Return the events of each job in their order; "" has those of the queue."""
    found: dict[str, list[Told]] = defaultdict(list)
    for job_id, told in events:
        found[job_id].append(told)
    return dict(found)

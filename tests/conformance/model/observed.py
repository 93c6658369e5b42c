"""What a queue in Redis looks like, in the terms of the model."""

import re
from collections import defaultdict
from typing import Any

from tests.conformance.model.limits import Limits
from tests.conformance.model.model import QueueModel
from tests.conformance.model.times import HOUR_MS
from tests.support.group_invariants import lines_of
from tests.support.queue_dump import QueueDump, entry_events
from vqueue.job_events import version_of
from vqueue.record import read_traces

#: jobs and their relatives by id; ids in line, by group, and delayed; owners and followers by
#: deduplication id; limits, schedulers; log lines, partial results and names of events by id.
View = dict[str, Any]

_LETTERS = {"d": "delayed", "w": "waiting-children", "c": "completed", "f": "failed"}


def view_of_model(model: QueueModel) -> View:
    """Everything that the model says."""
    return {
        "jobs": {
            job.id: {
                "state": job.shown_state,
                "holder": job.holder if job.state == "active" else "",
                "priority": job.priority,
                "made": job.made,
                "begun": job.begun,
                "stalls": job.stalls,
                "value": job.value,
                "traces": tuple(job.traces),
                "progress": job.progress,
                "data": job.data,
                "options": job.options,
            }
            for job in model.jobs.values()
        },
        "relatives": {
            job.id: {
                "par": set(job.family.parents),
                "deps": job.family.unprocessed,
                "vals": job.family.processed,
                "ign": job.family.ignored,
                "bad": job.family.failed,
            }
            for job in model.jobs.values()
        },
        "line": [job.id for job in model.line],
        "groups": {
            group: [job.id for job in model.group_line(group)]
            for group in {job.group for job in model.in_state("waiting") if job.group}
        },
        "delayed": [job.id for job in model.delayed_line],
        "owners": {
            unique: (owner.job_id, owner.time_left) for unique, owner in model.owners.items()
        },
        "followers": {unique: job_id for unique, (job_id, _) in model.followers.items()},
        "limits": model.limits,
        "schedulers": {
            scheduler_id: (one.count, one.job, one.has_ended)
            for scheduler_id, one in model.schedulers.items()
        },
        "logs": {job.id: job.log for job in model.jobs.values() if job.log},
        "partials": {job.id: job.partials for job in model.jobs.values() if job.partials},
        "events": {job.id: job.events for job in model.jobs.values()},
    }


def view_of_queue(dump: QueueDump) -> View:
    """The same of a queue, read from its keys."""
    holders = {
        mark + entry: consumer
        for lane, mark in (("ready", ""), ("express", "x"))
        for entry, consumer in dump.stream(lane).workers.pending.items()
    }
    jobs: dict[str, dict[str, Any]] = {}
    for job_id, record in dump.jobs.items():
        place, history = record.place.decode(), record.history
        live = dump.hashes.get(f"j:{job_id}:x", {})
        state = _LETTERS.get(place) or ("active" if place in holders else "waiting")
        if state == "waiting" and history.priority and not place.startswith("g"):
            state = "prioritized"
        jobs[job_id] = {
            "state": state,
            "holder": holders.get(place, ""),
            "priority": history.priority,
            "made": history.made,
            "begun": history.begun,
            "stalls": history.stalls,
            "value": _value(record.value),
            "traces": read_traces(record.stacks),
            "progress": live["g"].encode() if "g" in live else record.progress,
            "data": live["d"].encode() if "d" in live else record.data,
            "options": record.options,
        }
    events: dict[str, list[str]] = defaultdict(list)
    for entry in dump.stream("ev").entries:
        for kind, job_id in entry_events(entry.fields):
            if job_id in jobs:
                events[job_id].append(kind)
    return {
        "jobs": jobs,
        "relatives": {job_id: _relatives(dump, job_id) for job_id in dump.jobs},
        "line": _line(dump),
        "groups": {group: _by_score(line) for group, line in lines_of(dump).items()},
        "delayed": _by_score(dump.zsets.get("delayed", {})),
        "owners": {
            name.removeprefix("dd:"): (owner, _time_left(dump.ttl_ms[name]))
            for name, owner in dump.strings.items()
            if name.startswith("dd:")
        },
        "followers": {
            name.removeprefix("dn:"): one["id"]
            for name, one in dump.hashes.items()
            if name.startswith("dn:")
        },
        "limits": _limits(dump.hashes["meta"]),
        "schedulers": {
            name.removeprefix("sched:"): (int(one["count"]), one["job"], not one["slot"])
            for name, one in dump.hashes.items()
            if name.startswith("sched:")
        },
        "logs": {name[2:-4]: lines for name, lines in dump.lists.items() if name.endswith(":log")},
        "partials": _partials(dump),
        "events": dict(events),
    }


def _partials(dump: QueueDump) -> dict[str, list[tuple[str, bytes]]]:
    """Partial results by job; those of an earlier job of the id lie there until the next one."""
    found: dict[str, list[tuple[str, bytes]]] = {}
    for job_id, record in dump.jobs.items():
        first = version_of(record.history.added_ms, 0)
        sent = [
            (entry.id, entry.fields[1].encode())
            for entry in dump.stream(f"part:{job_id}").entries
            if int(entry.id.partition("-")[0]) >= first
        ]
        if sent:
            found[job_id] = sent
    return found


def _value(told: bytes) -> bytes:
    # which one is told when several children have failed is left open
    return re.sub(rb"child \S+ failed", b"child failed", told)


def _by_score(members: dict[str, float]) -> list[str]:
    return sorted(members, key=lambda member: members[member])


def _time_left(ttl_ms: int) -> str:
    if ttl_ms < 0:
        return ""
    return "all" if ttl_ms > HOUR_MS // 2 else "half"


def _limits(meta: dict[str, str]) -> Limits:
    """Times that lie ahead end within no run."""
    now_ms = int(meta["ms"])
    has_window = int(meta.get("window_end", 0)) > now_ms
    return Limits(
        is_paused="p" in meta.get("gate", ""),
        concurrency=_number(meta, "concurrency"),
        max_jobs=_number(meta, "limit_max"),
        used=int(meta["window_used"]) if has_window else None,
        is_held=int(meta.get("held_until", 0)) > now_ms,
    )


def _number(meta: dict[str, str], name: str) -> int | None:
    return int(meta[name]) if name in meta else None


def _relatives(dump: QueueDump, job_id: str) -> dict[str, Any]:
    """Ids of parents and children by the part of the job's keys that holds them, with what is
    kept of children that have ended."""
    found: dict[str, Any] = {
        part: {_id_of(ref) for ref in dump.sets.get(f"j:{job_id}:{part}", ())}
        for part in ("par", "deps")
    }
    for part in ("vals", "ign", "bad"):
        kept = dump.hashes.get(f"j:{job_id}:{part}", {})
        found[part] = {_id_of(ref): _value(value.encode()) for ref, value in kept.items()}
    return found


def _id_of(ref: str) -> str:
    return ref.partition(":")[2]


def _line(dump: QueueDump) -> list[str]:
    """Ids of the waiting jobs in the order in which a take gives them out."""
    marked = dump.zsets.get("prioritized", {})
    front = [job_id for job_id in _by_score(marked) if marked[job_id] < 2**32]
    ready = dump.stream("ready")
    plain = [e.fields[1] for e in ready.entries if e.id not in ready.workers.pending]
    return front + plain + [job_id for job_id in _by_score(marked) if marked[job_id] >= 2**32]

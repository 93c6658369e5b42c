"""What a queue in Redis looks like, in the terms of the model."""

import re
from collections import defaultdict
from typing import Any

from tests.conformance.model.model import QueueModel
from tests.support.group_invariants import lines_of
from tests.support.queue_dump import QueueDump, entry_events

#: jobs and their relatives by id, ids in line, in all and by group, log lines and names of
#: events by id, jobs by deduplication id, schedulers.
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
                "progress": job.progress,
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
        "owners": model.owners,
        "schedulers": {
            scheduler_id: (one.count, one.job, one.has_ended)
            for scheduler_id, one in model.schedulers.items()
        },
        "logs": {job.id: job.log for job in model.jobs.values() if job.log},
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
            # which one is told when several have failed is left open
            "value": re.sub(rb"child \S+ failed", b"child failed", record.value),
            "progress": live["g"].encode() if "g" in live else record.progress,
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
        "groups": {
            group: sorted(line, key=lambda job_id: line[job_id])
            for group, line in lines_of(dump).items()
        },
        "owners": {
            name.removeprefix("dd:"): owner
            for name, owner in dump.strings.items()
            if name.startswith("dd:")
        },
        "schedulers": {
            name.removeprefix("sched:"): (int(one["count"]), one["job"], not one["slot"])
            for name, one in dump.hashes.items()
            if name.startswith("sched:")
        },
        "logs": {name[2:-4]: lines for name, lines in dump.lists.items() if name.endswith(":log")},
        "events": dict(events),
    }


def _relatives(dump: QueueDump, job_id: str) -> dict[str, set[str]]:
    """Ids of parents and children by the part of the job's keys that holds them."""
    found = {part: dump.sets.get(f"j:{job_id}:{part}", set()) for part in ("par", "deps")}
    found |= {
        part: set(dump.hashes.get(f"j:{job_id}:{part}", ())) for part in ("vals", "ign", "bad")
    }
    return {part: {ref.partition(":")[2] for ref in refs} for part, refs in found.items()}


def _line(dump: QueueDump) -> list[str]:
    """Ids of the waiting jobs in the order in which a take gives them out."""
    marked = sorted(dump.zsets.get("prioritized", {}).items(), key=lambda item: item[1])
    front = [job_id for job_id, score in marked if score < 2**32]
    ready = dump.stream("ready")
    plain = [e.fields[1] for e in ready.entries if e.id not in ready.workers.pending]
    return front + plain + [job_id for job_id, score in marked if score >= 2**32]

"""What must be true of a queue at every moment, proved from a dump of its keys.

Every job is in exactly one place, and its hash, the counts and the events agree with that.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.support.group_invariants import check_groups, lines_of
from tests.support.queue_dump import QueueDump, Stream, dump_queue, entry_events

_KEYS = {
    r"meta": "hash",
    r"ready|express|ev|part:[^:]+": "stream",
    r"prioritized|delayed|children|completed|failed|wake|wks|sched|tails": "zset",
    r"sched:[^:]+|cancels": "hash",
    r"m:(completed|failed|stalled|rejected|lat:[0-9]+)": "hash",
    r"notices": "list",
    r"g:[^:]+|groups|ring|resting": "zset",
    r"gs:[^:]+|turns": "hash",
    r"gw:[^:]+": "string",
    r"j:[^:]+:(par|deps)|untold:[0-9-]+|fresh": "set",
    r"j:[^:]+:(vals|ign|bad)": "hash",
    r"j:[^:]+": "string",
    r"j:[^:]+:x": "hash",
    r"j:[^:]+:log": "list",
    r"dn:[^:]+": "hash",
    r"dd:[^:]+|gone:[^:]+|wk:[^:]+|turn:[^:]+|resync:[^:]+": "string",
}
_SETS = ("prioritized", "delayed", "children", "completed", "failed")
_PRIORITY = 2**32

#: Event → the events that may come before it in the life of one job (None: it is the first).
_BEFORE: dict[str, frozenset[str | None]] = {
    "added": frozenset({None, "completed", "failed", "removed"}),
    # waiting again: repair.lua cannot tell what waited from what ran
    "waiting": frozenset(
        {"added", "delayed", "active", "stalled", "waiting", "waiting-children"}
        | {"completed", "failed"}  # retried
    ),
    # out of a line: when it gets children there
    "waiting-children": frozenset({"added", "active", "completed", "failed", "waiting", "delayed"}),
    "delayed": frozenset({"added", "active", "delayed", "waiting-children"}),
    "active": frozenset({"waiting"}),
    "stalled": frozenset({"active"}),
    "completed": frozenset({"active"}),
    # from where a job waits: with a child
    "failed": frozenset({"active", "stalled", "waiting", "delayed", "waiting-children"}),
    "removed": frozenset({"waiting", "delayed", "waiting-children", "completed", "failed"}),
}
#: Events that move no job.
_BESIDE_STATES = frozenset(
    {"progress", "duplicated", "deduplicated", "changed", "retries-exhausted"}
)
#: Events of no job.
_OF_THE_QUEUE = frozenset({"cleaned", "drained", "obliterated", "paused", "resumed"})
#: Last event → the places in which the job then is.
_PLACES = {
    "waiting": {"waiting", "prioritized"},
    "delayed": {"delayed"},
    "waiting-children": {"children"},
    "active": {"active"},
    "completed": {"completed", "gone"},
    "failed": {"failed", "gone"},
    "removed": {"gone"},
}


class InvariantViolation(AssertionError):
    """The keys of a queue contradict each other; the message lists how."""


async def check_invariants(
    redis_url: str, queue_name: str, prefix: str = "vq", *, idle: bool = False
) -> None:
    """Prove that every job of a queue is in exactly one state; works on a busy queue, too.

    With `idle` no job may be active. Raises InvariantViolation with everything that is wrong.
    """
    dump = await dump_queue(redis_url, queue_name, prefix)
    wrong = list(violations(dump))
    if idle:
        wrong += [
            f"{lane}: entry {entry} is pending for {consumer}, though nothing should run"
            for lane in ("ready", "express")
            for entry, consumer in dump.stream(lane).workers.pending.items()
        ]
    if wrong:
        raise InvariantViolation(f"queue {queue_name}:\n  " + "\n  ".join(wrong))


def violations(dump: QueueDump) -> Iterator[str]:
    """Say what contradicts itself in a queue, a sentence each; nothing when all is well."""
    untyped = list(_check_keys(dump))
    yield from untyped
    if untyped:
        return  # the other checks read the keys by their types
    places = _places(dump)
    for lane in ("ready", "express"):
        yield from _check_lane(lane, dump.stream(lane))
    yield from _check_places(dump, places)
    yield from _check_records(dump, places)
    yield from _check_counts(dump, places)
    yield from _check_flows(dump)
    yield from check_groups(dump)
    yield from _check_clock(dump)
    yield from _check_event_numbers(dump)
    yield from _check_event_paths(dump, places)
    yield from _check_metrics(dump)
    yield from _check_leftovers(dump)


def _check_keys(dump: QueueDump) -> Iterator[str]:
    for name, found in dump.types.items():
        wanted = next((kind for key, kind in _KEYS.items() if re.fullmatch(key, name)), None)
        if wanted is None:
            yield f"key {name} ({found}) is not in the queue's layout"
        elif wanted != found:
            yield f"key {name} is a {found}, not a {wanted}"
    if "meta" not in dump.types and any(not _may_stand_alone(name) for name in dump.types):
        yield "meta is missing"


def _may_stand_alone(name: str) -> bool:
    # after obliterate
    return name == "ev" or name.startswith(("turn:", "resync:"))


def _id(text: str) -> tuple[int, int]:
    ms, _, seq = text.partition("-")
    return int(ms), int(seq)


def _places(dump: QueueDump) -> dict[str, list[tuple[str, str]]]:
    """Job id → (state, token in a lane or "") of every place that names it."""
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for lane, mark in (("ready", ""), ("express", "x")):
        stream = dump.stream(lane)
        for entry in stream.entries:
            state = "active" if entry.id in stream.workers.pending else "waiting"
            places[entry.fields[1]].append((state, mark + entry.id))
    for name in _SETS:
        for job_id in dump.zsets.get(name, {}):
            places[job_id].append((name, ""))
    for group, line in lines_of(dump).items():
        for job_id in line:
            places[job_id].append(("waiting", f"g{group}"))
    return places


def _check_lane(name: str, stream: Stream) -> Iterator[str]:
    if stream.entries and "workers" not in stream.groups:
        yield f"{name} has entries and no group of workers"
    delivered = _id(stream.workers.last_delivered)
    entries = {entry.id for entry in stream.entries}
    for entry in stream.entries:
        handed_out = _id(entry.id) <= delivered
        if entry.fields[0::2] != ["j"]:
            yield f"{name}: entry {entry.id} has the fields {entry.fields[0::2]}, not j alone"
        if handed_out and entry.id not in stream.workers.pending:
            yield f"{name}: entry {entry.id} was handed out and is pending for nobody"
        if not handed_out and name == "express":
            yield f"express: entry {entry.id} waits, though entries are made for taken jobs"
    for entry_id, consumer in stream.workers.pending.items():
        if entry_id not in entries:
            yield f"{name}: {entry_id} is pending for {consumer} and not in the stream"
        if _id(entry_id) > delivered:
            yield f"{name}: {entry_id} is pending for {consumer} and was never handed out"


def _check_places(dump: QueueDump, places: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    jobs = dump.jobs
    for job_id in jobs.keys() - places.keys():
        yield f"job {job_id} is in no place"
    for job_id, found in places.items():
        if job_id not in jobs:
            yield f"job {job_id} does not exist, and is {_listed(found)}"
        elif len(found) > 1:
            yield f"job {job_id} is in {len(found)} places: {_listed(found)}"


def _listed(found: list[tuple[str, str]]) -> str:
    return ", ".join(f"{state} as entry {token}" if token else state for state, token in found)


def _check_records(dump: QueueDump, places: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    letters = {"prioritized": "p", "delayed": "d", "children": "w"}
    letters |= {"completed": "c", "failed": "f"}
    for job_id, record in dump.jobs.items():
        if len(places.get(job_id, ())) != 1:
            continue
        ((state, token),) = places[job_id]
        place = record.place.decode()
        if place != (token or letters[state]):
            yield f"job {job_id} is {_listed(places[job_id])} and its record says {place}"
        history = record.history
        # the others were started and put themselves back
        if history.made + history.stalls > history.begun:
            yield (
                f"job {job_id} has begun {history.begun} attempts, which are less than "
                f"{history.made} made and {history.stalls} stalled"
            )
        if not record.name or not record.data:
            yield f"job {job_id} has no name or no data"
        if state in ("completed", "failed") and not record.value:
            yield f"job {job_id} is {state} without a value"
        if state == "prioritized":
            priority = int(dump.zsets["prioritized"][job_id] // _PRIORITY)
            if priority != history.priority:
                yield f"job {job_id} stands at priority {priority}, not {history.priority}"


def _check_counts(dump: QueueDump, places: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    recount = Counter(state for found in places.values() for state, _ in found)
    in_front = sum(score < _PRIORITY for score in dump.zsets.get("prioritized", {}).values())
    recount["waiting"] += in_front
    recount["prioritized"] -= in_front
    names = ("waiting", "prioritized", "delayed", "active", "completed", "failed", "children")
    for name, count in zip(names, dump.counts, strict=True):
        if count != recount[name]:
            yield f"counts.lua says {count} {name}, there are {recount[name]}"


def _check_flows(dump: QueueDump) -> Iterator[str]:
    """A job waits for children as long as there are some, and each of them knows it."""
    told = {notice.split("\n")[0] for notice in dump.lists.get("notices", ())}
    for job_id in dump.zsets.get("children", {}):
        if not dump.sets.get(f"j:{job_id}:deps") and f"{dump.queue_name}:{job_id}" not in told:
            yield f"job {job_id} waits for children and has none"
    for name, refs in dump.sets.items():
        if not name.endswith(":deps"):
            continue
        parent = f"{dump.queue_name}:{name.split(':')[1]}"
        for queue, _, child in (ref.partition(":") for ref in refs):
            if queue == dump.queue_name and parent not in dump.sets.get(f"j:{child}:par", ()):
                yield f"job {parent} waits for {child}, which does not know it"
    has_flows = any(name.endswith((":par", ":deps")) for name in dump.sets)
    if has_flows and "flows" not in dump.hashes.get("meta", {}):
        yield "there are flows, and meta does not say so"


def _check_clock(dump: QueueDump) -> Iterator[str]:
    meta = dump.hashes.get("meta")
    if meta is None:
        return
    clock = int(meta.get("ms", 0)), int(meta.get("seq", 0))
    for name, stream in dump.streams.items():
        last = _id(stream.last_id)
        if name.startswith("part:"):
            last = last[0] >> 20, last[0] & 0xFFFFF  # ids of theirs are <fence>-<number>
        if last > clock:
            yield f"the clock {clock[0]}-{clock[1]} is behind {stream.last_id} of {name}"


def _check_event_numbers(dump: QueueDump) -> Iterator[str]:
    expected: int | None = None
    for entry in dump.stream("ev").entries:
        first, count = int(entry.fields[3]), len(entry_events(entry.fields))
        if entry.fields[:3:2] != ["e", "n"] or count < 1:
            yield f"event entry {entry.id} does not begin with e, n and a job"
        if expected is not None and first != expected:
            yield f"event entry {entry.id} has number {first}, not {expected}"
        expected = first + count
    meta = dump.hashes.get("meta")
    if meta is None or expected is None:
        return
    newest = int(meta.get("n", 0))
    if expected - 1 != newest:
        yield f"the last event has number {expected - 1}, meta says {newest}"


def _check_metrics(dump: QueueDump) -> Iterator[str]:
    """What the minutes add up to is what the events tell."""
    entries = dump.stream("ev").entries
    if not entries or entries[0].fields[3] != "1":
        return  # some have been trimmed
    ended = Counter[str]()
    for entry in entries:
        ended.update(kind for kind, _ in entry_events(entry.fields))
    for state in ("completed", "failed", "stalled"):
        counted = sum(map(int, dump.hashes.get(f"m:{state}", {}).values()))
        if counted != ended[state]:
            yield f"m:{state} counts {counted} jobs, there are {ended[state]} events"


def _check_event_paths(dump: QueueDump, places: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """Every job's events are a way through the states that ends in its place."""
    last: dict[str, str] = {}
    entries = dump.stream("ev").entries
    whole = bool(entries) and entries[0].fields[3] == "1"
    for entry in entries:
        for kind, job_id in entry_events(entry.fields):
            if kind in _OF_THE_QUEUE or kind.startswith("c:"):
                continue
            before = last.get(job_id)
            if kind in _BESIDE_STATES:
                if kind == "progress" and before not in ("active", None):
                    yield f"job {job_id} reports progress while {before} ({entry.id})"
            elif kind not in _BEFORE:
                yield f"event entry {entry.id} is of the unknown kind {kind}"
            else:
                # the job's first events may have been trimmed
                if before not in _BEFORE[kind] and (whole or before is not None):
                    yield f"job {job_id} is {kind} after {before} ({entry.id})"
                last[job_id] = kind
    for job_id, kind in last.items():
        found = {state for state, _ in places.get(job_id, [("gone", "")])}
        if not found & _PLACES.get(kind, set()):
            yield f"job {job_id} is {' and '.join(sorted(found))}, its last event says {kind}"


def _check_leftovers(dump: QueueDump) -> Iterator[str]:
    jobs = dump.jobs
    for name in dump.hashes:
        if name.startswith("m:lat:") and dump.ttl_ms[name] < 0:
            yield f"key {name} lives for ever"
    for name in [*dump.lists, *dump.hashes, *dump.sets]:
        found = re.fullmatch(r"j:([^:]+):.*", name)
        if found and found[1] not in jobs:
            yield f"key {name} belongs to no job"
    for name in dump.hashes:
        if name.startswith("dn:") and name.replace("dn:", "dd:", 1) not in dump.strings:
            owner = jobs.get(dump.hashes[name].get("owner", ""))
            if owner is None or owner.place in (b"c", b"f"):
                yield f"key {name} waits for the end of no job"
    for name in dump.strings:
        if name.startswith("dd:") and dump.ttl_ms[name] < 0:
            owner = jobs.get(dump.strings[name])
            if owner is None or owner.place in (b"c", b"f"):
                yield f"key {name} lives for ever, and its job has ended"
        elif dump.ttl_ms[name] < 0 and not name.startswith("j:"):
            yield f"key {name} lives for ever"
        if name.startswith("gone:") and name.removeprefix("gone:") in jobs:
            yield f"key {name} says that a job is gone which exists"
    if dump.hashes.get("cancels") and "c" not in dump.hashes["meta"].get("gate", ""):
        yield "active jobs are cancelled, and the gate does not say so"
    members = set(dump.zsets.get("wake", {})) - {"0"}
    if members:
        yield f"wake has the unknown members {sorted(members)}"

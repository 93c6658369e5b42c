"""What each difference of intended.py changes in two outcomes, ours and BullMQ's."""

from collections.abc import Iterator
from typing import Any

from tests.differential.events import Told
from tests.differential.outcome import Outcome

_STALLED = "job stalled more than allowable limit"


def _jobs(outcome: Outcome) -> Iterator[tuple[str, dict[str, Any]]]:
    for step in outcome["steps"]:
        yield from step["jobs"].items()


def _pairs(
    ours: Outcome, theirs: Outcome
) -> Iterator[tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]]:
    """Yield BullMQ's step, a job's id, and the job there on both sides."""
    for our_step, their_step in zip(ours["steps"], theirs["steps"], strict=True):
        for job_id, our in our_step["jobs"].items():
            if their := their_step["jobs"].get(job_id):
                yield their_step, job_id, our, their


def _move(step: dict[str, Any], job: dict[str, Any], state: str) -> None:
    step["counts"][job["state"]] -= 1
    step["counts"][state] += 1
    job["state"] = state


def _names(events: list[Told]) -> list[str]:
    return [told["event"] for told in events]


def _drop_fields(outcome: Outcome, event: str, *fields: str) -> None:
    for events in outcome["events"].values():
        for told in events:
            if told["event"] == event:
                for field in fields:
                    told.pop(field, None)


def name_worker(ours: Outcome, theirs: Outcome) -> None:
    _drop_fields(ours, "active", "consumer")
    _drop_fields(theirs, "active", "prev")


def tell_attempts(ours: Outcome, _: Outcome) -> None:
    for end in ("completed", "failed"):
        _drop_fields(ours, end, "attempts_made", "attempts_started", "processed_on")


def clear_reasons(_: Outcome, theirs: Outcome) -> None:
    for _job_id, job in _jobs(theirs):
        if job["state"] == "completed":
            job["failed_reason"] = None


def clear_traces(ours: Outcome, theirs: Outcome) -> None:
    for _, _job_id, our, their in _pairs(ours, theirs):
        if their["traces"] > our["traces"]:
            their["traces"] = our["traces"]


def keep_priorities(_: Outcome, theirs: Outcome) -> None:
    for step in theirs["steps"]:
        for job in step["jobs"].values():
            if job["state"] == "waiting" and job["priority"]:
                _move(step, job, "prioritized")


def tell_stalls_first(ours: Outcome, theirs: Outcome) -> None:
    _drop_fields(ours, "stalled", "stalled_count")
    for events in theirs["events"].values():
        for i in range(len(events) - 1):
            if _names(events[i : i + 2]) == ["waiting", "stalled"]:
                events[i : i + 2] = reversed(events[i : i + 2])


def keep_stalled_place(_: Outcome, theirs: Outcome) -> None:
    """The job that stalled starts again behind one without priority, not before it."""
    jobs, order = theirs["steps"][-1]["jobs"], theirs["order"]
    for job_id, job in jobs.items():
        if job["stalled_count"] and job["priority"]:
            again = order.index(job_id, order.index(job_id) + 1)
            if jobs[order[again + 1]]["priority"] == 0:
                order[again : again + 2] = [order[again + 1], job_id]


def fail_with_last_stall(_: Outcome, theirs: Outcome) -> None:
    for job_id, job in _jobs(theirs):
        if job["failed_reason"] == _STALLED and job["traces"]:
            job["attempts_made"] -= 1
            job["attempts_started"] -= 1
            job["traces"] = 0
            events = theirs["events"][job_id]
            end = _names(events).index("failed")
            if _names(events[end - 2 : end]) == ["waiting", "active"]:
                del events[end - 2 : end]


def make_when_due(_: Outcome, theirs: Outcome) -> None:
    for step in theirs["steps"]:
        for job_id in [key for key in step["jobs"] if "#" in key]:
            if step["jobs"][job_id]["state"] == "delayed":
                del step["jobs"][job_id]
                step["counts"]["delayed"] -= 1
                step["schedulers"][job_id.partition("#")[0]] -= 1
    for job_id in [key for key in theirs["events"] if "#" in key]:
        events = theirs["events"][job_id]
        if "waiting" not in _names(events):
            del theirs["events"][job_id]
        elif "delayed" in _names(events):
            start = _names(events).index("waiting")
            theirs["events"][job_id] = [events[0], {"event": "waiting"}, *events[start + 1 :]]


def fail_parents_at_once(ours: Outcome, theirs: Outcome) -> None:
    final = theirs["steps"][-1]["jobs"]
    for step, job_id, our, their in _pairs(ours, theirs):
        reason = final[job_id]["failed_reason"] or ""
        if our["state"] != "failed" or not reason.startswith("child "):
            continue
        if their["state"] == "waiting":
            _move(step, their, "failed")
            their["failed_reason"] = reason
        their["attempts_made"] = their["attempts_started"] = their["traces"] = 0
        left = ("added", "waiting-children", "failed")
        events = [told for told in theirs["events"][job_id] if told["event"] in left]
        theirs["events"][job_id] = [*events[:-1], {**events[-1], "prev": "waiting-children"}]


def fail_without_option(ours: Outcome, theirs: Outcome) -> None:
    for step, job_id, our, their in _pairs(ours, theirs):
        if (our["state"], their["state"]) == ("failed", "waiting-children"):
            _move(step, their, "failed")
            their["failed_reason"] = our["failed_reason"]
            theirs["events"][job_id].append(ours["events"][job_id][-1])


def wait_in_line(ours: Outcome, theirs: Outcome) -> None:
    for step, job_id, our, their in _pairs(ours, theirs):
        if (our["state"], their["state"]) == ("waiting-children", "waiting"):
            _move(step, their, "waiting-children")
        elif "has pending dependencies" in (their["failed_reason"] or ""):
            _move(step, their, "completed")
            their.update(failed_reason=None, returnvalue=our["returnvalue"], traces=0)
            theirs["order"].sort(key=lambda started, after=job_id: started == after)
    for job_id, events in ours["events"].items():
        names, their_names = _names(events), _names(theirs["events"][job_id])
        if "waiting-children" not in names or "waiting-children" in their_names:
            continue
        start = names.index("waiting-children")
        if their_names[start:] in (
            ["active", "failed", "retries-exhausted"],
            ["waiting", "active", "completed"],
        ):
            theirs["events"][job_id][start:] = events[start:]


def drop_prefix(_: Outcome, theirs: Outcome) -> None:
    told = (told for events in theirs["events"].values() for told in events)
    for one in (*(job for _job_id, job in _jobs(theirs)), *told):
        if one.get("failed_reason"):
            one["failed_reason"] = one["failed_reason"].replace("child bull:", "child ")


def leave_out_changes(ours: Outcome, _: Outcome) -> None:
    for job_id, events in ours["events"].items():
        ours["events"][job_id] = [told for told in events if told["event"] != "changed"]


def drain_beside_delayed(ours: Outcome, theirs: Outcome) -> None:
    """Keep as many of our notices as BullMQ gives."""
    events = ours["events"].get("", [])
    for _ in range(len(events) - len(theirs["events"].get("", []))):
        if {"event": "drained"} in events:
            events.remove({"event": "drained"})


def tell_removals(ours: Outcome, theirs: Outcome) -> None:
    for job_id, events in ours["events"].items():
        told = _names(theirs["events"].get(job_id, []))
        if events[-1]["event"] == "removed" and "removed" not in told:
            events.pop()


def call_it_waiting(_: Outcome, theirs: Outcome) -> None:
    for events in theirs["events"].values():
        for told in events:
            if told["event"] == "removed" and told["prev"] == "wait":
                told["prev"] = "waiting"


def remove_parents_at_once(_: Outcome, theirs: Outcome) -> None:
    for events in theirs["events"].values():
        if _names(events) == ["added", "waiting-children", "waiting", "removed"]:
            events[2:] = [{"event": "removed", "prev": "waiting-children"}]


def tell_added_first(_: Outcome, theirs: Outcome) -> None:
    for events in theirs["events"].values():
        if _names(events)[:3] == ["deduplicated", "added", "delayed"]:
            events[:3] = [events[1], events[2], events[0]]


def keep_aside(ours: Outcome, theirs: Outcome) -> None:
    our, their = ours["steps"][-1], theirs["steps"][-1]
    for job_id in our["jobs"].keys() - their["jobs"].keys():
        their["jobs"][job_id] = our["jobs"][job_id]
        their["counts"]["waiting"] += 1
        theirs["events"][job_id] = [{"event": "added", "name": "task"}, {"event": "waiting"}]
        del theirs["events"][""]


def keep_id_taken(_: Outcome, theirs: Outcome) -> None:
    for job_id, events in theirs["events"].items():
        if _names(events)[-2:] == ["added", "waiting"] and len(events) > 2:
            events[-2:] = [{"event": "duplicated"}]
            del theirs["steps"][-1]["jobs"][job_id]
            theirs["steps"][-1]["counts"]["waiting"] -= 1


def free_at_once(ours: Outcome, theirs: Outcome) -> None:
    our, their = ours["steps"][-1], theirs["steps"][-1]
    job_id = our["answer"]
    if job_id is not None and their["answer"] is None:
        their["answer"] = job_id
        _move(their, their["jobs"][job_id], "active")
        their["jobs"][job_id]["attempts_started"] += 1
        theirs["order"].append(job_id)
        theirs["events"][job_id].append({"event": "active"})

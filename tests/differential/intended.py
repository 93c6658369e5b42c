"""Where vqueue differs from BullMQ on purpose: each difference makes two outcomes equal.

docs/conformance.md gives the reasons; a test holds the two together.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.differential.ours import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One intended difference."""

    #: As docs/conformance.md names it.
    name: str
    #: Gets our outcome and BullMQ's, and takes this difference out of them.
    apply: Callable[[Outcome, Outcome], None]


def _jobs(outcome: Outcome) -> list[tuple[str, dict[str, Any]]]:
    return list(outcome["jobs"].items())


def _clear_reasons(_: Outcome, theirs: Outcome) -> None:
    for _job_id, job in _jobs(theirs):
        if job["state"] == "completed":
            job["failed_reason"] = None


def _fail_parents_at_once(_: Outcome, theirs: Outcome) -> None:
    for job_id, job in _jobs(theirs):
        if (job["failed_reason"] or "").startswith("child "):
            job["attempts_made"] = job["attempts_started"] = 0
            theirs["order"] = [started for started in theirs["order"] if started != job_id]
            theirs["events"][job_id] = ["added", "waiting-children", "failed"]


def _name_children_alike(ours: Outcome, theirs: Outcome) -> None:
    for outcome in (ours, theirs):
        for _, job in _jobs(outcome):
            if job["failed_reason"]:
                job["failed_reason"] = re.sub(r"^child \S+:", "child ", job["failed_reason"])


def _leave_out(ours: Outcome, theirs: Outcome, event: str) -> None:
    for outcome in (ours, theirs):
        left = {
            job_id: [name for name in names if name != event]
            for job_id, names in outcome["events"].items()
        }
        outcome["events"] = {job_id: names for job_id, names in left.items() if names}


def _event(name: str) -> Callable[[Outcome, Outcome], None]:
    return lambda ours, theirs: _leave_out(ours, theirs, name)


def _drain_beside_delayed(ours: Outcome, theirs: Outcome) -> None:
    """Keep as many of our notices as BullMQ gives, the last ones."""
    names, told = ours["events"].get("", []), theirs["events"].get("", [])
    for _ in range(names.count("drained") - max(told.count("drained"), 1)):
        names.remove("drained")


def _tell_added_first(_: Outcome, theirs: Outcome) -> None:
    for names in theirs["events"].values():
        if names[:3] == ["deduplicated", "added", "delayed"]:
            names[:3] = ["added", "delayed", "deduplicated"]


def _tell_removals(ours: Outcome, theirs: Outcome) -> None:
    for job_id, names in ours["events"].items():
        if names[-1] == "removed" and "removed" not in theirs["events"].get(job_id, []):
            names.pop()


INTENDED = (
    Difference(name="a success clears the reason of earlier failures", apply=_clear_reasons),
    Difference(name="a parent fails together with its child", apply=_fail_parents_at_once),
    Difference(name="a child is named without the prefix of its key", apply=_name_children_alike),
    Difference(name="a change of priority or delay is told", apply=_event("changed")),
    Difference(name="a queue with delayed jobs can be drained", apply=_drain_beside_delayed),
    Difference(name="what drain and clean remove is told", apply=_tell_removals),
    Difference(name="a job is told before what it replaces", apply=_tell_added_first),
)

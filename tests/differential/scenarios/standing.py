"""Jobs that stand for others: deduplication; and jobs that are made: schedulers."""

from tests.differential.intended import (
    ADDED_FIRST,
    CLEARED_REASON,
    CLEARED_TRACES,
    DRAINED_BESIDE_DELAYED,
    KEPT_ASIDE,
    MADE_WHEN_DUE,
    REMOVED_FROM_WAITING,
    STALL_FIRST,
)
from tests.differential.scenario import Scenario

_FOREVER = {"id": "d"}
_THROTTLED = {"id": "d", "ttl": 60000}
_DEBOUNCED = {"id": "d", "ttl": 60000, "replace": True}
_LATER = {"type": "fixed", "delay": 60000}
_LAST = {"id": "d", "keep_last_if_active": True}

SCENARIOS = {
    "deduplication until the owner ends": Scenario(
        steps=[
            ["add", "a", {"deduplication": _FOREVER}],
            ["add", "b", {"deduplication": _FOREVER}],
            ["work", {}],
            ["add", "c", {"deduplication": _FOREVER}],
            ["work", {}],
        ],
    ),
    "deduplication lasts over attempts, and ends with the last": Scenario(
        steps=[
            ["add", "a", {"attempts": 2, "deduplication": _FOREVER}],
            ["take"],
            ["fail", "a"],
            ["add", "b", {"deduplication": _FOREVER}],
            ["take"],
            ["fail", "a"],
            ["add", "c", {"deduplication": _FOREVER}],
        ],
    ),
    "a throttled id stays taken when its job has ended": Scenario(
        steps=[
            ["add", "a", {"deduplication": _THROTTLED}],
            ["work", {}],
            ["add", "b", {"deduplication": _THROTTLED}],
            ["work", {}],
        ],
    ),
    "the newest takes the place of a delayed job": Scenario(
        steps=[
            ["add", "a", {"delay": 300, "deduplication": _DEBOUNCED}],
            ["add", "b", {"delay": 300, "deduplication": _DEBOUNCED}],
            ["work", {}],
        ],
        differs=(ADDED_FIRST,),
    ),
    "of those added while a job runs the newest runs once more": Scenario(
        steps=[
            ["add", "a", {"deduplication": _LAST}],
            ["take"],
            ["add", "b", {"deduplication": _LAST}],
            ["add", "c", {"deduplication": _LAST}],
            ["complete", "a"],
            ["work", {}],
        ],
    ),
    "the newest of those added between two attempts": Scenario(
        steps=[
            ["add", "a", {"attempts": 2, "backoff": _LATER, "deduplication": _LAST}],
            ["take"],
            ["fail", "a"],
            ["add", "b", {"deduplication": _LAST}],
            ["promote", "a"],
            ["take"],
            ["complete", "a"],
        ],
        differs=(
            CLEARED_REASON,
            KEPT_ASIDE,
        ),
    ),
    "removing the owner frees its deduplication id": Scenario(
        steps=[
            ["add", "a", {"deduplication": _THROTTLED}],
            ["remove", "a"],
            ["add", "b", {"deduplication": _THROTTLED}],
            ["free_deduplication", "d"],
            ["add", "c", {"deduplication": _THROTTLED}],
        ],
        differs=(REMOVED_FROM_WAITING,),
    ),
    "a scheduler ends at its limit": Scenario(
        steps=[["schedule", "s", {"every": 100, "limit": 3}, "tick"], ["work", {}]],
        differs=(
            MADE_WHEN_DUE,
            DRAINED_BESIDE_DELAYED,
        ),
    ),
    "a scheduler's job that is retried makes no further one": Scenario(
        steps=[
            ["schedule", "s", {"every": 100, "limit": 2}, "tick"],
            ["work", {"*": ["fail"]}],
            ["retry_jobs"],
            ["work", {}],
        ],
        differs=(
            CLEARED_TRACES,
            MADE_WHEN_DUE,
            DRAINED_BESIDE_DELAYED,
        ),
    ),
    "a scheduler's job waits and is taken": Scenario(
        steps=[
            ["schedule", "s", {"every": 60000}, "tick"],
            ["take"],
            ["take"],
        ],
        differs=(MADE_WHEN_DUE,),
    ),
    "a scheduler is changed before its first job": Scenario(
        steps=[
            ["schedule", "s", {"every": 300, "limit": 1, "start_in": 300}, "old"],
            ["schedule", "s", {"every": 300, "limit": 1, "start_in": 300}, "new"],
            ["work", {}],
        ],
        differs=(MADE_WHEN_DUE,),
    ),
    "a scheduler gets another interval before its first job": Scenario(
        steps=[
            ["schedule", "s", {"every": 60000, "start_in": 60000}, "old"],
            ["schedule", "s", {"every": 300, "limit": 1}, "new"],
            ["work", {}],
        ],
        differs=(MADE_WHEN_DUE,),
    ),
    "a scheduler is removed before its first job": Scenario(
        steps=[
            ["schedule", "s", {"every": 50, "start_in": 60000}, "tick"],
            ["unschedule", "s"],
        ],
        differs=(MADE_WHEN_DUE,),
    ),
    "a scheduler's job stalls again and again": Scenario(
        steps=[
            ["schedule", "s", {"every": 60000, "limit": 1}, "tick"],
            ["kill"],
            ["kill"],
            ["work", {}],
        ],
        differs=(STALL_FIRST,),
    ),
}

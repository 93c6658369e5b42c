"""Failing, attempts, parking, stalls and retries by hand."""

from tests.differential.intended import (
    CLEARED_REASON,
    CLEARED_TRACES,
    KEPT_PRIORITY,
    STALL_ENDS,
    STALL_FIRST,
    STALLED_PLACE,
)
from tests.differential.scenario import Scenario

SCENARIOS = {
    "retries at once until one succeeds": Scenario(
        steps=[["add", "a", {"attempts": 3}], ["work", {"a": ["fail", "fail", "ok"]}]],
        differs=(CLEARED_REASON,),
    ),
    "retries are exhausted": Scenario(
        steps=[["add", "a", {"attempts": 2}], ["work", {"a": ["fail", "fail"]}]],
    ),
    "exponential backoff": Scenario(
        steps=[
            ["add", "a", {"attempts": 3, "backoff": {"type": "exponential", "delay": 20}}],
            ["work", {"a": ["fail", "fail", "ok"]}],
        ],
        differs=(CLEARED_REASON,),
    ),
    "an attempt is retried behind its equals": Scenario(
        steps=[
            ["add", "a", {"attempts": 2, "priority": 2}],
            ["add", "b", {"priority": 2}],
            ["add", "c", {"priority": 3}],
            ["work", {"a": ["fail"]}],
        ],
        differs=(CLEARED_REASON,),
    ),
    "between two attempts": Scenario(
        steps=[
            ["add", "a", {"attempts": 2, "backoff": {"type": "fixed", "delay": 60000}}],
            ["take"],
            ["fail", "a"],
            ["promote", "a"],
            ["work", {}],
        ],
        differs=(CLEARED_REASON,),
    ),
    "an unrecoverable error": Scenario(
        steps=[["add", "a", {"attempts": 5}], ["work", {"a": ["unrecoverable"]}]],
    ),
    "a job parks itself": Scenario(
        steps=[["add", "a", {"attempts": 2}], ["work", {"a": ["delayed", "fail", "ok"]}]],
        differs=(CLEARED_REASON,),
    ),
    "a job meets a rate limit": Scenario(
        steps=[["add", "a", {"attempts": 2}], ["add", "b"], ["work", {"a": ["rate", "ok"]}]],
    ),
    "a failed job is retried by hand": Scenario(
        steps=[
            ["add", "a", {"priority": 4}],
            ["work", {"a": ["fail"]}],
            ["retry", "a", "failed", False],
            ["work", {"a": ["ok"]}],
        ],
        differs=(CLEARED_TRACES,),
    ),
    "a failed job is retried with its counters reset": Scenario(
        steps=[
            ["add", "a", {"attempts": 2}],
            ["work", {"a": ["fail", "fail"]}],
            ["retry", "a", "failed", True],
            ["work", {"a": ["fail", "ok"]}],
        ],
        differs=(
            CLEARED_REASON,
            CLEARED_TRACES,
        ),
    ),
    "a completed job is run again": Scenario(
        steps=[
            ["add", "a"],
            ["work", {}],
            ["retry", "a", "failed", False],
            ["retry", "a", "completed", False],
            ["work", {"a": ["fail"]}],
        ],
    ),
    "all that failed is retried": Scenario(
        steps=[
            ["add", "a", {"priority": 2}],
            ["add", "b", {"priority": 1}],
            ["add", "c"],
            ["work", {"a": ["fail"], "b": ["fail"], "c": ["fail"]}],
            ["retry_jobs"],
            ["work", {}],
        ],
        differs=(
            CLEARED_TRACES,
            KEPT_PRIORITY,
        ),
    ),
    "the job of a killed worker runs again": Scenario(
        steps=[["add", "a"], ["kill"], ["work", {}]],
        differs=(STALL_FIRST,),
    ),
    "the job of a killed worker goes before the others": Scenario(
        steps=[["concurrency", 1], ["add", "a"], ["add", "b"], ["kill"], ["work", {}]],
        differs=(STALL_FIRST,),
    ),
    "a prioritized job of a killed worker": Scenario(
        steps=[
            ["concurrency", 1],
            ["add", "urgent", {"priority": 1}],
            ["add", "late", {"priority": 5}],
            ["kill"],
            ["add", "plain"],
            ["work", {}],
        ],
        differs=(STALL_FIRST, STALLED_PLACE),
    ),
    "a job stalls too often": Scenario(
        steps=[["add", "a", {"attempts": 3}], ["kill"], ["kill"], ["work", {}]],
        differs=(
            STALL_FIRST,
            STALL_ENDS,
        ),
    ),
}

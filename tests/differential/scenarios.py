"""What is done to both queues, as data: a program for each side reads it.

A step is a list: its name, then its arguments.

===========  =======================================================================
add          id, options (as the two sides read them: times in ms)
work         ids → what their starts do in turn; jobs that are not named succeed
flow         a tree: {"id", "options", "children"}
others       pause, resume, drain, retry_jobs, promote_jobs; promote, remove, retry: id;
             change_priority, change_delay: id, value; clean: state
===========  =======================================================================

A start does one of: ok, fail, unrecoverable, delayed (parks itself for 20 ms), rate (puts
itself back for 20 ms), progress (reports 50, logs a line, then succeeds).
"""

from typing import Any

Step = list[Any]

SCENARIOS: dict[str, list[Step]] = {
    "first in, first out": [
        ["add", "a"],
        ["add", "b"],
        ["add", "c"],
        ["work", {}],
    ],
    "priorities, LIFO and plain jobs": [
        ["add", "late", {"priority": 9}],
        ["add", "urgent-1", {"priority": 1}],
        ["add", "urgent-2", {"priority": 1}],
        ["add", "plain"],
        ["add", "newest", {"lifo": True}],
        ["work", {}],
    ],
    "a delayed job comes when it is due": [
        ["add", "later", {"delay": 60}],
        ["add", "now"],
        ["work", {}],
    ],
    "a promoted job goes behind those that wait": [
        ["add", "later", {"delay": 60000}],
        ["add", "prior", {"delay": 60000, "priority": 2}],
        ["add", "now"],
        ["promote", "later"],
        ["promote", "prior"],
        ["work", {}],
    ],
    "retries at once until one succeeds": [
        ["add", "a", {"attempts": 3}],
        ["work", {"a": ["fail", "fail", "ok"]}],
    ],
    "retries are exhausted": [
        ["add", "a", {"attempts": 2}],
        ["work", {"a": ["fail", "fail"]}],
    ],
    "exponential backoff": [
        ["add", "a", {"attempts": 3, "backoff": {"type": "exponential", "delay": 20}}],
        ["work", {"a": ["fail", "fail", "ok"]}],
    ],
    "an unrecoverable error": [
        ["add", "a", {"attempts": 5}],
        ["work", {"a": ["unrecoverable"]}],
    ],
    "one id twice": [
        ["add", "a", {"priority": 3}],
        ["add", "a", {"priority": 1}],
        ["work", {}],
    ],
    "nothing is kept of completed jobs": [
        ["add", "a", {"remove_on_complete": True}],
        ["add", "b"],
        ["work", {}],
    ],
    "the newest of the completed jobs is kept": [
        ["add", "a", {"remove_on_complete": 1}],
        ["add", "b", {"remove_on_complete": 1}],
        ["add", "c", {"remove_on_complete": 1}],
        ["work", {}],
    ],
    "adds to a paused queue": [
        ["pause"],
        ["add", "a"],
        ["add", "b", {"priority": 1}],
        ["resume"],
        ["work", {}],
    ],
    "a failed job is retried by hand": [
        ["add", "a"],
        ["work", {"a": ["fail"]}],
        ["retry", "a"],
        ["work", {"a": ["ok"]}],
    ],
    "jobs are changed while they wait": [
        ["add", "a", {"priority": 5}],
        ["add", "b", {"priority": 5}],
        ["add", "c", {"delay": 60000}],
        ["add", "gone"],
        ["change_priority", "b", 1],
        ["change_delay", "c", 400],
        ["remove", "gone"],
        ["work", {}],
    ],
    "progress and a log": [
        ["add", "a"],
        ["work", {"a": ["progress"]}],
    ],
    "a job parks itself": [
        ["add", "a", {"attempts": 2}],
        ["work", {"a": ["delayed", "fail", "ok"]}],
    ],
    "a job meets a rate limit": [
        ["add", "a", {"attempts": 2}],
        ["add", "b"],
        ["work", {"a": ["rate", "ok"]}],
    ],
    "deduplication until the owner ends": [
        ["add", "a", {"deduplication": {"id": "d"}}],
        ["add", "b", {"deduplication": {"id": "d"}}],
        ["work", {}],
        ["add", "c", {"deduplication": {"id": "d"}}],
        ["work", {}],
    ],
    "a parent runs after its children": [
        ["flow", {"id": "parent", "children": [{"id": "left"}, {"id": "right"}]}],
        ["work", {}],
    ],
    "a child's failure fails its parent": [
        [
            "flow",
            {
                "id": "parent",
                "children": [{"id": "bad", "options": {"fail_parent_on_failure": True}}],
            },
        ],
        ["work", {"bad": ["fail"]}],
    ],
    "a child's failure is ignored": [
        [
            "flow",
            {
                "id": "parent",
                "children": [{"id": "bad", "options": {"ignore_dependency_on_failure": True}}],
            },
        ],
        ["work", {"bad": ["fail"]}],
    ],
    "a child's failure lets its parent go on": [
        [
            "flow",
            {
                "id": "parent",
                "children": [{"id": "bad", "options": {"continue_parent_on_failure": True}}],
            },
        ],
        ["work", {"bad": ["fail"]}],
    ],
    "a child's failure is forgotten": [
        [
            "flow",
            {
                "id": "parent",
                "children": [{"id": "bad", "options": {"remove_dependency_on_failure": True}}],
            },
        ],
        ["work", {"bad": ["fail"]}],
    ],
    "three levels": [
        [
            "flow",
            {"id": "root", "children": [{"id": "middle", "children": [{"id": "leaf"}]}]},
        ],
        ["work", {}],
    ],
    "a parent with a delay and one with a priority": [
        ["flow", {"id": "late", "options": {"delay": 30}, "children": [{"id": "one"}]}],
        ["flow", {"id": "urgent", "options": {"priority": 2}, "children": [{"id": "two"}]}],
        ["work", {}],
    ],
    "a throttled id stays taken when its job has ended": [
        ["add", "a", {"deduplication": {"id": "d", "ttl": 60000}}],
        ["work", {}],
        ["add", "b", {"deduplication": {"id": "d", "ttl": 60000}}],
        ["work", {}],
    ],
    "the newest takes the place of a delayed job": [
        ["add", "a", {"delay": 300, "deduplication": {"id": "d", "ttl": 60000, "replace": True}}],
        ["add", "b", {"delay": 300, "deduplication": {"id": "d", "ttl": 60000, "replace": True}}],
        ["work", {}],
    ],
    "all that failed is retried": [
        ["add", "a", {"priority": 2}],
        ["add", "b", {"priority": 1}],
        ["add", "c"],
        ["work", {"a": ["fail"], "b": ["fail"], "c": ["fail"]}],
        ["retry_jobs"],
        ["work", {}],
    ],
    "all that is delayed is promoted": [
        ["add", "a", {"delay": 60000}],
        ["add", "b", {"delay": 50000}],
        ["promote_jobs"],
        ["work", {}],
    ],
    "what waits is drained": [
        ["add", "a"],
        ["add", "b", {"priority": 1}],
        ["add", "c", {"delay": 300}],
        ["drain"],
        ["work", {}],
    ],
    "completed jobs are cleaned": [
        ["add", "a"],
        ["add", "b"],
        ["work", {"b": ["fail"]}],
        ["clean", "completed"],
    ],
}

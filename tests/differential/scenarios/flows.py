"""Flows: order, values and the failures of children."""

from typing import Any

from tests.differential.intended import (
    CLEARED_REASON,
    CLEARED_TRACES,
    DRAINED_BESIDE_DELAYED,
    FAILS_TOGETHER,
    FAILS_UNASKED,
    PLAIN_REF,
    REMOVED_AS_PARENT,
    REMOVED_FROM_WAITING,
    WAITS_IN_LINE,
)
from tests.differential.scenario import Scenario


def _parent(*children: dict[str, Any]) -> list[Any]:
    return ["flow", {"id": "parent", "children": list(children)}]


def _child(policy: str, **options: Any) -> dict[str, Any]:
    return {"id": "bad", "options": {policy: True, **options}}


_GOOD = {"id": "good"}
_BROKEN = {"bad": ["fail"], "parent": ["failures"]}

SCENARIOS = {
    "a parent runs after its children": Scenario(
        steps=[_parent({"id": "left"}, {"id": "right"}), ["work", {"parent": ["values"]}]],
    ),
    "three levels": Scenario(
        steps=[
            ["flow", {"id": "root", "children": [{"id": "middle", "children": [{"id": "leaf"}]}]}],
            ["work", {}],
        ],
    ),
    "a parent with a delay and one with a priority": Scenario(
        steps=[
            ["flow", {"id": "late", "options": {"delay": 300}, "children": [{"id": "one"}]}],
            ["flow", {"id": "urgent", "options": {"priority": 2}, "children": [{"id": "two"}]}],
            ["work", {}],
        ],
        differs=(DRAINED_BESIDE_DELAYED,),
    ),
    "a child's failure fails its parent": Scenario(
        steps=[_parent(_child("fail_parent_on_failure")), ["work", {"bad": ["fail"]}]],
        differs=(
            FAILS_TOGETHER,
            PLAIN_REF,
        ),
    ),
    "a child's failure fails its parent while another waits": Scenario(
        steps=[
            _parent(_child("fail_parent_on_failure"), _GOOD),
            ["take"],
            ["fail", "bad"],
            ["work", {}],
        ],
        differs=(
            FAILS_TOGETHER,
            PLAIN_REF,
        ),
    ),
    "a failure climbs to the root": Scenario(
        steps=[
            [
                "flow",
                {
                    "id": "root",
                    "children": [
                        {
                            "id": "middle",
                            "options": {"fail_parent_on_failure": True},
                            "children": [_child("fail_parent_on_failure")],
                        }
                    ],
                },
            ],
            ["work", {"bad": ["fail"]}],
        ],
        differs=(
            FAILS_TOGETHER,
            PLAIN_REF,
        ),
    ),
    "a child that failed its parent is retried": Scenario(
        steps=[
            _parent(_child("fail_parent_on_failure")),
            ["work", {"bad": ["fail"]}],
            ["retry", "bad", "failed", False],
            ["work", {}],
        ],
        differs=(
            CLEARED_TRACES,
            FAILS_TOGETHER,
            PLAIN_REF,
        ),
    ),
    "a child fails before its last attempt": Scenario(
        steps=[
            _parent(_child("fail_parent_on_failure", attempts=2)),
            ["work", {"bad": ["fail"], "parent": ["values"]}],
        ],
        differs=(CLEARED_REASON,),
    ),
    "a child's failure is ignored": Scenario(
        steps=[_parent(_child("ignore_dependency_on_failure"), _GOOD), ["work", _BROKEN]],
    ),
    "a child's failure lets its parent go on": Scenario(
        steps=[_parent(_child("continue_parent_on_failure")), ["work", _BROKEN]],
    ),
    "a child's failure lets its parent go on while another waits": Scenario(
        steps=[
            _parent(_child("continue_parent_on_failure", lifo=True), _GOOD),
            ["take"],
            ["fail", "bad"],
        ],
    ),
    "a child without an option fails": Scenario(
        steps=[_parent(_GOOD), ["take"], ["fail", "good"]],
        differs=(FAILS_UNASKED,),
    ),
    "a child's failure is forgotten": Scenario(
        steps=[_parent(_child("remove_dependency_on_failure"), _GOOD), ["work", _BROKEN]],
    ),
    "a parent in line gets a child while it waits": Scenario(
        steps=[["add", "parent"], _parent(_GOOD), ["work", {"parent": ["values"]}]],
        differs=(WAITS_IN_LINE,),
    ),
    "a delayed parent gets a child while it waits": Scenario(
        steps=[
            ["add", "parent", {"delay": 60_000}],
            _parent(_GOOD),
            ["promote", "parent"],
            ["work", {"parent": ["values"]}],
        ],
        differs=(WAITS_IN_LINE,),
    ),
    "the last child is removed": Scenario(
        steps=[_parent(_GOOD), ["remove", "good"], ["work", {}]],
        differs=(REMOVED_FROM_WAITING,),
    ),
    "a parent is removed with its children": Scenario(
        steps=[_parent(_GOOD, {"id": "other"}), ["remove", "parent"]],
        differs=(
            REMOVED_FROM_WAITING,
            REMOVED_AS_PARENT,
        ),
    ),
}

"""Changing, removing, promoting, draining and cleaning jobs."""

from tests.differential.intended import (
    CHANGES_TOLD,
    DRAINED_BESIDE_DELAYED,
    REMOVALS_TOLD,
    REMOVED_FROM_WAITING,
)
from tests.differential.scenario import Scenario

SCENARIOS = {
    "a promoted job goes behind those that wait": Scenario(
        steps=[
            ["add", "later", {"delay": 60000}],
            ["add", "prior", {"delay": 60000, "priority": 2}],
            ["add", "now"],
            ["promote", "later"],
            ["promote", "prior"],
            ["work", {}],
        ],
    ),
    "all that is delayed is promoted": Scenario(
        steps=[
            ["add", "a", {"delay": 60000}],
            ["add", "b", {"delay": 50000}],
            ["promote_jobs"],
            ["work", {}],
        ],
    ),
    "jobs are changed while they wait": Scenario(
        steps=[
            ["add", "a", {"priority": 5}],
            ["add", "b", {"priority": 5}],
            ["add", "c", {"delay": 60000}],
            ["add", "gone"],
            ["change_priority", "b", 1, False],
            ["change_delay", "c", 400],
            ["remove", "gone"],
            ["work", {}],
        ],
        differs=(
            CHANGES_TOLD,
            DRAINED_BESIDE_DELAYED,
            REMOVED_FROM_WAITING,
        ),
    ),
    "a changed priority goes before its equals with lifo": Scenario(
        steps=[
            ["add", "a", {"priority": 2}],
            ["add", "b", {"priority": 9}],
            ["add", "c", {"priority": 9}],
            ["change_priority", "b", 2, True],
            ["change_priority", "c", 2, False],
            ["work", {}],
        ],
        differs=(CHANGES_TOLD,),
    ),
    "a priority is given and taken away": Scenario(
        steps=[
            ["add", "a"],
            ["add", "b", {"priority": 2}],
            ["change_priority", "a", 3, False],
            ["change_priority", "b", 0, False],
            ["work", {}],
        ],
        differs=(CHANGES_TOLD,),
    ),
    "the priority of a delayed job is changed": Scenario(
        steps=[
            ["add", "a", {"delay": 60000, "priority": 5}],
            ["add", "b", {"priority": 3}],
            ["change_priority", "a", 1, False],
            ["promote", "a"],
            ["work", {}],
        ],
        differs=(CHANGES_TOLD,),
    ),
    "data are changed": Scenario(
        steps=[["add", "a"], ["update_data", "a", "new"], ["work", {}]],
        differs=(CHANGES_TOLD,),
    ),
    "calls that do not fit the state": Scenario(
        steps=[
            ["add", "a"],
            ["promote", "a"],
            ["change_delay", "a", 1000],
            ["retry", "a", "failed", False],
            ["take"],
            ["remove", "a"],
            ["retry", "a", "failed", False],
            ["promote", "unknown"],
            ["complete", "a"],
            ["retry", "a", "failed", False],
        ],
    ),
    "what waits is drained": Scenario(
        steps=[
            ["add", "a"],
            ["add", "b", {"priority": 1}],
            ["add", "c", {"delay": 300}],
            ["drain", False],
            ["work", {}],
        ],
        differs=(REMOVALS_TOLD,),
    ),
    "what is delayed is drained, too": Scenario(
        steps=[["add", "a"], ["add", "b", {"delay": 60000}], ["drain", True]],
        differs=(REMOVALS_TOLD,),
    ),
    "completed jobs are cleaned": Scenario(
        steps=[
            ["add", "a"],
            ["add", "b"],
            ["work", {"b": ["fail"]}],
            ["clean", "completed"],
        ],
        differs=(REMOVALS_TOLD,),
    ),
}

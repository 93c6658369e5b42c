"""Adding, the order of starts, retention and pause."""

from tests.differential.intended import DRAINED_BESIDE_DELAYED, KEPT_ID
from tests.differential.scenario import Scenario

SCENARIOS = {
    "first in, first out": Scenario(
        steps=[["add", "a"], ["add", "b"], ["add", "c"], ["work", {}]],
    ),
    "priorities, LIFO and plain jobs": Scenario(
        steps=[
            ["add", "late", {"priority": 9}],
            ["add", "urgent-1", {"priority": 1}],
            ["add", "urgent-2", {"priority": 1}],
            ["add", "plain"],
            ["add", "newest", {"lifo": True}],
            ["work", {}],
        ],
    ),
    "a delayed job comes when it is due": Scenario(
        steps=[["add", "later", {"delay": 300}], ["add", "now"], ["work", {}]],
        differs=(DRAINED_BESIDE_DELAYED,),
    ),
    "one id twice": Scenario(
        steps=[
            ["add", "a", {"priority": 3}],
            ["add", "a", {"priority": 1}],
            ["work", {}],
            ["add", "a"],
        ],
    ),
    "nothing is kept of completed jobs": Scenario(
        steps=[["add", "a", {"remove_on_complete": True}], ["add", "b"], ["work", {}]],
    ),
    "the id of a job of which nothing is kept": Scenario(
        steps=[["add", "a", {"remove_on_complete": True}], ["work", {}], ["add", "a"]],
        differs=(KEPT_ID,),
    ),
    "the newest of the completed jobs is kept": Scenario(
        steps=[
            ["add", "a", {"remove_on_complete": 1}],
            ["add", "b", {"remove_on_complete": 1}],
            ["add", "c", {"remove_on_complete": 1}],
            ["work", {}],
        ],
    ),
    "adds to a paused queue": Scenario(
        steps=[
            ["pause"],
            ["add", "a"],
            ["add", "b", {"priority": 1}],
            ["take"],
            ["resume"],
            ["work", {}],
        ],
    ),
    "progress and a log": Scenario(
        steps=[["add", "a"], ["work", {"a": ["progress"]}]],
    ),
}

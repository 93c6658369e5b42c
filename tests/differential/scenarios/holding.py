"""What holds jobs back: limits of the queue, and its pause, seen by taking jobs by hand."""

from tests.differential.intended import LIFTED_LIMIT
from tests.differential.scenario import Scenario

SCENARIOS = {
    "a rate limit of the queue": Scenario(
        steps=[
            ["limit", 2, 60000],
            ["add", "a"],
            ["add", "b"],
            ["add", "c"],
            ["take"],
            ["take"],
            ["take"],
            ["complete", "a"],
            ["take"],
            ["free_limit"],
            ["take"],
        ],
        differs=(LIFTED_LIMIT,),
    ),
    "a concurrency of the queue": Scenario(
        steps=[
            ["concurrency", 1],
            ["add", "a"],
            ["add", "b"],
            ["take"],
            ["take"],
            ["complete", "a"],
            ["take"],
            ["complete", "b"],
        ],
    ),
    "a pause lets active jobs end": Scenario(
        steps=[
            ["add", "a"],
            ["add", "b"],
            ["add", "c", {"delay": 60000}],
            ["take"],
            ["pause"],
            ["take"],
            ["promote", "c"],
            ["complete", "a"],
            ["take"],
            ["resume"],
            ["work", {}],
        ],
    ),
}

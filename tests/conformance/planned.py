"""Jobs that carry what is to become of them: the model of a random run.

Whatever happens on the way, kills, cuts and lost replies, an attempt that was broken off is made
again and one that has ended is not: so it is known beforehand how each job ends.
"""

import random
from dataclasses import dataclass
from typing import Any

from vqueue import DelayedError, Job, JobState, RateLimitError, UnrecoverableError

#: Why a job fails that was cancelled.
CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How a job ends."""

    state: JobState
    #: Its result, or why it failed.
    value: str | None
    attempts_made: int
    #: How often its handler has put it back.
    waited: int


def plan(dice: random.Random) -> list[list[Any]]:
    """Of each attempt, how often it puts its job back and how it ends; the last one is done."""
    attempts = [[dice.choice([0, 0, 1, 2]), "boom"] for _ in range(dice.randrange(4))]
    return [*attempts, [dice.choice([0, 0, 1]), dice.choice(["done", "done", "never"])]]


def foreseen(attempts: list[list[Any]], *, allowed: int) -> End:
    """How a job with this plan ends that is allowed so many attempts."""
    made = attempts[:allowed]
    last = made[-1][1]
    return End(
        state=JobState.COMPLETED if last == "done" else JobState.FAILED,
        value=last,
        attempts_made=len(made),
        waited=sum(waits for waits, _ in made),
    )


def found(job: Job) -> End:
    """How a job has ended."""
    return End(
        state=job.state,
        value=job.returnvalue if job.state == JobState.COMPLETED else job.failed_reason,
        attempts_made=job.attempts_made,
        waited=job.data["waited"],
    )


async def follow(job: Job, dice: random.Random) -> str:
    """End an attempt as the job's plan says.

    What has been waited for is kept in the data, which survive whoever changed them.
    """
    attempts, waited = job.data["plan"], job.data["waited"]
    if waited < sum(waits for waits, _ in attempts[: job.attempts_made + 1]):
        await job.update_data({**job.data, "waited": waited + 1})
        raise DelayedError(0.01) if dice.random() < 0.5 else RateLimitError(0.01)
    end: str = attempts[job.attempts_made][1]
    if end == "boom":
        raise ValueError(end)
    if end == "never":
        raise UnrecoverableError(end)
    return end

"""The states of a job, and the legal moves between them."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is; BullMQ's names."""

    #: Stands in line and may be taken at once.
    WAITING = "waiting"
    #: Stands in line behind every job without a priority, ordered by its own.
    PRIORITIZED = "prioritized"
    #: Waits for its time: added with a delay, or between two attempts.
    DELAYED = "delayed"
    #: Waits until its children have ended.
    WAITING_CHILDREN = "waiting-children"
    #: Held by a worker, whose lease is renewed.
    ACTIVE = "active"
    #: Its handler returned; final.
    COMPLETED = "completed"
    #: Out of attempts, unrecoverable, or stalled too often; final.
    FAILED = "failed"


FINAL_STATES = frozenset({JobState.COMPLETED, JobState.FAILED})

#: From → to, as the scripts do it. None is a job that does not exist (yet, or any more).
LEGAL_TRANSITIONS: dict[JobState | None, frozenset[JobState | None]] = {
    None: frozenset(
        {JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED, JobState.WAITING_CHILDREN}
    ),
    # failed: with a child, without being started for it
    JobState.WAITING: frozenset({JobState.ACTIVE, JobState.PRIORITIZED, JobState.FAILED, None}),
    JobState.PRIORITIZED: frozenset({JobState.ACTIVE, JobState.WAITING, JobState.FAILED, None}),
    JobState.DELAYED: frozenset({JobState.WAITING, JobState.PRIORITIZED, JobState.FAILED, None}),
    JobState.WAITING_CHILDREN: frozenset(
        {JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED, JobState.FAILED, None}
    ),
    JobState.ACTIVE: frozenset(
        {
            JobState.WAITING_CHILDREN,
            JobState.WAITING,
            JobState.PRIORITIZED,
            JobState.DELAYED,
            JobState.COMPLETED,
            JobState.FAILED,
            None,
        }
    ),
    # back to the line: retried by hand
    JobState.COMPLETED: frozenset(
        {JobState.WAITING, JobState.PRIORITIZED, JobState.WAITING_CHILDREN, None}
    ),
    JobState.FAILED: frozenset(
        {JobState.WAITING, JobState.PRIORITIZED, JobState.WAITING_CHILDREN, None}
    ),
}

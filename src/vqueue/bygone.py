"""Jobs that are gone, as their last events tell of them."""

from __future__ import annotations

from typing import NamedTuple

from vqueue.job import Job
from vqueue.job_events import JobEvent
from vqueue.states import JobState


class LastEvents(NamedTuple):
    """The events after which a job may be gone, of its latest life."""

    ended: JobEvent | None
    removed: JobEvent | None

    def followed_by(self, event: JobEvent) -> LastEvents:
        """Return what holds after another one."""
        if event.name == "removed":
            return self._replace(removed=event)
        return LastEvents(event, None)


#: Of a job of which none is known.
NO_EVENTS = LastEvents(None, None)


def job_from_event(event: JobEvent, queue_name: str) -> Job:
    """Build what a final event tells of a job that retention has removed."""
    job = Job(id=event.job_id, name="", data=None, queue_name=queue_name)
    job.state = JobState(event.name)
    job.attempts_made = event.data["attempts_made"]
    job.attempts_started = event.data["attempts_started"]
    job.processed_on = event.data["processed_on"]
    job.finished_on = event.timestamp
    job.returnvalue = event.data.get("returnvalue")
    job.failed_reason = event.data.get("failed_reason")
    return job

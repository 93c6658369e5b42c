"""Expiry: a job that is taken too late is not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vqueue.errors import JobExpired

if TYPE_CHECKING:
    from vqueue.job import Job


def expiry_of(job: Job) -> JobExpired | None:
    """Return what is to end an active job that starts for the first time, and too late."""
    limit_ms = job.options.get("expires_in")
    if limit_ms is None or job.attempts_started > 1:
        return None
    waited = (job.processed_on or 0) - (job.timestamp or 0)
    if waited * 1000 <= limit_ms:
        return None
    return JobExpired(
        f"expired: taken {waited:.3f} s after its add, later than {limit_ms / 1000:g} s"
    )

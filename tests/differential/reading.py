"""Options of a scenario, whose times are ms, as vqueue takes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from vqueue import Backoff, Deduplication, JobOptions, Repeat


def _seconds(read: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value / 1000 if key in names else value for key, value in read.items()}


def options_of(options: dict[str, Any] | None, *, job_id: str) -> JobOptions:
    """Read the options of a job."""
    read = _seconds(options or {}, "delay")
    if "backoff" in read:
        read["backoff"] = Backoff(**_seconds(read["backoff"], "delay"))
    if "deduplication" in read:
        read["deduplication"] = Deduplication(**_seconds(read["deduplication"], "ttl"))
    return JobOptions(job_id=job_id, **read)


def repeat_of(repeat: dict[str, Any]) -> Repeat:
    """Read when a scheduler makes jobs."""
    read = _seconds(repeat, "every")
    if "start_in" in read:
        read["start_date"] = datetime.now(UTC) + timedelta(milliseconds=read.pop("start_in"))
    return Repeat(**read)

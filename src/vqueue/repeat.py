"""Repeat: when a job scheduler makes jobs; JobScheduler: what is stored of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vqueue.codec import encode
from vqueue.errors import InvalidOption
from vqueue.quantities import Seconds, check_count, to_ms

#: What may become of slots that went by; see Repeat.missed.
MISSED_POLICIES = ("one", "skip", "all")


def date_ms(date: datetime | None) -> int:
    """Convert a date to ms since the epoch, None to 0."""
    return 0 if date is None else round(date.timestamp() * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """When a job scheduler makes jobs: exactly one of `every` and `pattern`."""

    #: Seconds between two slots.
    every: Seconds | None = None
    #: Cron pattern: five fields, or six with seconds in front.
    pattern: str | None = None
    #: Time zone of the pattern, a name of the IANA database.
    tz: str = "UTC"
    #: Slots of `every` are multiples of it since the epoch plus so many seconds; None has
    #: them counted from the first one, which is at once or at `start_date`.
    offset: Seconds | None = None
    #: No slot before it; must know its time zone.
    start_date: datetime | None = None
    #: No slot after it; must know its time zone.
    end_date: datetime | None = None
    #: Make one job at once, whatever the pattern or offset says; not with `start_date`.
    immediately: bool = False
    #: Jobs to make before the scheduler ends; None for no limit.
    limit: int | None = None
    #: What becomes of slots that went by while no worker took jobs: "one" makes one job for
    #: all of them, "skip" none when the latest is more than 5 s late, "all" one for each.
    missed: str = "one"
    #: False makes no job while the one before has not ended. Its slot counts as missed.
    overlap: bool = True

    def __post_init__(self) -> None:
        if (self.every is None) == (self.pattern is None):
            raise InvalidOption("give a job scheduler exactly one of every and pattern")
        if self.every is not None and to_ms(self.every, what="every") < 1:
            raise InvalidOption(f"every must be at least 0.001 s, not {self.every!r}")
        if self.offset is not None:
            to_ms(self.offset, what="offset")
            if self.every is None or self.start_date is not None:
                raise InvalidOption("offset belongs to every, and excludes start_date")
        if self.immediately and self.start_date is not None:
            raise InvalidOption("immediately and start_date exclude each other: choose one")
        for what, date in (("start_date", self.start_date), ("end_date", self.end_date)):
            if date is not None and date.tzinfo is None:
                raise InvalidOption(f"{what} {date} has no time zone: add tzinfo=")
        if self.limit is not None:
            check_count(self.limit, what="limit", low=1)
        if self.missed not in MISSED_POLICIES:
            raise InvalidOption(f"missed must be one, skip or all, not {self.missed!r}")

    @property
    def timing(self) -> bytes:
        """The part that makes a scheduler start again when it is changed, as JSON."""
        timing: dict[str, Any] = {
            "every": None if self.every is None else to_ms(self.every, what="every"),
            "pattern": self.pattern,
            "tz": self.tz if self.pattern is not None else None,
            "offset": None if self.offset is None else to_ms(self.offset, what="offset"),
            "start": date_ms(self.start_date) or None,
            "end": date_ms(self.end_date) or None,
        }
        return encode({k: v for k, v in timing.items() if v is not None}, "timing")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobScheduler:
    """A job scheduler as it is stored. Times are seconds since the epoch."""

    id: str
    #: Name and data of the jobs, and their stored options (times in ms).
    name: str
    data: Any
    options: dict[str, Any]
    every: float | None
    pattern: str | None
    tz: str | None
    offset: float | None
    start_date: float | None
    end_date: float | None
    limit: int | None
    missed: str
    overlap: bool
    #: Jobs made so far.
    iteration_count: int
    #: The next slot; None when the scheduler has ended, by its limit or end_date.
    next_run: float | None
    #: The job that was made last, None before the first one.
    job_id: str | None

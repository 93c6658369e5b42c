"""Times and counts as callers give them, checked: what does not fit is refused by its name.

Times are seconds in Python and milliseconds in Redis.
"""

from __future__ import annotations

from datetime import timedelta

from vqueue.errors import InvalidOption

Seconds = float | int | timedelta


def to_ms(value: Seconds, *, what: str) -> int:
    """Convert seconds or a timedelta to whole milliseconds; negative is refused."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e10:
        raise InvalidOption(f"{what} must be seconds from 0 on or a timedelta, not {value!r}")
    return round(value * 1000)


def duration_ms(value: Seconds, *, what: str, least_ms: int = 1) -> int:
    """Convert as `to_ms`; less than `least_ms` is refused too."""
    ms = to_ms(value, what=what)
    if ms < least_ms:
        raise InvalidOption(f"{what} must be at least {least_ms / 1000:g} s, not {value!r}")
    return ms


def check_count(value: int, *, what: str, low: int, high: int | None = None) -> None:
    """Raise InvalidOption unless the value is an integer within the bounds."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= low
    if not fits or (high is not None and value > high):
        bounds = f"of at least {low}" if high is None else f"of {low} to {high}"
        raise InvalidOption(f"{what} must be an integer {bounds}, not {value!r}")

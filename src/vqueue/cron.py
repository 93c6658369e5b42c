"""The times that a cron pattern names, in a time zone (extra ``cron``).

Five fields (minute hour day-of-month month day-of-week), or six with seconds first. What
happens when clocks change is Debian's cron: a five-field pattern that names hours runs once
in a repeated hour, and right after a skipped one; patterns with ``*`` in minute or hour follow
the clock on the wall as it ticks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vqueue.errors import InvalidOption

#: Spellings of BullMQ's and Debian's.
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

#: Slots that are listed at once: at least so many, and those of so many ms.
_FEWEST, HORIZON_MS, _MOST = 3, 900_000, 300


class CronPattern:
    """A pattern in a time zone. Raises InvalidOption for one that cannot be read."""

    def __init__(self, pattern: str, tz: str = "UTC") -> None:
        self._pattern = _NICKNAMES.get(pattern, pattern)
        self.tz = tz
        try:
            self._zone = UTC if tz == "UTC" else ZoneInfo(tz)
        except (ZoneInfoNotFoundError, ValueError, IsADirectoryError) as error:
            raise InvalidOption(
                f"time zone {tz!r} is refused ({error}); give a name of the IANA database as "
                "Europe/Berlin, and install tzdata where the system has none"
            ) from None
        next(self.after(0), None)  # say now what is wrong with it

    def after(self, ms: int) -> Iterator[int]:
        """Give the times later than `ms` (both since the epoch), in order.

        Ends when there is none within 50 years.
        """
        simulated = self._simulate(ms, reverse=False)
        for moment in simulated:
            found = round(moment.timestamp() * 1000)
            if found > ms:
                yield found

    def latest(self, ms: int) -> int | None:
        """Return the last time that is not later than `ms`, None for none in 50 years."""
        moment = next(self._simulate(ms + 1000, reverse=True), None)
        while moment is not None and moment.timestamp() * 1000 > ms:
            moment = next(self._simulate(round(moment.timestamp() * 1000), reverse=True), None)
        return None if moment is None else round(moment.timestamp() * 1000)

    def _simulate(self, ms: int, *, reverse: bool) -> Iterator[datetime]:
        try:
            from cronsim import CronSim, CronSimError
        except ImportError as error:
            raise InvalidOption(
                f"cron pattern {self._pattern!r} needs a package that is not installed: "
                "pip install vqueue[cron]"
            ) from error
        try:
            return CronSim(self._pattern, datetime.fromtimestamp(ms / 1000, self._zone), reverse)
        except CronSimError as error:
            raise InvalidOption(
                f"cron pattern {self._pattern!r} is refused ({error}); write minute hour "
                "day-of-month month day-of-week, with seconds in front if need be"
            ) from None


def list_slots(
    pattern: CronPattern, *, after_ms: int, now_ms: int, last_ms: int
) -> tuple[list[int], bool]:
    """Return the next slots after `after_ms`, and whether none comes after them.

    Enough for `HORIZON_MS` from now on and at least three, but not more than 300; none later
    than `last_ms` (0 for no limit).
    """
    slots: list[int] = []
    for slot in pattern.after(after_ms):
        if last_ms and slot > last_ms:
            return slots, True
        slots.append(slot)
        far = len(slots) >= _FEWEST and slot > now_ms + HORIZON_MS
        if far or len(slots) == _MOST:
            return slots, False
    return slots, True

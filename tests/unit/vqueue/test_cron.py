"""Cron patterns: the times that they name, also where the clock jumps."""

from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from vqueue import InvalidOption
from vqueue.cron import CronPattern, list_slots

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, *, fold: int = 0) -> int:
    """Milliseconds of a time on Berlin's walls; fold 1 is its second occurrence."""
    moment = datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)
    return round(moment.timestamp() * 1000)


def times(pattern: str, start: str, count: int) -> list[int]:
    return list(islice(CronPattern(pattern, "Europe/Berlin").after(ms(start)), count))


def test_a_daily_time_stays_the_same_on_the_wall_when_clocks_change() -> None:
    assert times("0 9 * * *", "2026-03-28T12:00", 2) == [
        ms("2026-03-29T09:00"),
        ms("2026-03-30T09:00"),
    ]
    day = times("0 9 * * *", "2026-10-24T12:00", 2)
    assert day[1] - day[0] == 24 * 3600_000
    assert day[0] - ms("2026-10-24T09:00") == 25 * 3600_000


def test_a_time_that_is_skipped_in_spring_runs_right_after() -> None:
    assert times("30 2 * * *", "2026-03-28T12:00", 2) == [
        ms("2026-03-29T03:00"),
        ms("2026-03-30T02:30"),
    ]


def test_a_time_that_comes_twice_in_autumn_runs_once() -> None:
    assert times("30 2 * * *", "2026-10-24T12:00", 2) == [
        ms("2026-10-25T02:30"),
        ms("2026-10-26T02:30"),
    ]


def test_a_pattern_of_minutes_follows_real_time_over_both_changes() -> None:
    for start in ("2026-03-29T01:00", "2026-10-25T01:00"):
        slots = times("*/30 * * * *", start, 8)
        assert {b - a for a, b in pairwise(slots)} == {1_800_000}


def test_times_are_later_than_asked_and_the_latest_is_not() -> None:
    pattern = CronPattern("*/5 * * * *")
    assert next(pattern.after(600_000)) == 900_000
    assert next(pattern.after(599_999)) == 600_000
    assert pattern.latest(600_000) == 600_000
    assert pattern.latest(599_999) == 300_000
    assert pattern.latest(600_500) == 600_000


def test_seconds_may_stand_in_front_and_nicknames_are_known() -> None:
    assert next(CronPattern("30 * * * * *").after(0)) == 30_000
    assert next(CronPattern("@hourly").after(1)) == 3_600_000


def test_a_list_covers_the_horizon_and_has_three_slots_at_least() -> None:
    daily, is_final = list_slots(CronPattern("0 0 * * *"), after_ms=0, now_ms=0, last_ms=0)
    assert (len(daily), is_final) == (3, False)
    minutes, _ = list_slots(CronPattern("* * * * *"), after_ms=0, now_ms=0, last_ms=0)
    assert minutes[-1] == 960_000
    ended = list_slots(CronPattern("* * * * *"), after_ms=0, now_ms=0, last_ms=120_000)
    assert ended == ([60_000, 120_000], True)


@pytest.mark.parametrize("pattern", ["", "* * * *", "60 * * * *", "* * * * * * *", "a * * * *"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidOption, match="cron pattern"):
        CronPattern(pattern)


@pytest.mark.parametrize("tz", ["Mars/Olympus", "../etc/passwd", "", "Europe"])
def test_an_unknown_time_zone_is_refused(tz: str) -> None:
    with pytest.raises(InvalidOption, match="time zone"):
        CronPattern("* * * * *", tz)

import asyncio

import pytest

from vworker.meter import Meter, Phase


async def test_percents_rise_through_the_phases_and_the_last_is_told_before_the_end() -> None:
    told: list[int] = []

    async def report(percent: int) -> None:
        told.append(percent)

    meter = Meter(report)
    async with asyncio.TaskGroup() as group:
        group.create_task(meter.relay())
        for phase, fraction in [
            (Phase.DOWNLOAD, 1.0),
            (Phase.ENCODE, 0.5),
            (Phase.ENCODE, 0.2),
            (Phase.DOWNLOAD, 0.5),
            (Phase.ENCODE, 7.0),
            (Phase.PUBLISH, 1.0),
        ]:
            meter.advance(phase, fraction)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        meter.finish()
    assert told[-1] == 99
    assert told == sorted(told)


async def test_advances_made_while_a_report_is_under_way_are_told_as_one() -> None:
    told: list[int] = []
    first_is_under_way, go_on = asyncio.Event(), asyncio.Event()

    async def report(percent: int) -> None:
        told.append(percent)
        first_is_under_way.set()
        await go_on.wait()

    meter = Meter(report)
    async with asyncio.TaskGroup() as group:
        group.create_task(meter.relay())
        meter.advance(Phase.ENCODE, 0.1)
        await first_is_under_way.wait()
        for step in range(2, 10):
            meter.advance(Phase.ENCODE, step / 10)
        meter.finish()
        go_on.set()
    assert told == [18, 86]


async def test_what_the_report_raises_ends_the_relay() -> None:
    async def report(percent: int) -> None:
        raise RuntimeError("lease lost")

    meter = Meter(report)
    meter.advance(Phase.DOWNLOAD, 1.0)
    with pytest.raises(RuntimeError, match="lease lost"):
        await meter.relay()

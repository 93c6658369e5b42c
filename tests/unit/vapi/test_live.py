"""What a slow client finds in its slot: the newest of everything, in bounded memory."""

import asyncio
from typing import Any

import pytest

from vapi.live import LiveStates, Notice
from vqueue import JobEvent


def event(name: str, version: int, **data: Any) -> JobEvent:
    return JobEvent(
        name=name, job_id="v", data=data, id=f"{version}-0/0", number=version, version=version
    )


def test_the_newest_progress_and_the_newest_change_win() -> None:
    notice = Notice()
    for happened in (
        event("active", 1),
        event("progress", 2, progress=10),
        event("progress", 3, progress=20),
        event("completed", 4),
    ):
        notice.add(happened)
    assert (notice.progress, notice.progress_at) == (20, 3)
    assert notice.changed_at == 4
    assert notice.final is not None
    assert notice.final.name == "completed"


def test_a_job_that_goes_on_is_not_final_any_more() -> None:
    notice = Notice()
    notice.add(event("failed", 1))
    notice.add(event("added", 2))
    assert notice.final is None


async def test_a_slot_is_emptied_when_it_is_taken() -> None:
    live = LiveStates("q", "redis://127.0.0.1:1/0")
    with live.subscribe("v") as subscription:
        subscription.fill().add(event("active", 1))
        assert (await subscription.take()).changed_at == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await subscription.take()


async def test_closing_ends_present_and_future_subscriptions() -> None:
    live = LiveStates("q", "redis://127.0.0.1:1/0")
    with live.subscribe("v") as present:
        live.close()
        assert (await present.take()).closed
        with live.subscribe("v") as future:
            assert (await future.take()).closed
        # closed stays closed
        assert (await present.take()).closed

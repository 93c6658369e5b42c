"""Custom events: in the stream with the queue's own, numbered with them."""

import pytest

from tests.support.driver import Driver
from vqueue import InvalidOption, Queue, QueueEvents


async def test_readers_get_the_name_and_the_data(
    driver: Driver, queue: Queue, redis_url: str
) -> None:
    async with QueueEvents(queue.name, redis_url) as events:
        await driver.add("a")
        await queue.emit_event("exported", {"rows": 3, "of": {"a": "é"}}, job_id="a")
        await queue.emit_event("deployed")
        seen = []
        async for event in events:
            seen.append(event)
            if event.name == "deployed":
                break
    assert [event.name for event in seen] == ["added", "waiting", "exported", "deployed"]
    assert (seen[2].job_id, seen[2].data) == ("a", {"rows": 3, "of": {"a": "é"}})
    assert (seen[3].job_id, seen[3].data) == ("", {})
    assert [event.number for event in seen] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["completed", "gap", "drained", "", "a b"])
async def test_names_of_the_queues_own_events_are_refused(queue: Queue, name: str) -> None:
    with pytest.raises(InvalidOption, match="event name"):
        await queue.emit_event(name)


async def test_data_must_be_a_mapping_that_json_can_hold(queue: Queue) -> None:
    with pytest.raises(InvalidOption, match="mapping"):
        await queue.emit_event("x", [1])  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="JSON"):
        await queue.emit_event("x", {"a": object()})

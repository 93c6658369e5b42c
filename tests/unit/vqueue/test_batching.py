"""Batcher: calls of one turn of the event loop travel together, in order."""

import asyncio
from collections.abc import Sequence

import pytest

from vqueue.batching import Batcher


class Wire:
    """Answers each item with its double; may be held, and may fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.in_flight = self.most_in_flight = 0
        self.passes = asyncio.Event()
        self.passes.set()
        self.error: Exception | None = None

    async def send(self, items: Sequence[int]) -> list[int]:
        """Send one batch."""
        self.batches.append(list(items))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await self.passes.wait()
        self.in_flight -= 1
        if self.error is not None:
            raise self.error
        return [2 * item for item in items]


async def turns(count: int = 5) -> None:
    """Let everything run that can run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_calls_of_one_turn_travel_together_in_order() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=100)
    assert await asyncio.gather(*map(batcher.submit, range(10))) == list(range(0, 20, 2))
    assert wire.batches == [list(range(10))]


async def test_one_call_alone_leaves_at_once() -> None:
    wire = Wire()
    assert await Batcher(wire.send, max_items=100).submit(21) == 42


async def test_one_batch_is_in_flight_and_the_next_gathers_behind_it() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=100)
    wire.passes.clear()
    calls = [batcher.submit(1)]
    await turns()
    for item in (2, 3):
        calls.append(batcher.submit(item))
        await turns()
    assert wire.batches == [[1]]
    wire.passes.set()
    assert await asyncio.gather(*calls) == [2, 4, 6]
    assert wire.batches == [[1], [2, 3]]
    assert wire.most_in_flight == 1


async def test_a_batch_has_at_most_so_many_items() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=4)
    await asyncio.gather(*map(batcher.submit, range(10)))
    assert wire.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_a_batch_has_at_most_so_many_bytes_but_one_item_goes_always() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=100, max_bytes=10)
    sizes = [4, 6, 1, 50, 5, 5]
    await asyncio.gather(
        *(batcher.submit(item, size_bytes=size) for item, size in enumerate(sizes))
    )
    assert wire.batches == [[0, 1], [2], [3], [4, 5]]


async def test_an_error_goes_to_each_caller_of_its_batch_only() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=2)
    wire.error = ConnectionError("gone")
    failed = await asyncio.gather(*map(batcher.submit, (1, 2)), return_exceptions=True)
    assert [str(error) for error in failed] == ["gone", "gone"]
    wire.error = None
    assert await batcher.submit(3) == 6


async def test_a_cancelled_caller_leaves_its_neighbours_their_replies() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=10)
    wire.passes.clear()
    calls = [batcher.submit(item) for item in (1, 2, 3)]
    await turns()
    calls[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[1]
    wire.passes.set()
    assert [await calls[0], await calls[2]] == [2, 6]


async def test_an_error_for_a_cancelled_caller_reaches_the_others() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=10)
    wire.passes.clear()
    calls = [batcher.submit(item) for item in (1, 2)]
    await turns()
    calls[0].cancel()
    wire.error = ConnectionError("gone")
    wire.passes.set()
    with pytest.raises(ConnectionError):
        await calls[1]


async def test_drain_waits_for_everything_that_was_submitted() -> None:
    wire = Wire()
    batcher = Batcher(wire.send, max_items=1)
    await batcher.drain()
    calls = [batcher.submit(item) for item in range(3)]
    await turns(1)
    await batcher.drain()
    assert wire.batches == [[0], [1], [2]]
    assert await asyncio.gather(*calls) == [0, 2, 4]

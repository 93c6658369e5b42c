"""Fixtures over the session's Redis for the tests of vqueue."""

from collections.abc import AsyncIterator

import pytest

from tests.support.driver import Driver
from tests.support.invariants import check_invariants
from vqueue import Queue


@pytest.fixture(autouse=True)
async def proved_invariants(redis_url: str, queue_name: str) -> AsyncIterator[None]:
    """Every test leaves its queue with each job in exactly one state."""
    yield
    await check_invariants(redis_url, queue_name)


@pytest.fixture
async def driver(redis_url: str, queue_name: str) -> AsyncIterator[Driver]:
    """The scripts of this test's queue."""
    driver = Driver(redis_url, queue_name)
    yield driver
    await driver.close()


@pytest.fixture
async def queue(redis_url: str, queue_name: str) -> AsyncIterator[Queue]:
    """This test's queue."""
    async with Queue(queue_name, redis_url) as queue:
        yield queue


@pytest.fixture
async def other(redis_url: str, queue_name: str) -> AsyncIterator[Driver]:
    """A second queue of the same server; its invariants hold at the end, too."""
    driver = Driver(redis_url, f"{queue_name}-other")
    yield driver
    await driver.check()
    await driver.close()

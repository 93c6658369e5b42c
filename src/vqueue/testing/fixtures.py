"""Fixtures for pytest: write ``pytest_plugins = ["vqueue.testing.fixtures"]`` in conftest.py."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from vqueue.testing.server import embedded_redis


@pytest.fixture(scope="session")
def vqueue_redis() -> Iterator[str]:
    """URL of a server of this session's own."""
    with embedded_redis() as url:
        yield url


@pytest.fixture
def vqueue_name() -> str:
    """A queue name that no other test uses."""
    return f"test-{secrets.token_hex(6)}"

"""The whole service over servers of the session, with keys and documents of the test's own."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from devstack import Stack
from tests.support.clips import Clips
from tests.support.invariants import check_invariants
from tests.support.service import Service
from tests.support.stack import S3Settings


@pytest.fixture(scope="session")
def clips(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Short videos, each made when it is first asked for."""
    return Clips(ffmpeg, tmp_path_factory.mktemp("clips"))


@pytest.fixture
def own_redis_url(redis_url: str) -> Iterator[str]:
    """A database of Redis that holds nothing but what this test makes."""
    url = redis_url.rpartition("/")[0] + "/7"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url


@pytest.fixture
async def service(
    own_redis_url: str,
    mongodb_uri: str,
    s3_settings: S3Settings,
    stack: Stack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Service]:
    """No process runs yet. In the end the queue's invariants are proved."""
    for name, value in s3_settings.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    service = Service(
        {
            "REDIS_URL": own_redis_url,
            "MONGODB_URI": mongodb_uri,
            **s3_settings.variables,
            **stack.ffmpeg,
        },
        tmp_path,
    )
    assert os.environ["AWS_ACCESS_KEY_ID"]
    try:
        yield service
        await check_invariants(own_redis_url, service.queue_name)
    finally:
        await service.close()

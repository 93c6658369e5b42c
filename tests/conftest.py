"""Fixtures that name the real servers of the session.

A server starts when the first test asks for its fixture and stops with the session; a variable
that is already set (REDIS_URL, MONGODB_URI, S3_ENDPOINT_URL, FFMPEG …) is used instead. Tests
share the servers, so each works under a name of its own: `queue_name`, `mongodb_uri`. A test that
kills or pauses a server starts its own one from `devstack`.
"""

import secrets
from collections.abc import Iterator

import pytest

from devstack import Stack
from tests.support.stack import S3Settings, fresh_database, start_s3
from vworker.sandbox import Sandbox, open_sandbox


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The session's servers, none of them started by this fixture."""
    with Stack() as stack:
        yield stack
        # its data go with it, and an orderly end waits ten seconds for idle connections
        stack.s3.kill()


@pytest.fixture(scope="session")
def redis_url(stack: Stack) -> str:
    """Database 0 of the session's Redis; keys of other tests are in it."""
    return stack.use(stack.redis)["REDIS_URL"]


@pytest.fixture
def queue_name() -> str:
    """A queue name that no other test uses."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture(scope="session")
def mongodb_server_uri(stack: Stack) -> str:
    """The session's MongoDB, with the product's database in the path."""
    return stack.use(stack.mongo)["MONGODB_URI"]


@pytest.fixture
def mongodb_uri(mongodb_server_uri: str) -> Iterator[str]:
    """An empty database of this test's own on the session's MongoDB."""
    with fresh_database(mongodb_server_uri) as uri:
        yield uri


@pytest.fixture(scope="session")
def s3_settings(stack: Stack) -> S3Settings:
    """The session's S3 bucket; objects of other tests are in it."""
    return start_s3(stack)


@pytest.fixture(scope="session")
def ffmpeg(stack: Stack) -> str:
    """The path of ffmpeg."""
    return stack.ffmpeg["FFMPEG"]


@pytest.fixture(scope="session")
def ffprobe(stack: Stack) -> str:
    """The path of ffprobe."""
    return stack.ffmpeg["FFPROBE"]


@pytest.fixture(scope="session")
def sandbox(ffmpeg: str, ffprobe: str) -> Sandbox:
    """The best sandbox that works on this machine."""
    return open_sandbox("prefer", ffmpeg=ffmpeg, ffprobe=ffprobe)


@pytest.fixture(scope="session")
def bare(ffmpeg: str, ffprobe: str) -> Sandbox:
    """The lowest level, in which a script that stands for FFmpeg can do what it likes."""
    return open_sandbox("rlimits", ffmpeg=ffmpeg, ffprobe=ffprobe)

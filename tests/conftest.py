"""Fixtures that name the real servers of the session.

A server starts when the first test asks for its fixture and stops with the session; a variable
that is already set (REDIS_URL, MONGODB_URI, S3_ENDPOINT_URL, FFMPEG …) is used instead. Tests
share the servers, so each works under a name of its own: `queue_name`, `mongodb_uri`. A test that
kills or pauses a server starts its own one from `devstack`.

`make test` runs whole files side by side, in processes that have servers of their own each.
"""

import os
import secrets
from collections.abc import Iterator

import pytest

from devstack import Stack
from tests.support.stack import S3Settings, fresh_database, start_s3
from vworker.sandbox import Sandbox, open_sandbox

# For two cores: one process alone leaves a core idle while it waits for a lease, a backoff or a
# playback. Of three, the FFmpegs leave too little to servers that have to answer within a second.
_SIDE_BY_SIDE = 2
_GIVEN_SERVERS = ("REDIS_URL", "MONGODB_URI", "S3_ENDPOINT_URL")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many test processes `-n auto` means: 0 for all in one where servers are given.

    Tests in two processes would meet on a given server: some fill its memory, count its commands,
    or empty a database of it.
    """
    return 0 if any(map(os.environ.get, _GIVEN_SERVERS)) else _SIDE_BY_SIDE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the corpus took: it is to stay below three minutes on two cores."""
    reports = [
        report
        for found in terminalreporter.stats.values()
        for report in found
        if isinstance(report, pytest.TestReport) and "/test_corpus.py::" in report.nodeid
    ]
    if reports:
        files = len({report.nodeid for report in reports})
        seconds = sum(report.duration for report in reports)
        terminalreporter.write_line(f"corpus: {files} files in {seconds:.0f} s")


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

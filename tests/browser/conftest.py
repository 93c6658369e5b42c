"""A real API and worker behind a real browser; the video of a module is transcoded once."""

import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from devstack import Stack
from devstack.api_client import ApiClient
from devstack.process import ChildProcess
from tests.browser.devtools import Browser, running_browser
from tests.support.api import Api, running_api
from tests.support.clips import Clips
from tests.support.stack import S3Settings, fresh_database


@pytest.fixture(scope="session")
def clips(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Short videos, each made when it is first asked for."""
    return Clips(ffmpeg, tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def environ(
    redis_url: str,
    mongodb_server_uri: str,
    s3_settings: S3Settings,
    stack: Stack,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """The environment of the module's API and worker, with databases of its own."""
    own_redis_url = redis_url.rpartition("/")[0] + "/9"
    with (
        redis.Redis.from_url(own_redis_url) as client,
        fresh_database(mongodb_server_uri) as mongodb_uri,
    ):
        client.flushdb()
        yield {
            "PATH": os.environ["PATH"],
            "REDIS_URL": own_redis_url,
            "MONGODB_URI": mongodb_uri,
            **s3_settings.variables,
            **stack.ffmpeg,
            "WORKER_TEMP_DIR": str(tmp_path_factory.mktemp("scratch")),
            "WORKER_PRESET": "ultrafast",
            "WORKER_SANDBOX": "prefer",
        }


@pytest.fixture(scope="module")
def api(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A running API, before which no worker runs."""
    with running_api(environ, tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture(scope="module")
def worker(
    api: Api, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChildProcess]:
    """A running worker."""
    process = ChildProcess(
        [sys.executable, "-m", "vworker"],
        log_path=tmp_path_factory.mktemp("worker") / "worker.log",
        environ=environ,
    )
    yield process
    process.stop(20)


@pytest.fixture(scope="module")
def watched(api: Api, worker: ChildProcess, clips: Clips) -> str:
    """The URL of the playback page of a completed video: `Clips.standard`."""
    client = ApiClient("127.0.0.1", api.port)
    video_id = client.upload(clips.standard())
    last = list(client.states(video_id))[-1]
    video = client.video(video_id)
    assert last.status == "completed", json.dumps(video, indent=1)
    return api.url + str(video["links"]["watch"])


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """A Chromium with an empty profile."""
    async with running_browser(tmp_path) as browser:
        yield browser


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the module's API."""
    async with api.client() as client:
        yield client

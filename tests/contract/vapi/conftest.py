"""An API per test module, over the session's servers with a database of its own."""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import redis
from motor.motor_asyncio import AsyncIOMotorCollection

from tests.support.api import Api, running_api
from tests.support.stack import S3Settings, fresh_database
from vqueue import Queue
from vworker.catalog import Catalog, open_client
from vworker.contract import QUEUE_NAME
from vworker.presence import Presence


@pytest.fixture(scope="module")
def api_environ(
    redis_url: str, mongodb_server_uri: str, s3_settings: S3Settings
) -> Iterator[dict[str, str]]:
    """The environment of an API: databases that hold nothing but what this module makes."""
    own_redis_url = redis_url.rpartition("/")[0] + "/8"
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
        }


@pytest.fixture(scope="module")
def api(api_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A running API, with an upload limit that a test can reach."""
    environ = api_environ | {"VAPI_MAX_UPLOAD_BYTES": str(300 * 1000 * 1000)}
    with running_api(environ, tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the module's API."""
    async with api.client() as client:
        yield client


@pytest.fixture
def videos(api_environ: dict[str, str]) -> Iterator[AsyncIOMotorCollection[dict[str, Any]]]:
    """The collection of the videos' documents."""
    client = open_client(api_environ["MONGODB_URI"], server_selection_timeout=5)
    yield Catalog(client).collection
    client.close()


@pytest.fixture
async def queue(api_environ: dict[str, str]) -> AsyncIterator[Queue]:
    """The queue that the API adds to."""
    async with Queue(QUEUE_NAME, api_environ["REDIS_URL"]) as queue:
        yield queue


@pytest.fixture
def presence(api_environ: dict[str, str]) -> Iterator[Presence]:
    """The record of workers that the API tells of."""
    client = open_client(api_environ["MONGODB_URI"], server_selection_timeout=5)
    yield Presence(client)
    client.close()

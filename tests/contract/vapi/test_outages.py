"""Redis or MongoDB away: 503 in time, and back by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest

from devstack.mongod import Mongod
from devstack.seaweedfs import SeaweedFS
from devstack.server import Server
from devstack.valkey import Valkey
from tests.support.api import ANSWER_BOUND_S, Api, assert_problem, running_api
from tests.support.stack import S3Settings
from tests.support.waiting import until
from vqueue import Job, UnrecoverableError, Worker
from vworker.catalog import Catalog, open_client
from vworker.contract import QUEUE_NAME

#: Requests at the same time: more than the drivers have threads or connections.
_CROWD = 60


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path / "redis") as server:
        server.start()
        yield server


@pytest.fixture
def mongo_server(tmp_path: Path) -> Iterator[Mongod]:
    with Mongod(tmp_path / "mongo") as server:
        server.start()
        yield server


@pytest.fixture
def api(
    redis_server: Valkey,
    mongo_server: Mongod,
    s3_settings: S3Settings,
    tmp_path: Path,
) -> Iterator[Api]:
    environ = redis_server.settings() | mongo_server.settings() | s3_settings.variables
    with running_api({"PATH": "/usr/bin:/bin", **environ}, tmp_path) as api:
        yield api


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(timeout=ANSWER_BOUND_S) as client:
        yield client


async def submitted(http: httpx.AsyncClient) -> httpx.Response:
    return await http.post("/v1/videos", json={"source": "a.mp4"})


async def recovered(http: httpx.AsyncClient) -> None:
    async def accepts() -> bool:
        return (await submitted(http)).status_code == 201

    await until(accepts, deadline=20, what="the API to accept videos again")


@pytest.mark.parametrize("how", ["killed", "hung"])
async def test_without_redis_nothing_is_accepted_and_states_are_still_told(
    http: httpx.AsyncClient, redis_server: Valkey, how: str
) -> None:
    video_id = (await submitted(http)).json()["id"]
    await take_away(redis_server, how)
    assert_problem(await submitted(http), 503)
    assert "retry-after" in (await submitted(http)).headers
    assert_problem(await http.get(f"/v1/videos/{video_id}/events"), 503)
    assert (await http.get(f"/v1/videos/{video_id}")).status_code == 200
    ready = assert_problem(await http.get("/readyz"), 503)
    assert ready["checks"] == {"redis": "down", "mongodb": "up", "s3": "up"}
    assert (await http.get("/livez")).status_code == 200
    await bring_back(redis_server, how)
    await recovered(http)


@pytest.mark.parametrize("how", ["killed", "hung"])
async def test_without_mongodb_every_answer_is_503_in_time(
    http: httpx.AsyncClient, mongo_server: Mongod, how: str
) -> None:
    video_id = (await submitted(http)).json()["id"]
    await take_away(mongo_server, how)
    assert_problem(await submitted(http), 503)
    for path in ("", "/events", "/hls/master.m3u8"):
        assert_problem(await http.get(f"/v1/videos/{video_id}{path}"), 503)
    assert_problem(await http.get("/v1/videos"), 503)
    ready = assert_problem(await http.get("/readyz"), 503)
    assert ready["checks"]["mongodb"] == "down"
    await bring_back(mongo_server, how)
    await recovered(http)


async def test_a_crowd_that_waits_for_redis_gets_its_503_in_time(
    http: httpx.AsyncClient, redis_server: Valkey
) -> None:
    video_id = (await submitted(http)).json()["id"]
    await take_away(redis_server, "hung")
    await assert_crowd_is_refused(http, [f"/v1/videos/{video_id}/events"])
    await bring_back(redis_server, "hung")
    await recovered(http)


async def test_a_crowd_that_waits_for_mongodb_gets_its_503_in_time(
    http: httpx.AsyncClient, mongo_server: Mongod
) -> None:
    video_id = (await submitted(http)).json()["id"]
    video = f"/v1/videos/{video_id}"
    await take_away(mongo_server, "hung")
    paths = ["/v1/videos", video, f"{video}/events", f"{video}/hls/master.m3u8"]
    paths += ["/readyz", "/healthz"]
    await assert_crowd_is_refused(http, paths)
    await bring_back(mongo_server, "hung")
    await recovered(http)


async def assert_crowd_is_refused(http: httpx.AsyncClient, paths: Sequence[str]) -> None:
    """Send many requests at the same time, half of them POSTs, within the client's time-out."""
    gets = [http.get(path) for path in islice(cycle(paths), _CROWD // 2)]
    posts = [submitted(http) for _ in range(_CROWD // 2)]
    for answer in await asyncio.gather(*gets, *posts):
        assert_problem(answer, 503)


async def test_the_api_starts_without_redis_and_serves_when_it_comes(
    redis_server: Valkey, mongo_server: Mongod, s3_settings: S3Settings, tmp_path: Path
) -> None:
    environ = redis_server.settings() | mongo_server.settings() | s3_settings.variables
    await take_away(redis_server, "killed")
    api = Api({"PATH": "/usr/bin:/bin", **environ}, tmp_path)
    try:
        await asyncio.to_thread(api.wait_for, "/livez")
        async with api.client(timeout=ANSWER_BOUND_S) as http:
            assert_problem(await submitted(http), 503)
            await until(lambda: "waiting for Redis" in api.log, what=lambda: api.log)
            await bring_back(redis_server, "killed")
            await recovered(http)
    finally:
        await asyncio.to_thread(api.process.stop, 10)


async def test_a_stream_goes_on_when_redis_comes_back(
    http: httpx.AsyncClient, redis_server: Valkey
) -> None:
    async def handler(job: Job) -> None:
        raise UnrecoverableError("[not_a_video] No video.")

    video_id = (await submitted(http)).json()["id"]
    # less than the keep-alive, which would make up for events that were not told
    async with http.stream("GET", f"/v1/videos/{video_id}/events", timeout=12) as answer:
        lines = answer.aiter_lines()
        assert '"queued"' in await next_data(lines)
        await take_away(redis_server, "killed")
        await bring_back(redis_server, "killed")
        async with Worker(QUEUE_NAME, handler, redis_server.settings()["REDIS_URL"]):
            while '"failed"' not in await next_data(lines):
                pass


async def next_data(lines: AsyncIterator[str]) -> str:
    async for line in lines:
        if line.startswith("data:"):
            return line
    raise AssertionError("the stream has ended")


async def test_without_s3_uploads_and_playback_are_503_and_states_are_still_told(
    redis_server: Valkey, mongo_server: Mongod, tmp_path: Path
) -> None:
    with SeaweedFS(tmp_path / "s3") as s3:
        environ = redis_server.settings() | mongo_server.settings() | s3.settings()
        with running_api({"PATH": "/usr/bin:/bin", **environ}, tmp_path) as api:
            async with api.client() as http:
                video_id = (await submitted(http)).json()["id"]
                published = {
                    "status": "completed",
                    "playlist": "videos/x/1-c/master.m3u8",
                    "version": 1 << 62,  # the mirror leaves it alone
                }
                client = open_client(environ["MONGODB_URI"], server_selection_timeout=5)
                await Catalog(client).collection.update_one(
                    {"_id": video_id},
                    {"$set": published},
                )
                client.close()
                await take_away(s3, "killed")
                ready = assert_problem(await http.get("/readyz"), 503)
                assert ready["checks"] == {"redis": "up", "mongodb": "up", "s3": "down"}
                playlist = f"/v1/videos/{video_id}/hls/master.m3u8"
                assert_problem(await http.get(playlist), 503)
                upload = await http.post(
                    "/v1/videos", content=b"x", headers={"Content-Type": "video/mp4"}
                )
                assert_problem(upload, 503)
                assert (await http.get("/v1/videos")).json()["videos"][0]["id"] == video_id
                assert (await http.get("/v1/videos")).json()["next"] is None
                await bring_back(s3, "killed")
                assert (await http.get("/readyz")).status_code == 200
                assert_problem(await http.get(playlist), 404)


async def take_away(server: Server, how: str) -> None:
    await asyncio.to_thread(server.kill if how == "killed" else server.pause)


async def bring_back(server: Server, how: str) -> None:
    await asyncio.to_thread(server.start if how == "killed" else server.resume)

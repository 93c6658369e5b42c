"""`GET /v1/videos/{id}/events`: the state now, every change, the end; bounded for slow clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.api import Api
from tests.support.waiting import until
from vqueue import Job, Queue, UnrecoverableError, Worker
from vworker.catalog import new_document
from vworker.contract import QUEUE_NAME


@asynccontextmanager
async def following(http: httpx.AsyncClient, video_id: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Collect the states that are told of a video; the list grows until the stream ends."""
    states: list[dict[str, Any]] = []

    async def read() -> None:
        async with http.stream("GET", f"/v1/videos/{video_id}/events", timeout=None) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    name = line.removeprefix("event: ")
                if line.startswith("data:"):
                    states.append(json.loads(line.removeprefix("data:")) | {"event": name})

    async with asyncio.TaskGroup() as group:
        reader = group.create_task(read())
        await until(lambda: bool(states), what="the first state")
        yield states
        # well before a keep-alive would make up for an event that was not told
        async with asyncio.timeout(10):
            await asyncio.wait([reader])


async def test_progress_and_the_end_are_told_and_the_document_is_there(
    http: httpx.AsyncClient, api_environ: dict[str, str]
) -> None:
    steps = asyncio.Semaphore(0)

    async def handler(job: Job) -> dict[str, Any]:
        for percent in (10, 40):
            await steps.acquire()
            await job.update_progress(percent)
        await steps.acquire()
        return {"playlist": "videos/x/1-c/master.m3u8", "renditions": []}

    video_id = (await http.post("/v1/videos", json={"source": "a.mp4"})).json()["id"]
    async with following(http, video_id) as states:
        assert states[0]["status"] == "queued"
        async with Worker(QUEUE_NAME, handler, api_environ["REDIS_URL"]):
            for percent in (10, 40):
                steps.release()

                def told(percent: int = percent) -> bool:
                    return bool(states[-1]["progress"] == percent)

                await until(told, what=lambda: f"the progress: {states}")
            steps.release()
            await until(lambda: states[-1]["status"] == "completed", what=lambda: f"{states}")
    assert states[-1]["progress"] == 100
    assert states[-1]["playlist"] == f"/v1/videos/{video_id}/hls/master.m3u8"
    assert {state["event"] for state in states} == {"status", "progress"}
    assert (await http.get(f"/v1/videos/{video_id}")).json()["status"] == "completed"


async def test_a_failure_is_told_with_its_reason(
    http: httpx.AsyncClient, api_environ: dict[str, str]
) -> None:
    async def handler(job: Job) -> None:
        raise UnrecoverableError("[not_a_video] No video.")

    video_id = (await http.post("/v1/videos", json={"source": "a.mp4"})).json()["id"]
    async with (
        following(http, video_id) as states,
        Worker(QUEUE_NAME, handler, api_environ["REDIS_URL"]),
    ):
        await until(lambda: states[-1]["status"] == "failed", what=lambda: f"{states}")
    assert states[-1]["error"]["code"] == "not_a_video"


async def test_a_final_video_is_told_once(http: httpx.AsyncClient, videos: Any) -> None:
    await videos.insert_one(new_document("done-one", "a.mp4") | {"status": "failed"})
    async with following(http, "done-one") as states:
        pass
    assert [state["status"] for state in states] == ["failed"]


async def test_streams_end_when_the_server_stops(
    api_environ: dict[str, str], tmp_path: Any, queue: Queue
) -> None:
    api = Api(api_environ, tmp_path)
    await asyncio.to_thread(api.wait_for, "/readyz")
    async with api.client() as http:
        video_id = (await http.post("/v1/videos", json={"source": "a.mp4"})).json()["id"]
        async with following(http, video_id) as states:
            code = await asyncio.to_thread(api.process.stop, 8)
    assert code == 0
    assert states[-1]["status"] == "queued"


@pytest.mark.parametrize("clients", [20])
async def test_many_clients_follow_one_video(
    http: httpx.AsyncClient, api_environ: dict[str, str], clients: int
) -> None:
    go = asyncio.Event()

    async def handler(job: Job) -> None:
        await go.wait()
        raise UnrecoverableError("[not_a_video] No video.")

    video_id = (await http.post("/v1/videos", json={"source": "a.mp4"})).json()["id"]

    async def follow() -> str:
        async with following(http, video_id) as states:
            await until(lambda: states[-1]["status"] == "failed", what=lambda: f"{states}")
        return str(states[-1]["status"])

    async with Worker(QUEUE_NAME, handler, api_environ["REDIS_URL"]), asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow()) for _ in range(clients)]
        go.set()
    assert [task.result() for task in tasks] == ["failed"] * clients

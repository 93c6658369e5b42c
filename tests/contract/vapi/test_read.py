"""`GET /v1/videos…`: one video, pages of them, and what is not there."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.api import assert_problem
from vworker.catalog import new_document
from vworker.presence import Presence, WorkerRecord

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


async def test_a_failed_video_tells_why(http: httpx.AsyncClient, videos: Any) -> None:
    error = {"code": "not_a_video", "message": "No video.", "retryable": False}
    document = new_document("failed-one", "a.mp4") | {"status": "failed", "error": error}
    await videos.insert_one(document)
    video = (await http.get("/v1/videos/failed-one")).json()
    assert video["status"] == "failed"
    assert video["error"] == error
    assert video["playlist"] is None
    assert video["created_at"].endswith("Z")


async def test_pages_hold_every_video_once_newest_first(
    http: httpx.AsyncClient, videos: Any
) -> None:
    await videos.delete_many({})
    await videos.insert_many(
        [
            new_document(f"v{i}", "a.mp4")
            | {"created_at": NOON + timedelta(seconds=i // 2), "status": status}
            for i, status in enumerate(["queued", "failed"] * 4)
        ]
    )
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await http.get("/v1/videos", params={"limit": 3, **after})).json()
        seen += [video["id"] for video in page["videos"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == ["v7", "v6", "v5", "v4", "v3", "v2", "v1", "v0"]
    failed = (await http.get("/v1/videos", params={"status": "failed"})).json()
    assert [video["id"] for video in failed["videos"]] == ["v7", "v5", "v3", "v1"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "status=lost", "after=no-cursor", "after=%F0"]
)
async def test_a_query_that_is_wrong_is_refused(http: httpx.AsyncClient, query: str) -> None:
    assert_problem(await http.get(f"/v1/videos?{query}"), 400)


@pytest.mark.parametrize(
    "path",
    ["/v1/videos/absent", "/v1/videos/absent/events", "/v1/videos/absent/hls/master.m3u8", "/nope"],
)
async def test_what_is_not_there_is_a_problem_document(http: httpx.AsyncClient, path: str) -> None:
    assert_problem(await http.get(path), 404)


async def test_a_method_that_is_not_possible_is_a_problem_document(http: httpx.AsyncClient) -> None:
    answer = await http.delete("/v1/videos/absent")
    assert_problem(answer, 405)
    assert "GET" in answer.headers["allow"]


async def test_health_tells_of_the_workers_and_their_sandboxes(
    http: httpx.AsyncClient, presence: Presence
) -> None:
    record = WorkerRecord(name="w1", sandbox="landlock", concurrency=3)
    await presence.announce(record)
    first = (await http.get("/healthz")).json()
    await presence.announce(record)
    second = (await http.get("/healthz")).json()
    await presence.leave("w1")

    (worker,) = first["workers"]
    assert (worker["name"], worker["sandbox"], worker["concurrency"]) == ("w1", "landlock", 3)
    assert first["version"] == worker["version"]
    (again,) = second["workers"]
    assert again["started_at"] == worker["started_at"]
    assert again["seen_at"] >= worker["seen_at"]
    assert (await http.get("/healthz")).json()["workers"] == []


async def test_health_tells_that_all_is_there(http: httpx.AsyncClient) -> None:
    live, ready = await asyncio.gather(http.get("/livez"), http.get("/readyz"))
    assert live.status_code == 200
    assert ready.json()["checks"] == {"redis": "up", "mongodb": "up", "s3": "up"}

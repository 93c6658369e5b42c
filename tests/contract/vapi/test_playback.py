"""`GET /v1/videos/{id}/hls/…`: what lies under the committed prefix, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import assert_problem
from vworker.catalog import new_document
from vworker.contract import CONTENT_TYPES, PLAYLIST_CONTENT_TYPE
from vworker.storage import Storage

SEGMENT = bytes(range(256)) * 40
VIDEO = "/v1/videos/playable/hls"


@pytest.fixture(autouse=True)
async def playable(storage: Storage, videos: Any, tmp_path: Path) -> AsyncIterator[None]:
    """A completed video, with the output of another attempt beside the committed one."""
    committed, other = "videos/playable/7-w1", "videos/playable/6-w0"
    segment, master = tmp_path / "segment", tmp_path / "master"
    segment.write_bytes(SEGMENT)
    master.write_text("#EXTM3U\n")
    await storage.upload(segment, f"{committed}/720p/seg_00000.ts", CONTENT_TYPES[".ts"])
    await storage.upload(master, f"{committed}/master.m3u8", PLAYLIST_CONTENT_TYPE)
    await storage.upload(master, f"{other}/secret.m3u8", PLAYLIST_CONTENT_TYPE)
    document = new_document("playable", "a.mp4")
    await videos.replace_one(
        {"_id": "playable"},
        document | {"status": "completed", "playlist": f"{committed}/master.m3u8"},
        upsert=True,
    )
    yield
    await storage.delete_prefix("videos/playable/")


async def test_objects_have_their_types_and_are_open_to_all_sites(http: httpx.AsyncClient) -> None:
    master = await http.get(f"{VIDEO}/master.m3u8")
    assert master.text == "#EXTM3U\n"
    assert master.headers["content-type"] == PLAYLIST_CONTENT_TYPE
    segment = await http.get(f"{VIDEO}/720p/seg_00000.ts")
    assert segment.content == SEGMENT
    assert segment.headers["content-type"] == CONTENT_TYPES[".ts"]
    assert segment.headers["access-control-allow-origin"] == "*"
    preflight = await http.options(f"{VIDEO}/master.m3u8", headers={"Origin": "https://x.example"})
    assert preflight.status_code == 204
    assert "Range" in preflight.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=10000-", slice(10000, None)),
        ("bytes=-50", slice(-50, None)),
    ],
)
async def test_a_range_is_answered_with_that_part(
    http: httpx.AsyncClient, asked: str, got: slice
) -> None:
    answer = await http.get(f"{VIDEO}/720p/seg_00000.ts", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == SEGMENT[got]
    start, end, _ = got.indices(len(SEGMENT))
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(SEGMENT)}"


async def test_a_range_beyond_the_end_is_refused_with_the_size(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{VIDEO}/720p/seg_00000.ts", headers={"Range": "bytes=99999-"})
    assert_problem(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{len(SEGMENT)}"


async def test_head_and_a_known_etag_send_no_body(http: httpx.AsyncClient) -> None:
    head = await http.head(f"{VIDEO}/720p/seg_00000.ts")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(SEGMENT))
    known = {"If-None-Match": head.headers["etag"]}
    assert (await http.get(f"{VIDEO}/720p/seg_00000.ts", headers=known)).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "absent.ts",
        "../6-w0/secret.m3u8",
        "%2e%2e/6-w0/secret.m3u8",
        "720p/..%2f..%2f6-w0/secret.m3u8",
        "720p//seg_00000.ts",
        "%00",
        "",
    ],
)
async def test_nothing_outside_the_committed_prefix_is_served(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(f"{VIDEO}/{path}")
    assert answer.status_code in (404, 405)
    assert "EXTM3U" not in answer.text


async def test_a_video_that_is_not_completed_is_not_played(
    http: httpx.AsyncClient, videos: Any
) -> None:
    await videos.update_one({"_id": "playable"}, {"$set": {"status": "processing"}})
    assert_problem(await http.get(f"{VIDEO}/master.m3u8"), 404)


@pytest.mark.parametrize(
    ("status", "code"), [("processing", 200), ("queued", 200), ("failed", 404)]
)
async def test_what_a_running_attempt_offers_early_is_served_until_it_fails(
    http: httpx.AsyncClient, videos: Any, status: str, code: int
) -> None:
    early = {
        "status": status,
        "playlist": None,
        "early_playlist": "videos/playable/7-w1/master.m3u8",
    }
    await videos.update_one({"_id": "playable"}, {"$set": early})
    master = await http.get(f"{VIDEO}/master.m3u8")
    assert master.status_code == code
    video = (await http.get("/v1/videos/playable")).json()
    assert video["playlist"] == (f"{VIDEO}/master.m3u8" if code == 200 else None)
    assert (await http.get(f"{VIDEO}/secret.m3u8")).status_code == 404


async def test_segments_may_be_kept_by_caches_when_the_video_is_completed(
    http: httpx.AsyncClient, videos: Any
) -> None:
    completed = await http.get(f"{VIDEO}/720p/seg_00000.ts")
    early = {"status": "processing", "early_playlist": "videos/playable/7-w1/master.m3u8"}
    await videos.update_one({"_id": "playable"}, {"$set": early})
    processing = await http.get(f"{VIDEO}/720p/seg_00000.ts")
    assert completed.headers["cache-control"] == "public, max-age=86400"
    assert processing.headers["cache-control"] == "no-cache"

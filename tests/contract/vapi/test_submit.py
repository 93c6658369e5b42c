"""`POST /v1/videos`: what is accepted, what is refused, and that a refusal leaves nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import Api, assert_problem, running_api
from tests.support.waiting import until
from vqueue import JobState, Queue
from vworker.contract import JOB_NAME
from vworker.storage import Storage

JSON = {"Content-Type": "application/json"}
VIDEO = {"Content-Type": "video/mp4"}
MB = 1000 * 1000


async def chunks(count: int, size: int = MB) -> AsyncIterator[bytes]:
    chunk = b"\0" * size
    for _ in range(count):
        yield chunk


async def upload_keys(storage: Storage) -> set[str]:
    return {found.key async for found in storage.list("uploads/")}


async def open_uploads(storage: Storage) -> list[Any]:
    answer = await storage._client.list_multipart_uploads(Bucket=storage._bucket)
    return [found["Key"] for found in answer.get("Uploads", [])]


async def test_a_reference_is_recorded_and_queued_under_one_id(
    http: httpx.AsyncClient, queue: Queue, videos: Any
) -> None:
    answer = await http.post("/v1/videos", json={"source": "films/äther.mp4"})

    assert answer.status_code == 201
    video = answer.json()
    assert video["status"] == "queued"
    assert video["progress"] == video["attempts"] == 0
    assert video["source"] == "films/äther.mp4"
    assert video["playlist"] is None
    assert answer.headers["location"] == video["links"]["self"] == f"/v1/videos/{video['id']}"
    assert (await http.get(answer.headers["location"])).json()["created_at"] == video["created_at"]
    document = await videos.find_one({"_id": video["id"]})
    assert document["source"] == "films/äther.mp4"
    job = await queue.get_job(video["id"])
    assert job is not None
    assert (job.name, job.state) == (JOB_NAME, JobState.WAITING)
    assert job.data == {"video_id": video["id"], "source": "films/äther.mp4"}
    assert job.attempts == 3
    assert (job.backoff.type, job.backoff.delay, job.backoff.factor) == ("exponential", 2, 4)


async def test_a_profile_is_recorded_and_handed_on(
    http: httpx.AsyncClient, queue: Queue, videos: Any
) -> None:
    named = await http.post("/v1/videos", json={"source": "a.mp4", "profile": "fast"})
    uploaded = await http.post("/v1/videos?profile=quality", content=b"x", headers=VIDEO)

    for answer, profile in ((named, "fast"), (uploaded, "quality")):
        video = answer.json()
        assert video["profile"] == profile
        assert (await videos.find_one({"_id": video["id"]}))["profile"] == profile
        job = await queue.get_job(video["id"])
        assert job is not None
        assert job.data["profile"] == profile


async def test_an_upload_with_an_unusable_profile_is_refused_and_leaves_nothing(
    http: httpx.AsyncClient, storage: Storage
) -> None:
    before = await upload_keys(storage)
    answer = await http.post("/v1/videos?profile=a%20b", content=b"x", headers=VIDEO)
    assert "profile must be" in assert_problem(answer, 400)["detail"]
    assert await upload_keys(storage) == before


async def test_an_accepted_video_is_one_line_of_the_log(http: httpx.AsyncClient, api: Api) -> None:
    video_id = (await http.post("/v1/videos", json={"source": "a.mp4"})).json()["id"]
    assert api.log.count(f"video {video_id} accepted") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'"films/a.mp4"',
        b"{}",
        b'{"source": null}',
        b'{"source": 7}',
        b'{"source": {"$ne": null}}',
        b'{"source": ""}',
        b'{"source": "/etc/passwd"}',
        b'{"source": "a/../b.mp4"}',
        b'{"source": "a\\u0000.mp4"}',
        b'{"source": "a.mp4", "priority": 1}',
        b'{"source": "a.mp4", "profile": 1}',
        b'{"source": "a.mp4", "profile": ""}',
        b'{"source": "a.mp4", "profile": "-i $(reboot)"}',
        json.dumps({"source": "k" * 1025}).encode(),
    ],
)
async def test_a_reference_that_is_wrong_is_refused(
    http: httpx.AsyncClient, videos: Any, body: bytes
) -> None:
    before = await videos.count_documents({})
    assert_problem(await http.post("/v1/videos", content=body, headers=JSON), 400)
    assert await videos.count_documents({}) == before


async def test_an_unknown_field_is_named(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/videos", json={"source": "a.mp4", "priority": 1})
    assert "priority" in assert_problem(answer, 400)["detail"]


async def test_json_above_64_kib_is_refused_with_and_without_a_length(
    http: httpx.AsyncClient,
) -> None:
    long = b'{"source": "' + b"k" * 64 * 1024 + b'"}'
    assert_problem(await http.post("/v1/videos", content=long, headers=JSON), 413)
    answer = await http.post("/v1/videos", content=chunks(70, 1000), headers=JSON)
    assert_problem(answer, 413)


@pytest.mark.parametrize("content_type", [None, "text/plain", "multipart/form-data", "audio/mp4"])
async def test_another_type_of_body_is_refused(
    http: httpx.AsyncClient, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = await http.post("/v1/videos", content=b"x", headers=headers)
    assert_problem(answer, 415)


async def test_a_page_of_another_site_is_not_allowed_to_send_a_video(
    http: httpx.AsyncClient,
) -> None:
    # what a browser asks before it sends a body of a type that is taken
    answer = await http.options(
        "/v1/videos",
        headers={
            "Origin": "http://elsewhere.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("content_type", ["video/quicktime", "application/octet-stream"])
async def test_a_body_becomes_the_source_of_a_queued_video(
    http: httpx.AsyncClient, queue: Queue, storage: Storage, content_type: str
) -> None:
    body = bytes(range(256)) * 100
    answer = await http.post(
        "/v1/videos", content=body, headers={"Content-Type": f"{content_type}; charset=x"}
    )

    assert answer.status_code == 201
    video = answer.json()
    assert video["source"] == f"uploads/{video['id']}"
    async with await storage.open(video["source"]) as stream:
        assert stream.content_type == content_type
        assert b"".join([chunk async for chunk in stream]) == body
    job = await queue.get_job(video["id"])
    assert job is not None
    assert job.data["source"] == video["source"]


async def test_an_empty_body_is_refused_and_leaves_nothing(
    http: httpx.AsyncClient, storage: Storage, videos: Any
) -> None:
    before = await upload_keys(storage), await videos.count_documents({})
    assert_problem(await http.post("/v1/videos", content=b"", headers=VIDEO), 400)
    assert_problem(await http.post("/v1/videos", content=chunks(0), headers=VIDEO), 400)
    assert (await upload_keys(storage), await videos.count_documents({})) == before


async def test_a_body_above_the_limit_is_refused_and_leaves_nothing(
    api_environ: dict[str, str], tmp_path: Path, storage: Storage, videos: Any
) -> None:
    before = await upload_keys(storage), await videos.count_documents({})
    with running_api(api_environ | {"VAPI_MAX_UPLOAD_BYTES": str(20 * MB)}, tmp_path) as api:
        async with api.client() as http:
            announced = await http.post("/v1/videos", content=b"\0" * (20 * MB + 1), headers=VIDEO)
            assert_problem(announced, 413)
            # found out after two parts of a multipart upload were sent
            chunked = await http.post("/v1/videos", content=chunks(21), headers=VIDEO)
            assert_problem(chunked, 413)
            assert (
                await http.post("/v1/videos", content=chunks(20), headers=VIDEO)
            ).status_code == 201
    after = await upload_keys(storage), await videos.count_documents({})
    assert (len(after[0]), after[1]) == (len(before[0]) + 1, before[1] + 1)
    assert await open_uploads(storage) == []


async def test_an_upload_that_breaks_off_leaves_nothing(
    api: Api, storage: Storage, videos: Any
) -> None:
    before = await upload_keys(storage), await videos.count_documents({})
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        b"POST /v1/videos HTTP/1.1\r\nHost: api\r\nContent-Type: video/mp4\r\n"
        b"Content-Length: 100000000\r\n\r\n"
    )
    for _ in range(30):
        writer.write(b"\0" * MB)
        await writer.drain()

    async def parts_arrive() -> bool:
        return await open_uploads(storage) != []

    await until(parts_arrive, what="the multipart upload to begin")
    writer.transport.abort()

    async def gone() -> bool:
        return await open_uploads(storage) == []

    await until(gone, what="the multipart upload to be aborted")
    await until(lambda: "nothing is kept" in api.log, what="the upload to end")
    assert (await upload_keys(storage), await videos.count_documents({})) == before


async def test_a_large_upload_takes_little_memory(
    http: httpx.AsyncClient, api: Api, storage: Storage
) -> None:
    await http.post("/v1/videos", content=chunks(30), headers=VIDEO)
    before = peak_rss_mb(api.process.pid)
    answer = await http.post("/v1/videos", content=chunks(200), headers=VIDEO, timeout=60)
    assert answer.status_code == 201
    assert (await storage.head(answer.json()["source"])).size_bytes == 200 * MB
    assert peak_rss_mb(api.process.pid) - before < 50
    await storage.delete_prefix(answer.json()["source"])


def peak_rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise AssertionError("no VmHWM")

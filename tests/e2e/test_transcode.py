"""From HTTP to HLS with real daemons."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.service import Service
from tests.support.waiting import until
from vqueue import Queue
from vworker.contract import JOB_NAME, TranscodeRequest
from vworker.job_options import job_options
from vworker.media.hls import parse_media_playlist
from vworker.sandbox import Sandbox


async def test_an_uploaded_video_becomes_four_playable_renditions(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    await service.start_worker()
    video_id = await service.submit(clips.full_hd())
    video = await service.finished(video_id)

    assert video["status"] == "completed", video
    assert video["progress"] == 100
    assert video["attempts"] == 1
    assert [r["name"] for r in video["renditions"]] == ["1080p", "720p", "480p", "360p"]
    master = await service.http.get(video["playlist"])
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    folder = video["playlist"].rpartition("/")[0]
    media = [line for line in master.text.splitlines() if line and not line.startswith("#")]
    assert len(media) == 4
    for path in media:
        playlist = await service.http.get(f"{folder}/{path}")
        segments = parse_media_playlist(playlist.text).segments
        assert segments
        for segment in segments:
            url = f"{folder}/{path.rpartition('/')[0]}/{segment.uri}"
            body = await service.http.get(url)
            assert body.headers["content-type"] == "video/mp2t"
            assert body.content[:1] == b"\x47"

    document = await service.videos.find_one({"_id": video_id})
    assert document["status"] == "completed"
    assert document["started_at"] <= document["finished_at"]
    assert await service.videos.count_documents({}) == 1
    assert service.scratch_files() == []


async def test_health_shows_a_worker_and_its_sandbox_as_long_as_it_works(
    service: Service, sandbox: Sandbox
) -> None:
    await service.start_api()
    worker = await service.start_worker()
    (shown,) = (await service.http.get("/healthz")).json()["workers"]
    worker.signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0

    assert shown["sandbox"] == sandbox.level
    assert f"FFmpeg runs in the sandbox {sandbox.level}" in service.log("worker")
    assert (await service.http.get("/healthz")).json()["workers"] == []


async def test_a_worker_that_cannot_confine_ffmpeg_does_not_start(service: Service) -> None:
    worker = service.start("worker", "vworker", WORKER_SANDBOX="require", FFPROBE="/bin/false")
    assert await asyncio.to_thread(worker.wait, 30) == 78
    assert "set WORKER_SANDBOX=rlimits" in service.log("worker")


async def test_events_tell_progress_that_never_falls_and_the_end(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    await service.start_worker()
    video_id = await service.submit(clips.full_hd())
    seen = []
    async with service.http.stream("GET", f"/v1/videos/{video_id}/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                seen.append(json.loads(line.removeprefix("data:")))

    assert seen[-1]["status"] == "completed"
    progress = [event["progress"] or 0 for event in seen]
    assert progress == sorted(progress)
    assert len({value for value in progress if 0 < value < 100}) >= 2
    # the document that the last event announced is there to be read
    assert (await service.video(video_id))["renditions"]


async def test_a_job_added_straight_to_the_queue_gets_a_document(
    service: Service, clips: Clips
) -> None:
    await service.start_worker()
    async with service.storage() as storage:
        await storage.upload(clips.silent(), "sources/direct.mp4", "video/mp4")
    request = TranscodeRequest(video_id="direct", source="sources/direct.mp4")
    async with Queue(service.queue_name, service.environ["REDIS_URL"]) as queue:
        await queue.add(JOB_NAME, request.to_json(), job_id="direct", **job_options())
    await service.start_api()

    async def is_there() -> bool:
        return (await service.http.get("/v1/videos/direct")).status_code == 200

    await until(is_there, what="the document that a worker makes", deadline=60)
    video = await service.finished("direct")
    assert video["status"] == "completed"
    assert [r["name"] for r in video["renditions"]] == ["360p"]


async def test_two_workers_share_ten_jobs_and_none_is_done_twice(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    await asyncio.gather(service.start_worker("first"), service.start_worker("second"))
    ids = [await service.submit(clips.small()) for _ in range(10)]
    videos = [await service.finished(video_id) for video_id in ids]

    assert {video["status"] for video in videos} == {"completed"}
    assert {video["attempts"] for video in videos} == {1}
    started = {name: service.log(name).count(" starts under ") for name in ("first", "second")}
    assert sum(started.values()) == 10
    assert all(started.values()), started
    for video_id in ids:
        prefixes = {key.split("/")[2] for key in await service.keys(f"videos/{video_id}/")}
        assert len(prefixes) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing", "source_not_found"),
        ("empty", "source_empty"),
        ("text", "not_a_video"),
        ("truncated", "source_truncated"),
    ],
)
async def test_a_bad_source_fails_at_once_with_a_reason_and_leaves_nothing(
    service: Service, clips: Clips, name: str, code: str
) -> None:
    await service.start_api()
    await service.start_worker()
    key = f"sources/{service.folder.name}-{name}.mp4"
    bad: dict[str, Path] = {
        "empty": clips.holding("empty.mp4", b""),
        "text": clips.holding("text.mp4", b"this is not a video\n" * 100),
        "truncated": clips.cut_off(clips.full_hd()),
    }
    if name in bad:
        async with service.storage() as storage:
            await storage.upload(bad[name], key, "video/mp4")
    answer = await service.http.post("/v1/videos", json={"source": key})
    assert answer.status_code == 201
    video = await service.finished(answer.json()["id"])

    assert video["status"] == "failed"
    assert video["attempts"] == 1
    assert video["error"]["code"] == code
    assert video["error"]["retryable"] is False
    assert video["error"]["message"].endswith(".")
    document = await service.videos.find_one({"_id": video["id"]})
    assert document["error"] == video["error"]
    assert await service.keys(f"videos/{video['id']}/") == []
    assert service.scratch_files() == []


async def test_a_bad_upload_leaves_neither_its_source_nor_any_output(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    await service.start_worker()
    bad = (clips.holding("text.mp4", b"no video at all"), clips.cut_off(clips.full_hd()))
    for clip in bad:
        video = await service.finished(await service.submit(clip))
        assert video["status"] == "failed"
        assert await service.keys(f"uploads/{video['id']}") == []
        assert await service.keys(f"videos/{video['id']}/") == []

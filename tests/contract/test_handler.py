"""The worker's handler under a real queue: what it leaves in S3 when a video ends."""

import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.invariants import check_invariants
from tests.support.workers import ended, jobs_in
from vqueue import Backoff, Job, JobState, Queue, Worker
from vworker.contract import JOB_NAME, TranscodeRequest, output_prefix, upload_key
from vworker.handler import TranscodeHandler
from vworker.media.encoding import Encoding
from vworker.media.limits import SourceLimits
from vworker.media.settings import MediaSettings
from vworker.sandbox import Sandbox
from vworker.storage import Storage
from vworker.workspace import Workspace


@dataclass(kw_only=True)
class Bench:
    """A queue with one video in it, and what a worker for it needs."""

    queue: Queue
    redis_url: str
    storage: Storage
    workspace: Workspace
    media: MediaSettings
    video_id: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def upload(self) -> str:
        return upload_key(self.video_id)

    async def add(
        self,
        clip: Path,
        source: str,
        *,
        attempts: int = 1,
        delay: float = 0,
        profile: str | None = None,
    ) -> None:
        await self.storage.upload(clip, source, "video/mp4")
        request = TranscodeRequest(video_id=self.video_id, source=source, profile=profile)
        await self.queue.add(
            JOB_NAME,
            request.to_json(),
            job_id=self.video_id,
            attempts=attempts,
            backoff=Backoff(type="fixed", delay=delay),
        )

    def worker(self) -> Worker:
        handler = TranscodeHandler(storage=self.storage, workspace=self.workspace, media=self.media)
        return Worker(self.queue.name, handler, self.redis_url)

    async def run(self) -> Job:
        async with self.worker():
            (job,) = await ended(self.queue, self.video_id)
        return job

    async def keys(self, prefix: str) -> list[str]:
        return [found.key async for found in self.storage.list(prefix)]


@pytest.fixture
async def bench(
    redis_url: str,
    queue_name: str,
    storage: Storage,
    workspace: Workspace,
    ffmpeg: str,
    ffprobe: str,
    sandbox: Sandbox,
) -> AsyncIterator[Bench]:
    async with Queue(queue_name, redis_url) as queue:
        yield Bench(
            queue=queue,
            redis_url=redis_url,
            storage=storage,
            workspace=workspace,
            media=MediaSettings(
                ffmpeg=ffmpeg,
                ffprobe=ffprobe,
                sandbox=sandbox,
                encoding=Encoding(preset="ultrafast"),
            ),
        )
    await check_invariants(redis_url, queue_name)


async def test_a_bad_upload_goes_with_its_video_and_no_other_does(
    bench: Bench, clips: Clips
) -> None:
    bad = clips.holding("text.mp4", b"no video at all")
    neighbour = f"{bench.upload}x"
    await bench.storage.upload(bad, neighbour, "video/mp4")
    await bench.add(bad, bench.upload, attempts=3)
    job = await bench.run()

    assert (job.state, job.attempts_made) == ("failed", 1)
    assert await bench.keys(bench.upload) == [neighbour]
    assert await bench.keys(f"videos/{bench.video_id}/") == []


async def test_an_upload_stays_when_the_workers_set_up_was_at_fault(
    bench: Bench, clips: Clips
) -> None:
    bench.media = MediaSettings(ffmpeg="ffmpeg-of-nowhere", ffprobe="ffprobe-of-nowhere")
    await bench.add(clips.small(), bench.upload, attempts=2, delay=1)
    async with bench.worker():
        await jobs_in(bench.queue, bench.video_id, states={JobState.DELAYED})
    assert await bench.keys(bench.upload) == [bench.upload]
    job = await bench.run()

    assert (job.state, job.attempts_made) == ("failed", 2)
    assert await bench.keys(bench.upload) == [bench.upload]


async def test_an_upload_stays_when_ffprobe_gives_no_reason(bench: Bench, clips: Clips) -> None:
    # FFPROBE names a program that always fails, and says nothing.
    bench.media = replace(bench.media, ffprobe=str(shutil.which("false")))
    await bench.add(clips.small(), bench.upload, attempts=2)
    job = await bench.run()

    assert (job.state, job.attempts_made) == ("failed", 2)
    assert job.failed_reason is not None
    assert "[probe_failed]" in job.failed_reason
    assert await bench.keys(bench.upload) == [bench.upload]


async def test_an_upload_stays_that_is_a_picture(bench: Bench, clips: Clips) -> None:
    await bench.add(clips.photograph(), bench.upload, attempts=3)
    job = await bench.run()

    assert (job.state, job.attempts_made) == ("failed", 1)
    assert job.failed_reason is not None
    assert "[unsupported_format]" in job.failed_reason
    assert await bench.keys(bench.upload) == [bench.upload]


async def test_an_upload_stays_when_the_limits_of_the_worker_were_too_low(
    bench: Bench, clips: Clips
) -> None:
    bench.media = replace(bench.media, source_limits=SourceLimits(max_pixels=100))
    await bench.add(clips.small(), bench.upload, attempts=3)
    job = await bench.run()

    assert (job.state, job.attempts_made) == ("failed", 1)
    assert job.failed_reason is not None
    assert "[source_over_limit]" in job.failed_reason
    assert await bench.keys(bench.upload) == [bench.upload]


async def test_an_upload_stays_when_the_worker_does_not_know_the_profile(
    bench: Bench, clips: Clips
) -> None:
    await bench.add(clips.small(), bench.upload, attempts=3, profile="of-a-newer-worker")
    job = await bench.run()

    assert (job.state, job.attempts_made) == ("failed", 1)
    assert job.failed_reason is not None
    assert "[invalid_request]" in job.failed_reason
    assert await bench.keys(bench.upload) == [bench.upload]


async def test_a_bad_source_of_somebody_else_is_not_deleted(bench: Bench, clips: Clips) -> None:
    source = f"sources/{bench.video_id}"
    await bench.add(clips.holding("text.mp4", b"no video at all"), source)
    assert (await bench.run()).state == "failed"
    assert await bench.keys(source) == [source]


async def test_a_first_attempt_removes_what_dead_ones_left_behind(
    bench: Bench, clips: Clips
) -> None:
    # A job that was handed back or queued anew counts its attempts from one again.
    dead = output_prefix(bench.video_id, "1", "dead")
    await bench.storage.upload(clips.small(), f"{dead}720p/seg_00000.ts", "video/mp2t")
    await bench.add(clips.small(), bench.upload)
    job = await bench.run()

    assert (job.state, job.attempts_started) == ("completed", 1)
    assert await bench.keys(dead) == []
    assert job.returnvalue["playlist"] in await bench.keys(f"videos/{bench.video_id}/")
    assert await bench.keys(bench.upload) == [bench.upload]

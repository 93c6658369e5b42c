"""What is told of a video that failed: the same by the API, MongoDB and the worker's log."""

import contextlib
import os
import signal

from tests.support.clips import Clips
from tests.support.service import Service, command_of, process_tree
from tests.support.waiting import until
from vworker.errors import ERRORS, ErrorCode


async def test_a_failure_is_told_alike_by_the_api_mongodb_and_the_log(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    await service.start_worker()
    video_id = await service.submit(clips.cut_off(clips.full_hd()))
    video = await service.finished(video_id)

    info = ERRORS[ErrorCode.SOURCE_TRUNCATED]
    told = dict(video["error"])
    message, detail = told.pop("message"), told.pop("detail")
    assert told == {"code": "source_truncated", "remedy": info.remedy, "retryable": False}
    assert "it announces 3.0 seconds" in message
    # FFmpeg's own words, line by line.
    assert "Packet corrupt" in detail
    document = await service.videos.find_one({"_id": video_id})
    assert document["error"] == video["error"]
    logged = f"video {video_id}: source_truncated (final): {message} {info.remedy}"
    lines = [logged, *(f"  {line}" for line in detail.splitlines())]
    assert "\n".join(lines) in service.log("worker")


async def test_a_video_whose_workers_die_is_given_up(service: Service, clips: Clips) -> None:
    await service.start_api()
    worker = await service.start_worker(WORKER_LOCK_DURATION="600")
    video_id = await service.submit(clips.long())
    killed: set[int] = set()

    async def given_up() -> bool:
        """Kill every worker process that has begun to encode."""
        # Processes may end while one looks.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in set(process_tree(worker.pid)[1:]) - killed:
                encodes = any("libx264" in command_of(child) for child in process_tree(pid))
                if "--consumer" in command_of(pid) and encodes:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
        return bool((await service.video(video_id))["status"] == "failed")

    await until(given_up, what="the video to be given up", deadline=120)
    video = await service.video(video_id)
    assert video["error"]["code"] == "worker_lost"
    assert video["error"]["remedy"] == ERRORS[ErrorCode.WORKER_LOST].remedy
    document = await service.videos.find_one({"_id": video_id})
    assert document["error"] == video["error"]
    assert len(killed) == 4
    assert service.log("worker").count("killed by SIGKILL") == 4

"""Faults of processes and servers: the job is neither lost nor done twice."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from devstack import Valkey
from tests.support.clips import Clips
from tests.support.invariants import check_invariants
from tests.support.service import Service, command_of, kill_host, process_tree
from tests.support.waiting import until


async def encoding(service: Service, video_id: str) -> None:
    """Wait until FFmpeg works on a video."""
    await service.video_when(video_id, lambda video: (video["progress"] or 0) > 12)


async def test_a_video_of_a_killed_host_is_finished_by_another_worker(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    first = await service.start_worker("first")
    video_id = await service.submit(clips.long())
    await encoding(service, video_id)
    tree = process_tree(first.pid)
    assert any("ffmpeg" in command_of(pid) for pid in tree)
    kill_host(first)
    await service.start_worker("second")
    video = await service.finished(video_id)

    assert video["status"] == "completed"
    assert [r["name"] for r in video["renditions"]] == ["720p", "480p", "360p"]
    # what the dead attempt left behind is gone: its objects, its scratch files
    owners = {key.split("/")[2] for key in await service.keys(f"videos/{video_id}/")}
    assert len(owners) == 1
    assert service.scratch_files() == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in tree)


async def test_a_crashed_worker_process_is_replaced_without_waiting_for_the_lease(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    # a lease that outlasts the test: only the supervisor's word brings the job back
    worker = await service.start_worker(WORKER_LOCK_DURATION="600")
    video_id = await service.submit(clips.long())
    await encoding(service, video_id)
    (child,) = [pid for pid in process_tree(worker.pid) if "--consumer" in command_of(pid)]
    os.kill(child, signal.SIGKILL)
    video = await service.finished(video_id)

    assert video["status"] == "completed"
    assert "killed by SIGKILL" in service.log("worker")


async def test_a_failed_attempt_is_retried_and_the_video_completes(
    service: Service, clips: Clips, tmp_path: Path
) -> None:
    real, marker = service.environ["FFMPEG"], tmp_path / "failed-once"
    flaky = tmp_path / "ffmpeg"
    flaky.write_text(
        # only an encode fails: the worker tries the program before it takes jobs
        f'#!/bin/sh\ncase "$*" in *libx264*) '
        f'if [ ! -e "{marker}" ]; then : > "{marker}"; kill -SEGV $$; fi;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    flaky.chmod(0o755)
    await service.start_api()
    # its marker is no file that a confined encoder could make
    await service.start_worker(FFMPEG=str(flaky), WORKER_SANDBOX="rlimits")
    video_id = await service.submit(clips.small())
    waiting = await service.video_when(
        video_id, lambda video: video["status"] == "queued" and video["attempts"] == 1
    )
    assert waiting["last_error"]["code"] == "encoder_crashed"
    video = await service.finished(video_id)

    assert video["status"] == "completed"
    assert video["attempts"] == 2
    assert video["error"] is None


async def test_sigterm_hands_a_running_video_over_with_its_finished_segments(
    service: Service, clips: Clips
) -> None:
    # Slow enough for a third to be missing still when two thirds have been seen.
    segments = {
        "WORKER_SEGMENT_SECONDS": "1",
        "WORKER_KEYFRAME_SECONDS": "1",
        "WORKER_PRESET": "medium",
    }
    await service.start_api()
    first = await service.start_worker("first", WORKER_SHUTDOWN_GRACE="0", **segments)
    video_id = await service.submit(clips.half_a_minute())

    def finished_segments() -> int:
        """Count those that FFmpeg has finished in every rung."""
        rungs = [path.parent.name for path in service.scratch_files() if path.match("seg_*.ts")]
        return min(rungs.count(rung) for rung in ("480p", "360p"))

    await until(lambda: finished_segments() >= 20, what="two thirds of it", deadline=60)
    finished = finished_segments()
    first.signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, 30) == 0, service.log("first")
    assert service.scratch_files() == []
    keys = await service.keys(f"videos/{video_id}/")
    # FFmpeg ends the segment at hand on SIGTERM: the last one may be cut short.
    stored = min(sum(f"/{rung}/seg_" in key for key in keys) for rung in ("480p", "360p")) - 1
    await service.start_worker("second", **segments)
    video = await service.finished(video_id)

    assert video["status"] == "completed"
    assert video["attempts"] == 1
    (kept, pictures) = re.findall(
        r"going on behind (\d+) segments \((\d+) pictures\)", service.log("second")
    )[0]
    assert 20 <= finished < 30
    assert int(kept) >= 0.9 * max(finished, stored)
    assert int(pictures) == 30 * int(kept)
    assert [r["segments"] for r in video["renditions"]] == [30, 30]
    owners = {key.split("/")[2] for key in await service.keys(f"videos/{video_id}/")}
    assert len(owners) == 1
    assert not any(key.endswith(".json") for key in await service.keys(f"videos/{video_id}/"))


async def test_sigterm_lets_a_running_video_end_within_the_grace(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    worker = await service.start_worker(WORKER_SHUTDOWN_GRACE="60")
    video_id = await service.submit(clips.long())
    await encoding(service, video_id)
    worker.signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 60) == 0, service.log("worker")
    assert (await service.finished(video_id))["status"] == "completed"


async def test_accepted_videos_survive_a_redis_that_comes_back_empty(
    service: Service, clips: Clips, tmp_path: Path
) -> None:
    with Valkey(tmp_path / "redis") as server:
        service.environ["REDIS_URL"] = await asyncio.to_thread(lambda: server_url(server))
        await service.start_api()
        await service.start_worker(WORKER_CONCURRENCY="1")
        running = await service.submit(clips.long())
        waiting = await service.submit(clips.small())
        await encoding(service, running)
        await asyncio.to_thread(server.kill)
        for path in server.data_folder.rglob("*"):
            if path.is_file():
                path.unlink()
        await asyncio.to_thread(server.start)
        videos = [await service.finished(video_id) for video_id in (running, waiting)]

        assert [video["status"] for video in videos] == ["completed", "completed"]
        assert "queued again" in service.log("worker") + service.log("api")
        for video_id in (running, waiting):
            owners = {key.split("/")[2] for key in await service.keys(f"videos/{video_id}/")}
            assert len(owners) == 1
        await check_invariants(service.environ["REDIS_URL"], service.queue_name)
        await service.close()


def server_url(server: Valkey) -> str:
    """Start a server; return its URL."""
    server.start()
    return server.settings()["REDIS_URL"]


async def test_a_worker_without_its_backends_says_which_and_exits_69(service: Service) -> None:
    worker = service.start(
        "worker", "vworker", REDIS_URL="redis://127.0.0.1:1/0", WORKER_START_TIMEOUT="1"
    )
    assert await asyncio.to_thread(worker.wait, 30) == 69
    assert "Redis at redis://127.0.0.1:1/0 was not usable within 1 s" in service.log("worker")


@pytest.mark.parametrize(
    ("variable", "value", "finding"),
    [
        ("S3_BUCKET", "no-such-bucket", "reaching bucket no-such-bucket: there is no such bucket"),
        ("AWS_SECRET_ACCESS_KEY", "wrong", "access denied, check the AWS_* credentials"),
    ],
)
async def test_a_worker_tells_what_its_storage_has_answered(
    service: Service, variable: str, value: str, finding: str
) -> None:
    worker = service.start("worker", "vworker", WORKER_START_TIMEOUT="0", **{variable: value})
    assert await asyncio.to_thread(worker.wait, 30) == 69
    last = service.log("worker").splitlines()[-1]
    assert finding in last
    assert "did not answer" not in last


async def test_a_starting_worker_logs_nothing_but_its_own_lines(service: Service) -> None:
    await service.start_worker()
    loggers = {line.split()[3] for line in service.log("worker").splitlines()}
    assert {name.partition(".")[0] for name in loggers} <= {"vworker", "vqueue"}


async def test_a_worker_with_a_wrong_setting_says_which_and_exits_78(service: Service) -> None:
    worker = service.start("worker", "vworker", WORKER_CONCURRENCY="none")
    assert await asyncio.to_thread(worker.wait, 30) == 78
    assert "WORKER_CONCURRENCY='none' cannot be used" in service.log("worker")


async def test_sigterm_while_the_worker_loads_its_modules_ends_it_as_asked(
    service: Service,
) -> None:
    worker = service.start("worker", "vworker")
    loaded = Path(f"/proc/{worker.pid}/maps")
    # an early one of its modules: the storage's driver, which takes longest, comes after it
    await until(lambda: "hiredis" in loaded.read_text(), what="the first modules to be there")
    worker.signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0, service.log("worker")


async def test_sigterm_while_the_worker_process_starts_ends_both_as_asked(
    service: Service,
) -> None:
    worker = service.start("worker", "vworker")
    await until(lambda: len(process_tree(worker.pid)) > 1, what="the worker process to begin")
    worker.signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0, service.log("worker")
    assert "ERROR" not in service.log("worker")


async def test_a_worker_whose_supervisor_is_killed_drains_and_leaves_no_process(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    worker = await service.start_worker(WORKER_SHUTDOWN_GRACE="60")
    video_id = await service.submit(clips.long())
    await encoding(service, video_id)
    tree = process_tree(worker.pid)
    worker.signal(signal.SIGKILL)

    def gone() -> bool:
        return not any(Path(f"/proc/{pid}").exists() for pid in tree[1:])

    await until(gone, deadline=30, what=lambda: f"{[command_of(pid) for pid in tree]} to end")
    worker.wait(10)
    video = await service.finished(video_id)
    assert video["status"] == "completed"
    assert "stopping at once" not in service.log("worker")


async def test_a_second_sigterm_hands_the_running_video_back_at_once(
    service: Service, clips: Clips
) -> None:
    await service.start_api()
    first = await service.start_worker("first", WORKER_SHUTDOWN_GRACE="600")
    video_id = await service.submit(clips.long())
    await encoding(service, video_id)
    first.signal(signal.SIGTERM)
    await until(
        lambda: "stopping: 1 running jobs" in service.log("first"), what="the drain to begin"
    )

    def stopped() -> bool:
        # signals within half a second count as one
        first.signal(signal.SIGTERM)
        return "stopping at once" in service.log("first")

    await until(stopped, what=lambda: service.log("first"))
    assert await asyncio.to_thread(first.wait, 30) == 0
    video = await service.video_when(video_id, lambda video: video["status"] == "queued")
    assert video["attempts"] == 0

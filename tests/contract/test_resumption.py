"""Attempts that go on where an earlier one has ended, over a real S3."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.attempts import Slow, Video
from tests.support.clips import Clips
from vworker.contract import videos_prefix
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.check.checker import check
from vworker.media.check.files import Folder


def resumed(caplog: pytest.LogCaptureFixture) -> list[tuple[int, int]]:
    """Segments and pictures that attempts have taken over, as they tell in the log."""
    records = [r for r in caplog.records if getattr(r, "action", "") == "resume"]
    return [r.args[:2] for r in records if isinstance(r.args, tuple)]  # type: ignore[misc]


def kept_segments(objects: dict[str, str], count: int) -> dict[str, str]:
    names = [f"{rung}/seg_{n:05d}.ts" for rung in ("480p", "360p") for n in range(count)]
    return {name: objects[name] for name in names}


def kept_count(objects: dict[str, str]) -> int:
    """How many segments all rungs have."""
    return min(
        sum(name.startswith(f"{rung}/seg_") for name in objects) for rung in ("480p", "360p")
    )


async def test_a_next_attempt_encodes_only_what_is_missing(
    video: Video, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await video.upload(clips.standard())
    await video.interrupted(1, segments=4)
    first = await video.objects(1)
    assert "master.m3u8" not in first

    result = await video.attempt(2)
    [(segments, pictures)] = resumed(caplog)
    assert segments >= 4
    assert pictures == 30 * segments
    second = await video.objects(2)
    assert kept_segments(second, segments) == kept_segments(first, segments)
    assert result.renditions[0].segments == 15
    assert (
        result.size_bytes
        == sum([f.size_bytes async for f in video.storage.list(video.prefix(2))])
        - (await video.storage.head(f"{video.prefix(2)}attempt.json")).size_bytes
    )
    folder = await video.fetched(2, tmp_path / "second")
    report = check(Folder(folder), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings


async def test_the_attempt_that_got_furthest_is_gone_on_from(
    video: Video, clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await video.upload(clips.standard())
    await video.interrupted(1, segments=3)
    await video.interrupted(2, segments=2)
    await video.attempt(3)
    second, third = resumed(caplog)
    assert second[0] >= 3
    assert third[0] >= second[0] + 2


async def test_another_source_begins_from_zero(
    video: Video, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await video.upload(clips.standard())
    await video.interrupted(1, segments=3)
    # The same length, size and rate, so that everything but the ETag is what it was.
    await video.upload(clips.blue())
    await video.attempt(2)
    assert resumed(caplog) == []
    first, second = await video.objects(1), await video.objects(2)
    assert not set(kept_segments(first, 3).values()) & set(second.values())
    folder = await video.fetched(2, tmp_path / "second")
    assert check(Folder(folder), "master.m3u8", source_s=14.5).passed


async def test_a_profile_goes_on_from_its_own_segments_alone(
    video: Video, clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    small = replace(video.settings.encoding, crf=40)
    video.settings = replace(video.settings, profiles={"small": small})
    await video.upload(clips.standard())
    await video.interrupted(1, segments=4)
    video.profile = "small"
    await video.interrupted(2, segments=2)
    assert resumed(caplog) == []
    await video.attempt(3)
    # The default's prefix has more of them.
    [(segments, _)] = resumed(caplog)
    second, third = await video.objects(2), await video.objects(3)
    assert segments >= 2
    assert kept_segments(third, segments) == kept_segments(second, segments)


async def test_a_profile_that_was_changed_begins_from_zero(
    video: Video, clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    video.profile = "own"
    video.settings = replace(video.settings, profiles={"own": video.settings.encoding})
    await video.upload(clips.standard())
    await video.interrupted(1, segments=1)
    changed = replace(video.settings.encoding, crf=40)
    video.settings = replace(video.settings, profiles={"own": changed})
    await video.attempt(2)
    assert resumed(caplog) == []


async def test_a_drain_hands_over_what_is_still_on_its_way_to_s3(
    video: Video, clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await video.upload(clips.standard())
    storage = Slow(video.storage)
    attempt = asyncio.create_task(video.attempt(1, storage))
    finished = await video.finished_in_scratch(5)
    assert kept_count(await video.objects(1)) == 0
    attempt.cancel()
    await asyncio.sleep(0)
    storage.open.set()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert kept_count(await video.objects(1)) >= finished
    await video.attempt(2)
    [(segments, _)] = resumed(caplog)
    assert segments >= finished


async def test_a_drain_does_not_wait_for_a_storage_that_is_stuck(
    video: Video, clips: Clips
) -> None:
    await video.upload(clips.standard())
    attempt = asyncio.create_task(video.attempt(1, Slow(video.storage)))
    await video.finished_in_scratch(2)
    attempt.cancel()
    await asyncio.wait({attempt}, timeout=30)
    assert attempt.cancelled()
    assert kept_count(await video.objects(1)) == 0
    assert video.scratch_files() == []


async def test_fragmented_mp4_is_gone_on_from_with_its_own_initialization_section(
    video: Video, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    video.use_fmp4()
    await video.upload(clips.standard())
    await video.interrupted(1, segments=4)
    first = await video.objects(1)
    result = await video.attempt(2)
    [(segments, pictures)] = resumed(caplog)
    assert segments >= 4
    assert pictures == 30 * segments
    second = await video.objects(2)
    taken = [f"480p/seg_{number:05d}.m4s" for number in range(segments)]
    for name in (*taken, "480p/init_480p.mp4", "360p/init_360p.mp4"):
        assert second[name] == first[name], name
    assert not [name for name in second if "later" in name or "trial" in name]
    assert (
        result.size_bytes
        == sum([f.size_bytes async for f in video.storage.list(video.prefix(2))])
        - (await video.storage.head(f"{video.prefix(2)}attempt.json")).size_bytes
    )
    folder = await video.fetched(2, tmp_path / "second")
    report = check(Folder(folder), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings


async def test_fragmented_mp4_of_another_encoder_begins_from_zero(
    video: Video, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    video.use_fmp4()
    await video.upload(clips.standard())
    await video.interrupted(1, segments=1)
    key = f"{video.prefix(1)}360p/init_360p.mp4"
    init = tmp_path / "init.mp4"
    await video.storage.download(await video.storage.head(key), init)
    # Of High profile, level 3.0, the box says then level 3.1; the parameter set too.
    data = init.read_bytes()
    assert data.count(b"\x64\x00\x1e") == 2
    init.write_bytes(data.replace(b"\x64\x00\x1e", b"\x64\x00\x1f"))
    await video.storage.upload(init, key, "video/mp4")
    await video.attempt(2)
    assert resumed(caplog) == []
    folder = await video.fetched(2, tmp_path / "second")
    report = check(Folder(folder), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings


async def test_an_attempt_that_fails_for_good_leaves_nothing(video: Video, clips: Clips) -> None:
    await video.upload(clips.cut_off(clips.full_hd()))
    with pytest.raises(TranscodeError) as failure:
        await video.attempt(1)
    assert failure.value.code is ErrorCode.SOURCE_TRUNCATED
    assert [f.key async for f in video.storage.list(videos_prefix(video.video_id))] == []

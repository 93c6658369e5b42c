"""Encodes that go on behind the segments of an earlier one, with a real FFmpeg."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.encoded import Encoded, encode_clip
from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.encode import encode
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.ffmpeg import prepare_folders
from vworker.media.output import RenditionFiles
from vworker.media.plan import SOURCE_NAME, segment_name
from vworker.media.progress import Progress
from vworker.media.seam import Kept, Seam, read_kept
from vworker.media.settings import MediaSettings


@dataclass(kw_only=True)
class Resumed:
    """What an encode has made that began behind the first segments of another one."""

    encoded: Encoded
    kept: Kept
    #: Pictures of the largest rung that were encoded.
    frames: int


async def resume(whole: Encoded, count: int, scratch: Path) -> Resumed:
    """Go on behind the first `count` segments of every rung."""
    plan = replace(whole.plan, scratch=scratch)
    scratch.mkdir()
    shutil.copy(whole.plan.scratch / SOURCE_NAME, scratch)
    prepare_folders(plan)
    for rung in plan.rungs:
        folder = whole.plan.output / rung.name
        names = [segment_name(number, plan.encoding.segments) for number in range(count)]
        for path in (*(folder / name for name in names), *folder.glob("init*.mp4")):
            shutil.copy(path, plan.output / rung.name)
    kept = read_kept(plan, count)
    assert kept is not None
    told: list[Progress] = []
    await encode(plan, whole.settings, told.append, kept=kept)
    seam = Seam(plan, kept)
    for name in plan.names:
        number = kept.segments
        kind = plan.segment_types[name]
        while (plan.output / name / segment_name(number, kind)).exists():
            seam.join(name, segment_name(number, kind))
            number += 1
    frames = max(progress.frame or 0 for progress in told)
    return Resumed(encoded=Encoded(plan=plan, settings=whole.settings), kept=kept, frames=frames)


def boundaries(files: RenditionFiles) -> list[float]:
    """When each segment begins, on its own clock."""
    tracks = [segment.main_track for segment in files.segments]
    return [track.start_s for track in tracks if track is not None]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", list(SegmentType))
async def test_a_seam_cannot_be_told(
    encoded_ts: Encoded, encoded_fmp4: Encoded, kind: SegmentType, tmp_path: Path, count: int
) -> None:
    once = encoded_ts if kind is SegmentType.TS else encoded_fmp4
    resumed = await resume(once, count, tmp_path / "resumed")
    whole, again = once.measured(), resumed.encoded.measured()
    assert again.keys() == whole.keys()
    for name, files in again.items():
        # An edit list tells when a sound begins in whole milliseconds.
        exact = 2e-5 if kind is SegmentType.TS or files.stills else 2e-3
        assert boundaries(files) == pytest.approx(boundaries(whole[name]), abs=exact), name
        # The sound's end is where the pictures end, to the next AAC frame or the one before.
        assert files.playlist.duration_s == pytest.approx(
            whole[name].playlist.duration_s, abs=0.0 if files.stills else 1024 / 48_000 + 1e-5
        ), name
    report = check(Folder(await resumed.encoded.finished()), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings
    assert resumed.frames == 435 - 180 * count


async def test_many_seams_in_pictures_that_keep_no_step_with_seconds(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path
) -> None:
    encoding = Encoding(preset="superfast", segment_s=2, keyframe_s=1)
    whole = await encode_clip(clips.ntsc(), tmp_path / "whole", media_settings, encoding)
    encoded = whole
    for count in (1, 2, 3, 4):
        encoded = (await resume(encoded, count, tmp_path / f"resumed-{count}")).encoded
    measured, once = encoded.measured(), whole.measured()
    for name, files in measured.items():
        # Each seam moves the boundaries behind it by less than a picture.
        assert boundaries(files) == pytest.approx(boundaries(once[name]), abs=0.034), name
    report = check(Folder(await encoded.finished()), "master.m3u8", source_s=9.0)
    assert report.passed, report.findings


def test_a_segment_that_was_cut_short_is_not_kept(ts: Encoded) -> None:
    for rung in ts.plan.rungs:
        folder = ts.plan.output / rung.name
        # Of half a segment's length, as FFmpeg leaves the one at hand when it is told to end.
        shutil.copy(folder / segment_name(2), folder / segment_name(1))
    kept = read_kept(ts.plan, 2)
    assert kept is not None
    assert (kept.segments, kept.frames) == (1, 180)


def test_segments_that_differ_between_rungs_or_may_be_the_last_are_not_kept(
    encoded_ts: Encoded, ts: Encoded
) -> None:
    folder = ts.plan.output / "360p"
    kept = read_kept(ts.plan, 3)
    assert kept is not None
    assert (kept.segments, kept.frames) == (2, 360)
    shutil.copy(folder / segment_name(2), folder / segment_name(1))
    kept = read_kept(ts.plan, 3)
    assert kept is not None
    assert (kept.segments, kept.frames) == (1, 180)
    (folder / segment_name(0)).unlink()
    assert read_kept(ts.plan, 3) is None

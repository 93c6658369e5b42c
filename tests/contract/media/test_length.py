"""Sources that do not tell how long their pictures last, and those that lack their end."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.encoded import encode_clip
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.encoding import Encoding
from vworker.media.length import PacketParser, measure_length
from vworker.media.limits import SourceLimits
from vworker.media.output import measure_output
from vworker.media.probe import probe
from vworker.media.settings import MediaSettings
from vworker.media.source import SourceInfo

FAST = Encoding(preset="ultrafast")

Form = Callable[[Clips, Path], Path]


async def measured(clip: Path, settings: MediaSettings) -> SourceInfo:
    return await measure_length(clip, await probe(clip, settings), settings)


@pytest.mark.parametrize("form", [Clips.flash, Clips.untagged])
async def test_a_file_that_ends_before_its_container_says_is_truncated(
    clips: Clips, media_settings: MediaSettings, form: Form
) -> None:
    clip = clips.cut_off(form(clips, clips.standard()))
    with pytest.raises(TranscodeError, match=r"announces 14.5 seconds, but only \d") as refusal:
        await measured(clip, media_settings)
    assert refusal.value.code is ErrorCode.SOURCE_TRUNCATED


@pytest.mark.parametrize("form", [Clips.flash, Clips.untagged, Clips.live])
async def test_pictures_are_as_long_as_their_packets_reach(
    clips: Clips, media_settings: MediaSettings, form: Form
) -> None:
    info = await measured(form(clips, clips.standard()), media_settings)
    assert info.video.duration_s == pytest.approx(14.5, abs=0.05)


@pytest.mark.parametrize("form", [Clips.flash, Clips.untagged])
async def test_sound_that_is_longer_than_the_pictures_makes_no_file_truncated(
    clips: Clips, media_settings: MediaSettings, form: Form
) -> None:
    info = await measured(form(clips, clips.long_sound()), media_settings)
    assert info.container_duration_s == pytest.approx(6, abs=0.1)
    assert info.video.duration_s == pytest.approx(3, abs=0.05)


async def test_a_stream_that_one_has_tuned_in_to_begins_where_it_can_be_decoded(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path
) -> None:
    encoded = await encode_clip(clips.tuned_in(), tmp_path / "a", media_settings, FAST)
    assert encoded.plan.info.video.duration_s == pytest.approx(3, abs=0.05)
    assert measure_output(encoded.plan, ())


async def test_pictures_that_are_a_day_apart_are_refused_before_the_encode(
    clips: Clips, media_settings: MediaSettings
) -> None:
    with pytest.raises(TranscodeError, match="a duration of 100001 s") as refusal:
        await measured(clips.far_apart(), media_settings)
    assert refusal.value.code is ErrorCode.SOURCE_OVER_LIMIT


async def test_pictures_without_times_are_counted_for_the_limits(
    clips: Clips, media_settings: MediaSettings
) -> None:
    info = await measured(clips.elementary(), media_settings)
    assert info.video.duration_s is None
    assert info.container_duration_s == pytest.approx(3, abs=0.05)
    low = replace(media_settings, source_limits=SourceLimits(max_duration_s=2))
    with pytest.raises(TranscodeError, match="a duration of 3 s"):
        await measured(clips.elementary(), low)


async def test_a_late_picture_does_not_hide_that_its_end_is_missing(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path
) -> None:
    clip = clips.cut_off(clips.late_picture())
    encoded = await encode_clip(clip, tmp_path / "a", media_settings, FAST)
    with pytest.raises(TranscodeError, match=r"announces 8\.0 seconds") as refusal:
        measure_output(encoded.plan, ("partial file",))
    assert refusal.value.code is ErrorCode.SOURCE_TRUNCATED


def test_a_clock_that_jumps_further_than_a_video_lasts_tells_nothing() -> None:
    parser = PacketParser()
    parser.feed(b"0,0.0,0.5,K__\n0,2147483.0,0.5,___\n0,2147483.5,0.5,K__\n")
    extent = parser.streams["0"]
    assert (extent.begin_s, extent.end_s, extent.sum_s) == (None, None, 1.5)


def test_lines_may_come_in_pieces_and_damaged() -> None:
    parser = PacketParser()
    for piece in (b"0,1.0", b"00,0.5,K__\n0,N/A,nan,K\n0,2.0,", b"0.5,___\n,\n\xff\n0,9,1"):
        parser.feed(piece)
    extent = parser.streams["0"]
    assert (extent.begin_s, extent.end_s, extent.sum_s) == (1.0, 2.5, 1.0)

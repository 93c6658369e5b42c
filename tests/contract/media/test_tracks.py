"""Sounds and subtitles as FFmpeg and we make them: loudness, clocks, cues, segment types."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.encoded import encode_clip
from tests.support.published import Published
from vworker.media.encode import encode
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.ffmpeg import prepare_folders
from vworker.media.loudness import measure_loudness, read_loudness
from vworker.media.output import measure_output
from vworker.media.plan import SOURCE_NAME, make_plan
from vworker.media.probe import probe
from vworker.media.settings import MediaSettings
from vworker.media.stills import make_stills
from vworker.media.subtitles import write_subtitles
from vworker.result import write_playlists

FAST = Encoding(preset="superfast", segment_s=2)


def loudness_of(ffmpeg: str, segments: list[Path]) -> float:
    """Integrated loudness of a rendition in LUFS."""
    joined = "|".join(str(path) for path in segments)
    measure = ("-af", "loudnorm=print_format=json", "-f", "null", "-")
    heard = subprocess.run(
        [ffmpeg, "-hide_banner", "-i", f"concat:{joined}", *measure],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = tuple(line.strip() for line in heard.stderr.splitlines())
    measured = read_loudness(lines)
    assert measured is not None
    return measured.integrated_lufs


async def test_a_quiet_sound_is_brought_to_the_loudness_of_its_profile(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path
) -> None:
    encoding = replace(FAST, loudness_lufs=-16.0)
    (tmp_path / SOURCE_NAME).write_bytes(clips.quiet().read_bytes())
    plan = make_plan(tmp_path, await probe(tmp_path / SOURCE_NAME, media_settings), encoding)
    prepare_folders(plan)
    loudness = await measure_loudness(plan, media_settings)
    (measured,) = loudness
    assert measured is not None
    assert measured.integrated_lufs < -35

    await encode(plan, media_settings, lambda progress: None, loudness=loudness)
    segments = sorted((plan.output / "audio").glob("*.ts"))
    assert loudness_of(media_settings.ffmpeg, segments) == pytest.approx(-16.0, abs=1.0)


async def test_nothing_is_measured_when_no_loudness_is_asked_for(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path
) -> None:
    encoded = await encode_clip(clips.quiet(), tmp_path / "a", media_settings, FAST)
    assert await measure_loudness(encoded.plan, media_settings) == ()


@pytest.mark.parametrize("segments", SegmentType)
async def test_subtitles_follow_the_clock_of_the_pictures(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path, segments: SegmentType
) -> None:
    encoding = replace(FAST, segments=segments)
    encoded = await encode_clip(clips.subtitled(), tmp_path / "a", media_settings, encoding)
    measured = measure_output(encoded.plan, ())
    pictures = measured["360p"]
    (subtitles,) = write_subtitles(encoded.plan, pictures)

    assert [len(name) for name in subtitles.names] == [len("subtitles/seg_00000.vtt")] * 2
    texts = [(encoded.plan.output / name).read_text() for name in subtitles.names]
    first = pictures.segments[0].main_track
    assert first is not None
    for text in texts:
        stamp = re.match(r"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:(\d+),LOCAL:00:00:00\.000\n", text)
        assert stamp is not None
        assert int(stamp[1]) / 90_000 == pytest.approx(first.start_s, abs=1e-4)
    assert "00:00:00.500 --> 00:00:01.000\nhello <i>world</i>" in texts[0]
    # shown from 1.5 to 2.5 s, over the boundary at 2 s
    assert [text.count("over the boundary") for text in texts] == [1, 1]


async def test_subtitles_pass_the_checks_of_a_whole_output(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path
) -> None:
    encoded = await encode_clip(clips.subtitled(), tmp_path / "a", media_settings, FAST)
    measured = measure_output(encoded.plan, ())
    await make_stills(encoded.plan, measured, media_settings)
    subtitles = write_subtitles(encoded.plan, measured["360p"])
    write_playlists(encoded.plan, measured, subtitles)

    master = (encoded.plan.output / "master.m3u8").read_text()
    assert 'TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="German",LANGUAGE="de"' in master
    assert 'SUBTITLES="subtitles"' in master
    assert (
        Published(folder=encoded.plan.output, source_s=3.0, ffmpeg=media_settings.ffmpeg)
        .report()
        .passed
    )
    stray = encoded.plan.output / "subtitles" / "seg_00001.vtt"
    stray.write_text("WEBVTT\n")
    report = Published(
        folder=encoded.plan.output, source_s=3.0, ffmpeg=media_settings.ffmpeg
    ).report()
    assert {finding.rule.number for finding in report.findings} >= {"apple-5.3"}

"""What is read out of segments, against what ffprobe says of them."""

import json
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.encoded import Encoded
from vworker.media.fmp4 import read_fmp4, read_init
from vworker.media.segment import Container, Kind, MalformedSegment, SegmentFacts
from vworker.media.timeline import durations, spans
from vworker.media.ts import read_ts

#: Edit lists count in the movie's ticks, milliseconds here, and ffprobe rounds once more.
ROUNDED_S = 0.001


def packets(ffprobe: str, path: Path | str) -> list[dict[str, Any]]:
    entries = "packet=pts_time,dts_time,flags,size"
    found = subprocess.run(
        [ffprobe, "-v", "error", "-show_entries", entries, "-of", "json", str(path)],
        check=True,
        capture_output=True,
    )
    read: list[dict[str, Any]] = json.loads(found.stdout)["packets"]
    return read


def segment(encoded: Encoded, folder: str, number: int) -> tuple[SegmentFacts, str]:
    """Return a segment, and what ffprobe reads it by."""
    base = encoded.plan.output / folder
    path = base / f"seg_{number:05d}.ts"
    if path.exists():
        return read_ts(path.read_bytes()), str(path)
    (init,) = base.glob("*.mp4")
    path = path.with_suffix(".m4s")
    return read_fmp4(path.read_bytes(), read_init(init.read_bytes())), f"concat:{init}|{path}"


@pytest.mark.parametrize("container", ["encoded_ts", "encoded_fmp4"])
@pytest.mark.parametrize("folder", ["480p", "360p"])
def test_pictures_are_where_ffprobe_finds_them(
    container: str, folder: str, ffprobe: str, request: pytest.FixtureRequest
) -> None:
    for number in range(3):
        facts, path = segment(request.getfixturevalue(container), folder, number)
        (track,) = facts.tracks
        expected = packets(ffprobe, path)
        assert track.kind is Kind.VIDEO
        assert track.video is not None
        assert (track.video.width, track.video.height) == {"480p": (854, 480)}.get(
            folder, (640, 360)
        )
        assert track.video.square_pixels
        assert track.video.progressive
        shown = sorted(float(packet["pts_time"]) for packet in expected)
        assert track.count == len(expected)
        assert track.start_s == pytest.approx(shown[0], abs=ROUNDED_S)
        assert track.last_s == pytest.approx(shown[-1], abs=ROUNDED_S)
        assert track.frame_s == pytest.approx(1 / 30, abs=1e-4)
        assert track.starts_with_key
        assert track.rises
        keys = [packet for packet in expected if packet["flags"].startswith("K")]
        for frame, packet in zip(track.keys, keys, strict=True):
            assert frame.pts_s == pytest.approx(float(packet["pts_time"]), abs=ROUNDED_S)
            assert frame.dts_s == pytest.approx(float(packet["dts_time"]), abs=ROUNDED_S)
            if facts.container is Container.FMP4:
                assert frame.end - frame.start == int(packet["size"])
            else:
                assert frame.end - frame.start > int(packet["size"])
        assert all(before.end <= after.start for before, after in pairwise(track.keys))


@pytest.mark.parametrize("container", ["encoded_ts", "encoded_fmp4"])
def test_sound_lasts_as_long_as_ffprobe_finds(
    container: str, ffprobe: str, request: pytest.FixtureRequest
) -> None:
    for number in range(3):
        facts, path = segment(request.getfixturevalue(container), "audio", number)
        (track,) = facts.tracks
        expected = packets(ffprobe, path)
        assert track.audio is not None
        assert (track.audio.channels, track.audio.sample_rate) == (2, 48_000)
        assert track.last_duration_s is not None
        lasting = track.last_s + track.last_duration_s - track.start_s
        # MP4 tells how much of the last frame counts.
        assert lasting == pytest.approx(len(expected) * 1024 / 48_000, abs=1024 / 48_000)
        assert track.start_s == pytest.approx(float(expected[0]["pts_time"]), abs=ROUNDED_S)


def test_a_stream_of_ours_has_no_faults_and_begins_with_its_tables(encoded_ts: Encoded) -> None:
    facts, _ = segment(encoded_ts, "480p", 1)
    assert facts.faults == ()
    assert facts.self_contained
    assert set(facts.counters) >= {0, 0x1000, 0x100}


def test_a_clock_that_begins_again_is_straightened(encoded_ts: Encoded) -> None:
    whole = [segment(encoded_ts, "480p", number)[0] for number in range(3)]
    straight = durations(spans(whole, 1 / 30))
    wrapped = [whole[0], *(_at_zero(facts, back_s=2**33 / 90_000) for facts in whole[1:])]
    assert durations(spans(wrapped, 1 / 30)) == pytest.approx(straight)


def _at_zero(facts: SegmentFacts, *, back_s: float) -> SegmentFacts:
    (track,) = facts.tracks
    moved = replace(track, start_s=track.start_s - back_s, last_s=track.last_s - back_s)
    return replace(facts, tracks=(moved,))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x47", b"\x47" * 188, b"\x00" * 188, b"\x47\x40\x00\x10" + b"\xff" * 184],
)
def test_what_is_no_transport_stream_is_refused_or_empty(data: bytes) -> None:
    try:
        facts = read_ts(data)
    except MalformedSegment:
        return
    assert facts.main_track is None


@pytest.mark.parametrize("keep", [1, 7, 100, 3_000])
def test_fragments_that_are_cut_off_are_refused(encoded_fmp4: Encoded, keep: int) -> None:
    base = encoded_fmp4.plan.output / "480p"
    (init,) = base.glob("*.mp4")
    tracks = read_init(init.read_bytes())
    with pytest.raises(MalformedSegment):
        read_fmp4((base / "seg_00000.m4s").read_bytes()[:keep], tracks)
    with pytest.raises(MalformedSegment):
        read_init(init.read_bytes()[:keep] if keep < 1000 else b"")


def test_a_fragment_that_claims_billions_of_frames_is_refused(encoded_fmp4: Encoded) -> None:
    base = encoded_fmp4.plan.output / "480p"
    (init,) = base.glob("*.mp4")
    data = bytearray((base / "seg_00000.m4s").read_bytes())
    # No field for any frame, so that the box need not be any longer.
    at = data.index(b"trun") + 4
    data[at : at + 8] = b"\x00\x00\x00\x00\xff\xff\xff\xff"
    with pytest.raises(MalformedSegment, match="4294967295 frames"):
        read_fmp4(bytes(data), read_init(init.read_bytes()))

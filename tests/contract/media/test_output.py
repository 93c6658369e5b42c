import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.encoded import Encoded
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.output import measure_output
from vworker.media.plan import EncodePlan

LAST = "seg_00002.ts"


def test_transport_streams_are_measured(ts: Encoded) -> None:
    measured = ts.measured()
    assert list(measured) == ["480p", "360p", "audio", "scrub"]
    assert measured["480p"].codec == "avc1.64001f"
    assert measured["360p"].codec == "avc1.64001e"
    assert measured["audio"].codec == "mp4a.40.2"
    assert measured["audio"].channels == 2
    for name, files in measured.items():
        folder = ts.plan.output / name
        assert len(files.segments) == 3
        assert files.segments_bytes == sum(path.stat().st_size for path in folder.glob("*.ts"))
        if name == "scrub":
            continue
        assert files.playlist.duration_s == pytest.approx(14.5, abs=0.05)
        assert files.playlist.target_duration_s == 6
        assert 0 < files.rates.average <= files.rates.peak
    assert [round(still.at_s, 3) for still in measured["360p"].stills] == [
        0,
        2,
        4,
        6,
        8,
        10,
        12,
        14,
    ]


def test_for_scrubbing_there_is_a_picture_a_second(ts: Encoded) -> None:
    found = ts.measured()["scrub"].stills
    assert [round(still.at_s, 3) for still in found] == list(range(15))
    assert [round(still.duration_s, 3) for still in found] == [1.0] * 14 + [0.5]


def test_fragmented_mp4_is_measured_alike(ts: Encoded, encoded_fmp4: Encoded) -> None:
    streams, fragments = ts.measured(), encoded_fmp4.measured()
    assert list(fragments) == list(streams)
    for name in ("480p", "360p", "audio"):
        files = fragments[name]
        assert files.codec == streams[name].codec
        assert files.playlist.duration_s == pytest.approx(
            streams[name].playlist.duration_s, abs=0.03
        )
    # one range of bytes reaches the first picture of a fragment only
    assert [round(still.at_s, 3) for still in fragments["360p"].stills] == [0, 6, 12]


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _edit(path: Path, pattern: str, text: str) -> None:
    path.write_text(re.sub(pattern, text, path.read_text()))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda d: (d / LAST).unlink(), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / LAST).write_bytes(b""), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: _cut(d / LAST, 188 * 10 + 7), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / LAST).write_bytes(b"\x47" * 188), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / LAST).write_bytes(b"\x00" * 188), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / "index.m3u8").write_text(""), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: _edit(d / "index.m3u8", "#EXT-X-ENDLIST", ""), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: _edit(d / "index.m3u8", "seg_00002", "../x"), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / "index.m3u8").unlink(), ErrorCode.ENCODE_FAILED),
        (
            lambda d: _edit(d / "index.m3u8", f"#EXTINF:[0-9.]+,\n{LAST}\n", ""),
            ErrorCode.SOURCE_TRUNCATED,
        ),
    ],
)
def test_a_damaged_output_is_refused(
    ts: Encoded, damage: Callable[[Path], object], code: ErrorCode
) -> None:
    damage(ts.plan.output / "480p")
    with pytest.raises(TranscodeError) as refusal:
        ts.measured()
    assert refusal.value.code is code


def test_a_fragment_that_is_cut_off_is_refused(fmp4: Encoded) -> None:
    segment = fmp4.plan.output / "480p" / "seg_00002.m4s"
    _cut(segment, segment.stat().st_size - 1)
    with pytest.raises(TranscodeError, match=r"480p/seg_00002.m4s is cut off"):
        fmp4.measured()


def _announcing(plan: EncodePlan, seconds: float | None) -> EncodePlan:
    video = replace(plan.info.video, duration_s=seconds)
    return replace(plan, info=replace(plan.info, video=video))


def test_pictures_without_times_cannot_be_truncated(ts: Encoded) -> None:
    assert measure_output(_announcing(ts.plan, None), ())


def test_a_truncated_source_comes_with_ffmpegs_last_lines(ts: Encoded) -> None:
    with pytest.raises(TranscodeError, match=r"announces 24.0 seconds.*only 14.5") as refusal:
        measure_output(_announcing(ts.plan, 24.0), ("partial file",))
    assert refusal.value.code is ErrorCode.SOURCE_TRUNCATED
    assert refusal.value.detail == ("partial file",)


@pytest.mark.parametrize(
    ("name", "size_bytes"), [(f"480p/{LAST}", 257 << 20), ("audio/index.m3u8", 9 << 20)]
)
def test_a_file_that_would_fill_the_memory_is_not_read(
    ts: Encoded, name: str, size_bytes: int
) -> None:
    with (ts.plan.output / name).open("r+b") as file:
        file.truncate(size_bytes)
    with pytest.raises(TranscodeError, match=f"{size_bytes} bytes, {name}") as failure:
        ts.measured()
    assert failure.value.code is ErrorCode.RESOURCE_LIMIT

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.encoding import Encoding
from vworker.media.hls import Rates
from vworker.media.output import measure_output
from vworker.media.plan import EncodePlan, make_plan
from vworker.media.source import SourceInfo, VideoStream

PACKET = 188
SPS = b"\x00\x00\x01\x67\x64\x00\x1e"
PLAYLIST = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXTINF:2.0,
seg_00000.ts
#EXTINF:1.0,
seg_00001.ts
#EXT-X-ENDLIST
"""


@pytest.fixture
def plan(tmp_path: Path) -> EncodePlan:
    """A finished encode of 3 s with one rung, in two segments of 10 and 5 packets."""
    video = VideoStream(
        index=0, codec="h264", width=640, height=360, frame_rate=None, duration_s=3.0
    )
    info = SourceInfo(container="mov", container_duration_s=3.0, video=video)
    plan = make_plan(tmp_path, info, Encoding())
    folder = plan.output / "360p"
    folder.mkdir(parents=True)
    (folder / "index.m3u8").write_text(PLAYLIST)
    (folder / "seg_00000.ts").write_bytes(SPS.ljust(10 * PACKET, b"\x00"))
    (folder / "seg_00001.ts").write_bytes(b"\x47" * 5 * PACKET)
    return plan


def test_a_whole_output_is_measured(plan: EncodePlan) -> None:
    files = measure_output(plan, ())["360p"]
    assert files.codec == "avc1.64001e"
    assert files.segments_bytes == 15 * PACKET
    assert files.size_bytes == 15 * PACKET + len(PLAYLIST)
    assert files.rates == Rates(peak=8 * 5 * PACKET, average=8 * 5 * PACKET)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda d: (d / "seg_00001.ts").unlink(), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / "seg_00001.ts").write_bytes(b""), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / "seg_00001.ts").write_bytes(b"\x47" * 4096), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / "seg_00000.ts").write_bytes(b"\x47" * 188), ErrorCode.OUTPUT_INCOMPLETE),
        (lambda d: (d / "index.m3u8").write_text(""), ErrorCode.OUTPUT_INCOMPLETE),
        (
            lambda d: (d / "index.m3u8").write_text(PLAYLIST.replace("#EXT-X-ENDLIST", "")),
            ErrorCode.OUTPUT_INCOMPLETE,
        ),
        (
            lambda d: (d / "index.m3u8").write_text(PLAYLIST.replace("seg_00001", "../x")),
            ErrorCode.OUTPUT_INCOMPLETE,
        ),
        (
            lambda d: (d / "index.m3u8").write_text(PLAYLIST.replace("1.0", "0.4")),
            ErrorCode.SOURCE_TRUNCATED,
        ),
        (lambda d: (d / "index.m3u8").unlink(), ErrorCode.ENCODE_FAILED),
    ],
)
def test_a_damaged_output_is_refused(
    plan: EncodePlan, damage: Callable[[Path], object], code: ErrorCode
) -> None:
    damage(plan.output / "360p")
    with pytest.raises(TranscodeError) as refusal:
        measure_output(plan, ("the last line",))
    assert refusal.value.code is code


def test_without_a_known_duration_nothing_counts_as_truncated(plan: EncodePlan) -> None:
    unknown = replace(plan.info.video, duration_s=None)
    plan = replace(plan, info=replace(plan.info, video=unknown))
    (plan.output / "360p" / "index.m3u8").write_text(PLAYLIST.replace("1.0", "0.1"))
    assert measure_output(plan, ())


def test_a_truncated_source_comes_with_ffmpegs_last_lines(plan: EncodePlan) -> None:
    (plan.output / "360p" / "index.m3u8").write_text(PLAYLIST.replace("1.0", "0.1"))
    with pytest.raises(TranscodeError, match=r"announces 3.0 seconds.*only 2.1") as refusal:
        measure_output(plan, ("partial file",))
    assert refusal.value.detail == ("partial file",)

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.encoded import Encoded
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.stills import make_stills
from vworker.resumption import may_go_on
from vworker.sandbox import Sandbox

STORYBOARD = """WEBVTT

00:00:00.000 --> 00:00:01.000
sprite_000.jpg#xywh=0,0,160,90

00:00:01.000 --> 00:00:02.000
sprite_000.jpg#xywh=160,0,160,90
"""


def picture(ffprobe: str, path: Path) -> Any:
    entries = "stream=codec_name,width,height,color_range"
    found = subprocess.run(
        [ffprobe, "-v", "error", "-show_entries", entries, "-of", "json", str(path)],
        check=True,
        capture_output=True,
    )
    (stream,) = json.loads(found.stdout)["streams"]
    return stream


def mean_colour(ffmpeg: str, path: Path, area: str) -> tuple[int, int, int]:
    """Return the mean red, green and blue of an area "width:height:x:y"."""
    found = subprocess.run(
        [
            *(ffmpeg, "-v", "error", "-i", str(path), "-vf", f"crop={area},scale=1:1:flags=area"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
        ],
        check=True,
        capture_output=True,
    )
    red, green, blue = found.stdout[:3]
    return red, green, blue


@pytest.fixture(params=["ts", "fmp4"])
def encoded(request: pytest.FixtureRequest) -> Encoded:
    found: Encoded = request.getfixturevalue(request.param)
    return found


async def test_a_poster_and_a_storyboard_are_made(
    encoded: Encoded, ffmpeg: str, ffprobe: str
) -> None:
    output = encoded.plan.output
    names = await make_stills(encoded.plan, encoded.measured(), encoded.settings)

    assert names == ("poster.jpg", "storyboard/index.vtt", "storyboard/sprite_000.jpg")
    poster = picture(ffprobe, output / "poster.jpg")
    assert (poster["codec_name"], poster["width"], poster["height"]) == ("mjpeg", 854, 480)
    sprite = picture(ffprobe, output / "storyboard" / "sprite_000.jpg")
    assert (sprite["width"], sprite["height"]) == (160 * 10, 90 * 2)
    storyboard = (output / "storyboard" / "index.vtt").read_text()
    assert storyboard.count(" --> ") == 15
    assert storyboard.startswith(STORYBOARD)
    assert storyboard.endswith("--> 00:00:14.500\nsprite_000.jpg#xywh=640,90,160,90\n")


async def test_tiles_show_what_is_played_at_their_time(ts: Encoded, ffmpeg: str) -> None:
    await make_stills(ts.plan, ts.measured(), ts.settings)
    sprite = ts.plan.output / "storyboard" / "sprite_000.jpg"
    # The clip is red for its first six seconds, then green.
    places = [(160 * (number % 10) + 8, 90 * (number // 10) + 8) for number in range(15)]
    colours = [mean_colour(ffmpeg, sprite, f"20:20:{x}:{y}") for x, y in places]
    assert all(red > 200 > 60 > green for red, green, _ in colours[:6])
    assert all(green > 100 > 60 > red for red, green, _ in colours[6:])


@pytest.mark.parametrize(
    ("script", "code", "goes_on"),
    [
        ("kill -KILL $$", ErrorCode.ENCODER_KILLED, True),
        ("echo 'poster.jpg: No space left on device' >&2; exit 1", ErrorCode.DISK_FULL, True),
        ("echo 'Error while decoding' >&2; exit 69", ErrorCode.OUTPUT_INCOMPLETE, False),
        ("exit 0", ErrorCode.OUTPUT_INCOMPLETE, False),
    ],
)
async def test_a_poster_that_fails_costs_the_encode_only_when_the_segments_are_at_fault(
    ts: Encoded, bare: Sandbox, tmp_path: Path, script: str, code: ErrorCode, goes_on: bool
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    settings = replace(ts.settings, ffmpeg=str(program), sandbox=bare)
    with pytest.raises(TranscodeError) as failure:
        await make_stills(ts.plan, ts.measured(), settings)
    assert failure.value.code is code
    assert may_go_on(failure.value) is goes_on

"""`make run` accepts a whole HLS output and refuses each kind of damage."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack import Stack
from devstack.checks import MASTER_NAME, OutputWrong, check_output, check_rules

SECONDS = 4


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    """A source.mp4 of 4 s, and beside it an HLS output of it: a picture and a sound rendition."""
    folder = tmp_path_factory.mktemp("published")
    encode = (ffmpeg, "-nostdin", "-loglevel", "error")
    subprocess.run(
        [
            *(*encode, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"),
            *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", str(SECONDS)),
            *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac"),
            str(folder / "source.mp4"),
        ],
        check=True,
    )
    hls = ("-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod")
    for stream, name in (("0:v", "180p"), ("0:a", "audio")):
        (folder / "output" / name).mkdir(parents=True)
        subprocess.run(
            [
                *(*encode, "-i", str(folder / "source.mp4"), "-map", stream, *hls),
                *("-hls_segment_filename", str(folder / "output" / name / "seg_%05d.ts")),
                str(folder / "output" / name / "index.m3u8"),
            ],
            check=True,
        )
    (folder / "output" / MASTER_NAME).write_text(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="sound",URI="audio/index.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=100000,AUDIO="aud"\n180p/index.m3u8\n'
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=50000,URI="180p/iframes.m3u8"\n'
    )
    return folder


@pytest.fixture
def output(published: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(published / "output", tmp_path / "output")


def test_whole_output_is_described(published: Path, output: Path, stack: Stack) -> None:
    picture, sound = check_output(output, source=published / "source.mp4", env=stack.ffmpeg)

    assert (picture.name, picture.resolution) == ("180p", "320x180")
    assert picture.duration_s == pytest.approx(SECONDS)
    assert (sound.name, sound.resolution) == ("audio", "")
    assert picture.segments == 2
    assert picture.size_bytes == sum(file.stat().st_size for file in (output / "180p").glob("*.ts"))


def remove_a_segment(output: Path) -> None:
    (output / "180p" / "seg_00001.ts").unlink()


def remove_a_playlist(output: Path) -> None:
    (output / "audio" / "index.m3u8").unlink()


def cut_the_end_off_a_playlist(output: Path) -> None:
    playlist = output / "180p" / "index.m3u8"
    playlist.write_text(playlist.read_text().replace("#EXT-X-ENDLIST\n", ""))


def spoil_a_segment(output: Path) -> None:
    segment = output / "180p" / "seg_00000.ts"
    data = bytearray(segment.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    segment.write_bytes(data)


def lose_the_last_segment(output: Path) -> None:
    playlist = output / "180p" / "index.m3u8"
    lines = playlist.read_text().splitlines()
    last = lines.index("seg_00001.ts")
    playlist.write_text("\n".join(lines[: last - 1] + lines[last + 1 :]) + "\n")


def name_no_picture(output: Path) -> None:
    (output / MASTER_NAME).write_text("#EXTM3U\naudio/index.m3u8\n")


def replace_the_master(output: Path) -> None:
    (output / MASTER_NAME).write_text("<html>not here</html>")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (remove_a_segment, "names what is not in S3: seg_00001.ts"),
        (remove_a_playlist, "is named but not in S3"),
        (cut_the_end_off_a_playlist, "has no end"),
        (spoil_a_segment, "does not decode"),
        (lose_the_last_segment, "lasts 2.00 s, the source's picture 4.00 s"),
        (name_no_picture, "names no picture"),
        (replace_the_master, "is no playlist"),
    ],
)
def test_damaged_output_is_refused(
    damage: Callable[[Path], None],
    complaint: str,
    published: Path,
    output: Path,
    stack: Stack,
) -> None:
    damage(output)
    with pytest.raises(OutputWrong, match=complaint):
        check_output(output, source=published / "source.mp4", env=stack.ffmpeg)


def test_a_video_that_breaks_the_rules_is_refused_with_the_report(output: Path) -> None:
    with pytest.raises(OutputWrong, match=r"(?s)breaks a rule:.*BROKEN apple-9.14"):
        check_rules(str(output / MASTER_NAME), strict=False)

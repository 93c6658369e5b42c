"""`python -m vworker transcode`, as somebody calls it who has a file and no servers."""

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.waiting import until
from vworker.contract import TranscodeResult
from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.check.rules import RULES


@pytest.fixture
def environ(ffmpeg: str, ffprobe: str) -> dict[str, str]:
    """No server is named in it."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    fast = {"WORKER_PRESET": "ultrafast", "WORKER_SEGMENT_SECONDS": "2"}
    return kept | {"FFMPEG": ffmpeg, "FFPROBE": ffprobe} | fast


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "vworker", "transcode", *map(str, arguments)]


def run(environ: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_local_file_becomes_a_checked_folder(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    ended = run(environ, clips.standard(), "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert check(Folder(out), "master.m3u8", source_s=14.5).passed
    assert "480p" in ended.stdout
    assert "BROKEN" not in ended.stdout
    assert {path.name for path in out.iterdir()} == {
        *("480p", "360p", "audio", "scrub", "storyboard"),
        *("master.m3u8", "poster.jpg"),
    }
    assert ended.stderr == ""


def test_the_table_tells_what_lies_in_the_folder(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = run(environ | {"WORKER_PRESET": "superfast"}, clips.standard(), "--out", out)
    lines = ended.stdout.splitlines()
    columns = ["rendition", "picture", "segments", "MB", "mean", "kbit/s", "peak", "kbit/s"]
    assert lines[0].split() == columns
    rows = {line.split()[0].lower(): line.split()[1:] for line in lines[1:4]}
    assert list(rows) == ["480p", "360p", "audio"]
    assert rows["480p"][0] == "854x480"
    assert rows["360p"][0] == "640x360"
    for name, row in rows.items():
        *_, segments, megabytes, mean, peak = row
        files = list((out / name).glob("seg_*.ts"))
        size_bytes = sum(file.stat().st_size for file in files)
        assert int(segments) == len(files) == 8
        assert float(megabytes) == pytest.approx(size_bytes / 1e6, abs=0.006)
        assert int(mean) == pytest.approx(size_bytes * 8 / 14_500, rel=0.01)
        assert int(peak) >= int(mean)
    assert lines[5].startswith("14.5 s of video, ")
    broken = [line.split()[1] for line in lines[7:-1]]
    assert lines[6] == f"{len(RULES) - len(set(broken))} of {len(RULES)} rules are kept"
    # Asked for by the segments of two seconds.
    assert set(broken) == {"apple-7.5"}
    assert lines[-1] == "master.m3u8"


def test_a_terminal_shows_a_bar_that_only_rises_to_the_end(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(clips.standard(), "--out", tmp_path / "out"),
        env=environ,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as running:
        os.close(theirs)
        shown = "".join(chunk.decode() for chunk in iter(lambda: _read(ours), b""))
        assert running.stdout is not None
        table = running.stdout.read()
    os.close(ours)
    assert running.returncode == 0, shown
    drawn = re.findall(r"\r\[(#*) *\] +(\d+) %  \d+ s ", shown)
    percents = [int(percent) for _, percent in drawn]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert len(set(percents)) > 3
    assert [len(bar) for bar, _ in drawn] == [percent * 40 // 100 for percent in percents]
    # Nothing but the bar, each time over the one before, and the end of its line.
    assert re.sub(r"\r\[#* *\] +\d+ %  \d+ s ", "", shown) == "\r\n"
    assert table.startswith("rendition")


def _read(terminal: int) -> bytes:
    """Return what comes next, nothing at the end: Linux tells of it by an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_paths_may_be_named_from_the_folder_at_hand(
    environ: dict[str, str], clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.mp4").hardlink_to(clips.silent())
    monkeypatch.chdir(tmp_path)
    ended = run(environ, "clip.mp4", "--out", "clip-hls")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "clip-hls/master.m3u8").exists()


def test_a_result_for_programs(environ: dict[str, str], clips: Clips, tmp_path: Path) -> None:
    ended = run(environ, clips.silent(), "--out", tmp_path, "--json")
    assert ended.returncode == 0, ended.stderr
    printed = json.loads(ended.stdout)
    result = TranscodeResult.from_json(printed["result"])
    assert [rung.playlist for rung in result.renditions] == ["360p/index.m3u8"]
    assert printed["check"]["passed"] is True


def test_a_folder_with_something_in_it_is_left_alone(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ended = run(environ, clips.silent(), "--out", tmp_path)
    assert ended.returncode == 73
    assert "nothing is overwritten" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_ffmpeg_it_says_what_to_do(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    del environ["FFMPEG"]
    ended = run(environ | {"PATH": str(tmp_path)}, clips.silent(), "--out", tmp_path / "out")
    assert ended.returncode == 78
    assert "there is no program ffmpeg on the PATH; install FFmpeg, or set FFMPEG" in ended.stderr


def test_an_old_ffmpeg_is_refused_at_the_start(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    old = tmp_path / "ffmpeg"
    answer = "ffmpeg version 5.1.9\nlibavcodec     59. 37.100 / 59. 37.100\n"
    old.write_text(
        f'#!/bin/sh\n[ "$2" = -version ] && printf \'{answer}\' || exec {environ["FFMPEG"]} "$@"\n'
    )
    old.chmod(0o700)
    bare = {"FFMPEG": str(old), "WORKER_SANDBOX": "rlimits"}
    ended = run(environ | bare, clips.silent(), "--out", tmp_path / "out")
    assert ended.returncode == 78
    assert "is FFmpeg 5.1.9, which is too old: install 8.1 or newer" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_video_leaves_nothing(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = run(environ, clips.holding("text.mp4", b"no video at all"), "--out", out)
    assert ended.returncode == 1
    assert "[not_a_video]" in ended.stderr
    assert not out.exists()


def test_a_missing_file_and_a_missing_profile_are_told_apart(
    environ: dict[str, str], clips: Clips, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(environ, tmp_path / "none.mp4", "--out", out).returncode == 66
    ended = run(environ, clips.silent(), "--out", out, "--profile", "none")
    assert ended.returncode == 1
    assert "there is no profile 'none'" in ended.stderr
    assert not out.exists()


async def test_ctrl_c_leaves_nothing(environ: dict[str, str], clips: Clips, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = await asyncio.create_subprocess_exec(
        *command(clips.long(), "--out", out),
        env=environ | {"WORKER_PRESET": "medium"},
        stderr=subprocess.PIPE,
    )
    await until(lambda: any(out.glob("360p/seg_*.ts")), what="a segment", deadline=60)
    running.send_signal(signal.SIGINT)
    _, told = await running.communicate()
    assert running.returncode == 130
    # A busy machine's FFmpeg may outlive its grace, of which a line before this one tells.
    assert told.splitlines()[-1] == b"vworker transcode: interrupted, nothing is left behind"
    assert not out.exists()

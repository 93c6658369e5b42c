"""`make run` and `make serve` as a newcomer calls them: one command, an exit code, a table."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.ports import free_ports
from tests.support.clips import Clips

DEADLINE_S = 120.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def environ() -> dict[str, str]:
    """Nothing set that names a server, so that all are started."""
    return {
        "PATH": os.environ["PATH"],
        "VAPI_PORT": str(free_ports(1)[0]),
        "WORKER_PRESET": "ultrafast",
    }


def devstack(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "devstack", *arguments]


def run_video(
    video: Path, folder: Path, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        devstack("run", "--data", str(folder), str(video)),
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_run_sends_a_video_through_and_shows_its_renditions(
    clips: Clips, tmp_path: Path, environ: dict[str, str]
) -> None:
    ended = run_video(clips.full_hd(), tmp_path, environ)

    assert ended.returncode == 0, ended.stderr
    rows = [line.split()[:2] for line in ended.stdout.splitlines()]
    for name, picture in (("1080p", "1920x1080"), ("720p", "1280x720"), ("480p", "854x480")):
        assert [name, picture] in rows
    assert ["360p", "640x360"] in rows
    assert ["audio", "sound"] in rows
    assert "rules are kept; 0 are broken that must not be" in ended.stdout
    assert "All is well" in ended.stdout


def test_make_run_takes_a_file_name_with_any_quotes(environ: dict[str, str]) -> None:
    name = """it's no "clip" at all.mp4"""
    programs = Path(sys.executable).parent
    ended = subprocess.run(
        # -o: the environment of this test is the one that is there
        ["make", "-o", ".venv/.stamp", "run", f"BIN={programs}", f"VIDEO={name}"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert f"{name} is not a file" in ended.stderr


def test_run_tells_why_a_video_failed(
    clips: Clips, tmp_path: Path, environ: dict[str, str]
) -> None:
    ended = run_video(clips.holding("text.mp4", b"no video at all"), tmp_path, environ)

    assert ended.returncode == 1
    assert "text.mp4 is failed: " in ended.stderr
    assert "vworker.log" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_run_tells_why_a_video_was_refused(
    clips: Clips, tmp_path: Path, environ: dict[str, str]
) -> None:
    ended = run_video(clips.holding("empty.mp4", b""), tmp_path, environ)

    assert ended.returncode == 1
    assert "refuses with 400: The body is empty: send a video file." in ended.stderr
    assert "title" not in ended.stderr


def test_serve_answers_until_it_is_interrupted_and_leaves_nothing_running(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    command = devstack("serve", "--data", str(tmp_path))
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            lines = []
            for line in served.stdout:
                lines.append(line)
                if line.startswith("ready"):
                    break
            assert f"API       http://127.0.0.1:{environ['VAPI_PORT']}/v1/videos\n" in lines
            children = [
                pid
                for tasks in Path(f"/proc/{served.pid}/task").glob("*/children")
                for pid in tasks.read_text().split()
            ]
            assert len(children) == 5

            served.send_signal(signal.SIGINT)
            assert served.wait(DEADLINE_S) == 128 + signal.SIGINT
            assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
        finally:
            served.kill()

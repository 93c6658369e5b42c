"""What a confined child cannot do, tried from the inside at each level that works here."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import captive
from tests.support.clips import Clips
from tests.support.levels import CONTAINING
from vworker.sandbox import (
    Access,
    Level,
    Limits,
    Sandbox,
    SandboxUnavailable,
    confine,
    open_sandbox,
)
from vworker.sandbox.program import needed_files

PYTHON = str(Path(sys.executable).resolve())
MIB = 1024**2


@pytest.fixture(params=CONTAINING)
def level(request: pytest.FixtureRequest) -> Level:
    assert isinstance(request.param, Level)
    return request.param


@pytest.fixture
def sandbox(level: Level, ffmpeg: str, ffprobe: str) -> Sandbox:
    return open_sandbox(
        level, ffmpeg=ffmpeg, ffprobe=ffprobe, limits=Limits(memory_bytes=256 * MIB)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A job's folder with an input and an output, beside a neighbour's."""

    folder: Path
    neighbour: Path

    @property
    def access(self) -> Access:
        reads = tuple(name for name in ("input", "script.py") if (self.folder / name).exists())
        return Access(folder=self.folder, reads=reads, writes=("output",))

    def run(self, sandbox: Sandbox, script: str, *argv: str) -> subprocess.CompletedProcess[bytes]:
        (self.folder / "script.py").write_text(script)
        return self.start(sandbox, PYTHON, "-I", "-S", "-B", str(self.folder / "script.py"), *argv)

    def start(self, sandbox: Sandbox, *argv: str) -> subprocess.CompletedProcess[bytes]:
        with sandbox.launch(argv, self.access, cpu_s=20) as launch:
            return subprocess.run(
                launch.argv,
                capture_output=True,
                cwd=self.folder,
                env={"LC_ALL": "C"},
                pass_fds=launch.descriptors,
                timeout=60,
                check=False,
            )


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    folder, neighbour = tmp_path / "job with a space", tmp_path / "neighbour"
    (folder / "output").mkdir(parents=True)
    (folder / "input").write_bytes(b"source")
    neighbour.mkdir()
    (neighbour / "secret").write_bytes(b"canary")
    (neighbour / "removable").touch()
    return Cell(folder=folder, neighbour=neighbour)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def captive_report(sandbox: Sandbox, cell: Cell, listening: socket.socket) -> dict[str, Any]:
    port, local = listening.getsockname()[1], cell.neighbour / "socket"
    script = Path(captive.__file__).read_text()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(local))
        server.listen()
        ended = cell.run(
            sandbox,
            script,
            *(str(cell.neighbour / "secret"), str(cell.neighbour)),
            *(str(port), str(local), str(os.getpid())),
        )
    assert ended.returncode == 0, ended.stderr.decode()
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def test_a_captive_reaches_its_own_files_and_nothing_else(
    sandbox: Sandbox, cell: Cell, listening: socket.socket
) -> None:
    attempts = captive_report(sandbox, cell, listening)["attempts"]
    allowed = {"read input", "write output", "rename output"}
    assert {name for name, ended in attempts.items() if ended == "done"} == allowed
    by_the_filter = {"fork", "start a shell", "connect to the host", "send a datagram"}
    by_the_filter |= {"connect to a local socket", "set up an io_uring", "read the worker's memory"}
    assert {attempts[name] for name in by_the_filter} == {"EPERM"}
    assert [path.name for path in (cell.folder / "output").iterdir()] == ["done"]
    assert (cell.neighbour / "secret").read_bytes() == b"canary"
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.accept()


def test_a_captive_finds_no_secret_in_its_environment(
    sandbox: Sandbox, cell: Cell, listening: socket.socket
) -> None:
    # bwrap tells the working folder in PWD.
    assert set(captive_report(sandbox, cell, listening)["environment"]) <= {"LC_ALL", "PWD"}


def test_the_same_attempts_succeed_without_containment(
    cell: Cell, listening: socket.socket, ffmpeg: str, ffprobe: str
) -> None:
    """Else the refusals above would prove nothing."""
    bare = open_sandbox(Level.RLIMITS, ffmpeg=ffmpeg, ffprobe=ffprobe)
    attempts = captive_report(bare, cell, listening)["attempts"]
    done = {name for name, ended in attempts.items() if ended == "done"}
    assert {
        "read another job's file",
        "write beside the output",
        "link out of the output",
        "make a pipe",
        "move a file out of the output",
        "link another job's file",
        "remove another job's file",
        "list another job's folder",
        "change the time of another job's file",
        "connect to the host",
        "send a datagram",
        "connect to a local socket",
        "fork",
        "start a shell",
        "signal the worker",
    } <= done


def play_list(sandbox: Sandbox, cell: Cell, ffmpeg: str, uri: str) -> int:
    """Let FFmpeg follow a playlist, with nothing of its own that would keep it from that."""
    (cell.folder / "input").write_text(f"#EXTM3U\n#EXTINF:3,\n{uri}\n#EXT-X-ENDLIST\n")
    trusting = ("-protocol_whitelist", "file,http,tcp", "-allowed_extensions", "ALL")
    copying = ("-i", "input", "-c", "copy", "-f", "mpegts", "output/stolen.ts")
    cell.start(
        sandbox,
        *(ffmpeg, "-nostdin", "-v", "error", "-y", "-f", "hls"),
        *("-extension_picky", "0", *trusting, *copying),
    )
    stolen = cell.folder / "output/stolen.ts"
    return stolen.stat().st_size if stolen.exists() else 0


def test_an_ffmpeg_that_follows_a_playlist_gets_no_neighbours_file(
    sandbox: Sandbox, cell: Cell, clips: Clips, ffmpeg: str, ffprobe: str
) -> None:
    neighbours = cell.neighbour / "video.ts"
    copying = ("-c", "copy", "-f", "mpegts", str(neighbours))
    subprocess.run([ffmpeg, "-v", "error", "-i", clips.silent(), *copying], check=True)
    bare = open_sandbox(Level.RLIMITS, ffmpeg=ffmpeg, ffprobe=ffprobe)
    assert play_list(bare, cell, ffmpeg, f"file://{neighbours}") > 10_000
    (cell.folder / "output/stolen.ts").unlink()
    assert play_list(sandbox, cell, ffmpeg, f"file://{neighbours}") == 0


def test_an_ffmpeg_that_follows_a_playlist_reaches_no_server(
    sandbox: Sandbox, cell: Cell, listening: socket.socket, ffmpeg: str, ffprobe: str
) -> None:
    uri = f"http://127.0.0.1:{listening.getsockname()[1]}/video.ts"
    bare = open_sandbox(Level.RLIMITS, ffmpeg=ffmpeg, ffprobe=ffprobe)
    listening.settimeout(30)
    with ThreadPoolExecutor() as threads:
        visit = threads.submit(lambda: listening.accept()[0].close())
        play_list(bare, cell, ffmpeg, uri)
        visit.result()
    play_list(sandbox, cell, ffmpeg, uri)
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.accept()


@pytest.mark.parametrize("kind", ["private", "shared"])
def test_memory_is_bounded(sandbox: Sandbox, cell: Cell, kind: str) -> None:
    cores = os.cpu_count() or 1
    size = 300 * MIB if kind == "private" else (1024 * cores + 600) * MIB
    flag = "MAP_PRIVATE" if kind == "private" else "MAP_SHARED"
    script = (
        "import mmap\n"
        f"try: mmap.mmap(-1, {size}, flags=mmap.{flag} | mmap.MAP_ANONYMOUS)\n"
        "except OSError as error: print(error.errno)\n"
    )
    assert cell.run(sandbox, script).stdout.strip() == b"12"  # ENOMEM


def test_the_length_of_a_file_is_bounded(
    level: Level, cell: Cell, ffmpeg: str, ffprobe: str
) -> None:
    limits = Limits(file_bytes=MIB)
    sandbox = open_sandbox(level, ffmpeg=ffmpeg, ffprobe=ffprobe, limits=limits)
    script = (
        "import signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"open('output/big', 'wb').write(bytes({2 * MIB}))\n"
    )
    assert b"File too large" in cell.run(sandbox, script).stderr
    assert (cell.folder / "output/big").stat().st_size == MIB


def test_the_processor_time_is_bounded(sandbox: Sandbox, cell: Cell) -> None:
    (cell.folder / "script.py").write_text("while True: pass")
    with sandbox.launch(
        [PYTHON, "-I", "-S", str(cell.folder / "script.py")], cell.access, cpu_s=1
    ) as launch:
        ended = subprocess.run(
            launch.argv, cwd=cell.folder, pass_fds=launch.descriptors, timeout=60, check=False
        )
    assert ended.returncode in {-9, 137}


def test_open_files_and_dumps_are_bounded(sandbox: Sandbox, cell: Cell) -> None:
    script = (
        "import resource as r\nprint(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))\n"
    )
    assert cell.run(sandbox, script).stdout.strip() == b"(256, 256) (0, 0)"


def test_threads_are_allowed(sandbox: Sandbox, cell: Cell) -> None:
    script = (
        "import threading\n"
        "thread = threading.Thread(target=print, args=('threaded',))\n"
        "thread.start(); thread.join()\n"
    )
    assert cell.run(sandbox, script).stdout.strip() == b"threaded"


def test_the_best_level_is_taken(ffmpeg: str, ffprobe: str) -> None:
    taken = open_sandbox("prefer", ffmpeg=ffmpeg, ffprobe=ffprobe)
    assert taken.level is [*CONTAINING, Level.RLIMITS][0]


def test_where_bubblewrap_does_not_work_the_next_level_is_taken(
    monkeypatch: pytest.MonkeyPatch, ffmpeg: str, ffprobe: str
) -> None:
    monkeypatch.setattr("vworker.sandbox.choice.installed_bwraps", lambda: (Path("/bin/false"),))
    taken = open_sandbox("prefer", ffmpeg=ffmpeg, ffprobe=ffprobe)
    rest = [level for level in CONTAINING if level is not Level.BUBBLEWRAP]
    assert taken.level is [*rest, Level.RLIMITS][0]


def test_a_machine_that_contains_nothing_is_refused_with_every_reason(
    monkeypatch: pytest.MonkeyPatch, ffmpeg: str, ffprobe: str
) -> None:
    monkeypatch.setattr("vworker.sandbox.choice.installed_bwraps", lambda: (Path("/bin/false"),))
    monkeypatch.setattr("vworker.sandbox.choice.landlock_version", lambda: 0)
    with pytest.raises(
        SandboxUnavailable, match=r"bubblewrap.*/bin/false.*landlock: .*no Landlock"
    ):
        open_sandbox("require", ffmpeg=ffmpeg, ffprobe=ffprobe)
    assert open_sandbox("prefer", ffmpeg=ffmpeg, ffprobe=ffprobe).level is Level.RLIMITS


def test_a_sandbox_that_leaks_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, level: Level, ffmpeg: str, ffprobe: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        f"vworker.sandbox.{level}.needed_files",
        lambda program: (*needed_files(program), tmp_path),
    )
    with pytest.raises(SandboxUnavailable, match="could read a file that it was not given"):
        open_sandbox(level, ffmpeg=ffmpeg, ffprobe=ffprobe)


def test_a_program_that_does_not_start_is_named(ffmpeg: str) -> None:
    with pytest.raises(SandboxUnavailable, match="/bin/false does not run in it"):
        open_sandbox("prefer", ffmpeg=ffmpeg, ffprobe="/bin/false")


def test_the_launcher_of_landlock_loads_next_to_nothing() -> None:
    """Every child pays for what it does before it becomes FFmpeg."""
    bare = [sys.executable, "-I", "-S", "-B", "-X", "importtime"]
    launcher = Path(confine.__file__)
    ended = subprocess.run([*bare, str(launcher)], capture_output=True, text=True, check=False)
    assert "TypeError" in ended.stderr  # it looks for its arguments after its imports
    nothing = subprocess.run([*bare, "-c", ""], capture_output=True, text=True, check=True)
    assert loaded(ended.stderr) - loaded(nothing.stderr) == {"_ctypes"}


def loaded(importtime: str) -> set[str]:
    """Names of modules in what `-X importtime` tells."""
    lines = (line for line in importtime.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


def test_a_static_program_needs_itself_alone_and_others_the_system(ffmpeg: str) -> None:
    assert needed_files(Path(ffmpeg)) == (Path(ffmpeg),)
    assert Path("/usr") in needed_files(Path("/bin/sh"))

import subprocess
import sys
from pathlib import Path

import pytest

from vworker.workspace import Workspace, sweep

WORKER = """
import asyncio, pathlib, sys
from vworker.workspace import Workspace

async def main():
    with Workspace(pathlib.Path(sys.argv[1])) as workspace:
        async with workspace.attempt() as folder:
            (folder / "source.bin").write_bytes(b"x")
            print(folder, flush=True)
            sys.stdin.read()

asyncio.run(main())
"""


def start_worker(root: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process that holds a scratch folder until its standard input closes."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    return worker, Path(worker.stdout.readline().strip())


async def test_an_attempt_gets_an_empty_private_folder_and_leaves_none(tmp_path: Path) -> None:
    with Workspace(tmp_path / "a" / "b") as workspace:
        async with workspace.attempt() as first, workspace.attempt() as second:
            assert first != second
            assert list(first.iterdir()) == []
            assert first.stat().st_mode & 0o077 == 0
            (first / "deep").mkdir()
            (first / "deep" / "file").write_bytes(b"x")
        assert not first.exists()
        assert workspace.free_bytes() > 0
    assert list((tmp_path / "a" / "b").iterdir()) == []


async def test_a_failed_attempt_leaves_no_folder(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        with pytest.raises(ValueError, match="broken"):
            async with workspace.attempt() as folder:
                raise ValueError("broken")
        assert not folder.exists()


def test_a_start_removes_what_a_killed_worker_left(tmp_path: Path) -> None:
    worker, folder = start_worker(tmp_path)
    with worker:
        worker.kill()
        worker.wait()
        assert folder.exists()
        with Workspace(tmp_path):
            assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_living_worker_keeps_its_folder(tmp_path: Path) -> None:
    worker, folder = start_worker(tmp_path)
    with worker:
        with Workspace(tmp_path):
            assert (folder / "source.bin").exists()
        assert sweep(tmp_path) == []
        worker.communicate("")
    assert worker.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_touches_nothing_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "vworker-notes").mkdir()
    (tmp_path / "other.lock").touch()
    assert sweep(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.lock", "vworker-notes"]

"""vqueue.testing: a real server for users' tests, which leaves nothing behind."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

import vqueue.testing.server
from tests.support.invariants import check_invariants
from tests.support.waiting import until
from vqueue import Job, Queue
from vqueue.testing import ServerNotStarted, embedded_redis, run_until_idle


async def test_jobs_run_on_the_embedded_server_until_none_is_left() -> None:
    seen: list[int] = []
    with embedded_redis() as url:
        async with Queue("images", url) as queue:

            async def handler(job: Job) -> None:
                seen.append(job.data)
                if job.data < 5:
                    await queue.add("next", job.data + 1)

            await queue.add("first", 0)
            await queue.add("urgent", 5, priority=1)
            later = await queue.add("later", 9, delay=3600)
            await run_until_idle("images", handler, url)
            assert (await queue.get_job_counts())["completed"] == 7
            await run_until_idle("images", handler, url)
            job = await queue.get_job(later.id)
            assert job is not None
            assert job.state == "delayed"
        await check_invariants(url, "images", idle=True)
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 5]


def test_the_server_and_its_files_are_gone_afterwards() -> None:
    with embedded_redis() as url:
        folder = Path(url.removeprefix("unix://")).parent
        pid = _pid_of(url)
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_killed_test_run_takes_its_server_with_it() -> None:
    program = "from vqueue.testing import embedded_redis\nwith embedded_redis() as url:\n"
    program += "    print(url, flush=True)\n    input()\n"
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    url = (await run.stdout.readline()).decode().strip()
    pid = _pid_of(url)
    run.kill()
    await run.wait()
    await until(lambda: not _lives(pid), what="the server to end")
    shutil.rmtree(Path(url.removeprefix("unix://")).parent)


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vqueue.testing.server, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerNotStarted, match=r"vqueue\[testing\]"), embedded_redis():
        pass


def test_the_fixtures_work_in_a_users_tests(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["vqueue.testing.fixtures"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import asyncio\n"
        "from vqueue import Queue\n"
        "from vqueue.testing import run_until_idle\n"
        "\n"
        "\n"
        "def test_mine(vqueue_redis, vqueue_name):\n"
        "    async def main():\n"
        "        async with Queue(vqueue_name, vqueue_redis) as queue:\n"
        "            job = await queue.add('double', 21)\n"
        "            async def double(job):\n"
        "                return job.data * 2\n"
        "            await run_until_idle(vqueue_name, double, vqueue_redis)\n"
        "            assert await queue.result(job.id) == 42\n"
        "    asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def _pid_of(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def _lives(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it ended before the read, or during it
        return False

"""`python -m vqueue`: each command as a program, its output and exit code."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.driver import Driver, settle
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended, jobs_in
from vqueue import Job, JobState, Queue, Worker

SOURCES = Path(__file__).parents[3] / "src"

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
Program = subprocess.Popen[str]


def _environment(redis_url: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "REDIS_URL": redis_url, "PYTHONPATH": str(SOURCES)}


@pytest.fixture
def run(redis_url: str, queue_name: str) -> Run:
    """Run a command on this test's queue."""

    def call(command: str, *arguments: str, redis: str = redis_url) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "vqueue", command, queue_name, *arguments],
            env=_environment(redis),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def answer(done: Done) -> Any:
    """The JSON of a command that succeeded."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_stats_counts_jobs_by_state(run: Run, queue: Queue) -> None:
    await queue.add("task")
    await queue.add("task", delay=60)
    counts = answer(run("stats", "--json"))
    assert (counts["waiting"], counts["delayed"], counts["active"]) == (1, 1, 0)
    assert "waiting" in run("stats").stdout


async def test_jobs_are_listed_page_by_page(run: Run, queue: Queue) -> None:
    for number in range(3):
        await queue.add("task", job_id=f"job-{number}")
    await queue.add("task", job_id="later", delay=60)
    page = answer(run("jobs", "--state", "waiting", "--limit", "2", "--asc", "--json"))
    assert [job["id"] for job in page["jobs"]] == ["job-0", "job-1"]
    rest = run("jobs", "--state", "waiting", "--asc", "--cursor", page["cursor"], "--json")
    assert [job["id"] for job in answer(rest)["jobs"]] == ["job-2"]
    assert "later" in run("jobs").stdout


async def test_show_prints_a_job_with_its_log(run: Run, queue: Queue, driver: Driver) -> None:
    await queue.add("resize", {"width": 640}, job_id="job-1")
    taken = await driver.take_one()
    await driver.scripts.log(consumer="w1", keep=9, lines=[("job-1", taken.token, 1, "half way")])
    await driver.finish(settle(taken, value=b'{"ok":true}'))
    job = answer(run("show", "job-1", "--json"))
    assert (job["state"], job["data"], job["returnvalue"]) == (
        "completed",
        {"width": 640},
        {"ok": True},
    )
    assert job["log"] == ["half way"]
    assert "log: half way" in run("show", "job-1").stdout


async def test_show_prints_the_stack_traces_of_a_job_as_they_are(
    run: Run, queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        raise ValueError(f"start {job.attempts_started}")

    added = await queue.add("task", attempts=2)
    async with Worker(queue_name, handler, redis_url):
        await ended(queue, added.id)
    printed = run("show", added.id).stdout.splitlines()
    assert [line for line in printed if line.startswith(("Traceback", "ValueError"))] == [
        "Traceback (most recent call last):",
        "ValueError: start 1",
        "Traceback (most recent call last):",
        "ValueError: start 2",
    ]
    assert len(answer(run("show", added.id, "--json"))["stacktrace"]) == 2


@pytest.mark.parametrize("command", ["show", "explain", "promote"])
def test_a_job_that_is_not_there_ends_with_1_and_a_reason(run: Run, command: str) -> None:
    done = run(command, "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody" in done.stderr


async def test_explain_answers_in_a_sentence_or_as_data(run: Run, queue: Queue) -> None:
    await queue.add("task", job_id="job-1", delay=60)
    assert run("explain", "job-1").stdout.startswith("job job-1 is delayed until 20")
    assert answer(run("explain", "job-1", "--json"))["hindrance"] == "delayed"


async def test_promote_lets_delayed_jobs_start(run: Run, queue: Queue) -> None:
    for number in range(3):
        await queue.add("task", job_id=f"job-{number}", delay=60)
    assert answer(run("promote", "job-0", "--json")) == {"promoted": 1}
    assert answer(run("promote", "--all", "--json")) == {"promoted": 2}
    assert run("promote", "job-0").returncode == 1


async def test_retry_runs_failed_jobs_again(run: Run, queue: Queue, driver: Driver) -> None:
    await driver.add("job-0", "job-1", "job-2")
    for job in (await driver.take(3)).jobs:
        await driver.finish(settle(job, "failed"))
    assert answer(run("retry", "job-0", "--json")) == {"retried": 1}
    assert answer(run("retry", "--all", "--count", "1", "--json")) == {"retried": 1}
    assert answer(run("retry", "--all", "--json")) == {"retried": 1}
    assert run("retry", "job-0").returncode == 1
    assert (await queue.get_job_counts())["waiting"] == 3


async def test_cancel_ends_a_job_and_tells_a_running_ones_worker(
    run: Run, queue: Queue, driver: Driver
) -> None:
    await driver.add("running", "waiting")
    await driver.take_one()
    done = answer(run("cancel", "waiting", "--reason", "not needed", "--json"))
    assert done == {"cancellation": "cancelled"}
    assert answer(run("cancel", "running", "--json")) == {"cancellation": "requested"}
    assert run("cancel", "waiting").returncode == 1
    assert run("cancel", "nobody").returncode == 1
    job = await queue.get_job("waiting")
    assert job is not None
    assert job.failed_reason == "cancelled: not needed"


async def test_remove_takes_a_job_out_of_the_queue(run: Run, queue: Queue) -> None:
    await queue.add("task", job_id="job-1")
    assert answer(run("remove", "job-1", "--json")) == {"removed": True}
    assert run("remove", "job-1").returncode == 1
    assert await queue.get_job("job-1") is None


async def test_pause_and_resume_switch_the_queue(run: Run, queue: Queue) -> None:
    assert answer(run("pause", "--json")) == {"paused": True}
    assert await queue.is_paused()
    assert answer(run("resume", "--json")) == {"paused": False}
    assert not await queue.is_paused()


async def test_drain_and_clean_remove_jobs(run: Run, queue: Queue, driver: Driver) -> None:
    await driver.add("ended", "waiting")
    await queue.add("task", job_id="later", delay=60)
    await driver.finish(settle(await driver.take_one()))
    assert answer(run("drain", "--json")) == {"removed": 1}
    assert answer(run("drain", "--delayed", "--json")) == {"removed": 1}
    assert answer(run("clean", "--grace", "60", "--json")) == {"removed": []}
    assert answer(run("clean", "--json")) == {"removed": ["ended"]}
    assert sum((await queue.get_job_counts()).values()) == 0


async def test_workers_are_listed_with_what_they_run(
    run: Run, queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task", job_id="job-1")
    async with Worker(queue_name, handler, redis_url) as worker:
        await handler.running(1)

        async def is_told() -> bool:
            return any("job-1" in seen.running for seen in await queue.get_workers())

        await until(is_told, what="the worker to say what it runs")
        (seen,) = answer(await asyncio.to_thread(run, "workers", "--json"))
        assert (seen["consumer"], list(seen["running"])) == (worker.consumer, ["job-1"])
        assert worker.consumer in (await asyncio.to_thread(run, "workers")).stdout
        handler.let_go.set()


async def test_events_are_printed_one_a_line(run: Run, queue: Queue) -> None:
    await queue.add("task", job_id="job-1")
    await queue.add("task", job_id="job-2")
    lines = [json.loads(line) for line in run("events", "--json").stdout.splitlines()]
    assert [(line["name"], line["job_id"]) for line in lines] == [
        ("added", "job-1"),
        ("waiting", "job-1"),
        ("added", "job-2"),
        ("waiting", "job-2"),
    ]
    assert "job-2" not in run("events", "--job", "job-1").stdout


async def test_follow_prints_events_as_they_happen(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    await queue.add("task", job_id="before")
    follower = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "vqueue", "events", queue_name, "--follow"),
        env=_environment(redis_url),
        stdout=subprocess.PIPE,
    )
    assert follower.stdout is not None
    try:
        async with asyncio.timeout(60):
            seen = [(await follower.stdout.readline()).decode() for _ in range(2)]
            await queue.add("task", job_id="after")
            seen += [(await follower.stdout.readline()).decode() for _ in range(2)]
    finally:
        follower.terminate()
        await follower.wait()
    assert [line.split()[1:3] for line in seen] == [
        ["added", "before"],
        ["waiting", "before"],
        ["added", "after"],
        ["waiting", "after"],
    ]


def test_doctor_finds_no_problem_with_the_tests_server(run: Run) -> None:
    findings = answer(run("doctor", "--json"))
    assert {finding["verdict"] for finding in findings} <= {"ok", "warning"}


def test_a_wrong_command_line_ends_with_2(run: Run) -> None:
    assert run("dance").returncode == 2
    assert run("show", "no such id").returncode == 2


def test_an_unreachable_redis_ends_with_3(run: Run) -> None:
    done = run("stats", "--timeout", "0.2", redis="redis://127.0.0.1:1/0")
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr


HANDLERS = """
import asyncio
import os

async def double(job):
    return job.data * 2

async def wait(job):
    await asyncio.Event().wait()

async def end_the_program(job):
    os.kill(os.getpid(), job.data)
    for _ in range(100):  # turns of the loop, in any of which it could be cancelled
        await asyncio.sleep(0)
    return "done"
"""


@pytest.fixture
def work(redis_url: str, queue_name: str, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start `run` on this test's queue, in a folder with a module `jobs`."""
    (tmp_path / "jobs.py").write_text(HANDLERS)
    started: list[Program] = []

    def start(handler: str, *arguments: str) -> Program:
        command = [sys.executable, "-m", "vqueue", "run", queue_name, handler, *arguments]
        program = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=_environment(redis_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


async def test_run_works_until_it_is_told_to_end(
    work: Callable[..., Program], queue: Queue
) -> None:
    program = work("jobs:double", "--concurrency", "3", "--json")
    job = await queue.add("task", 21)
    assert await job.result(timeout=30) == 42
    program.send_signal(signal.SIGTERM)
    said, _ = await asyncio.to_thread(program.communicate, timeout=30)
    begun, ended_ = map(json.loads, said.splitlines())
    assert (begun["concurrency"], ended_["closed"]) == (3, begun["consumer"])
    assert program.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_run_lets_the_job_end_that_runs_when_it_is_told_to_end(
    work: Callable[..., Program], queue: Queue, number: signal.Signals
) -> None:
    job = await queue.add("task", int(number))
    program = work("jobs:end_the_program")
    assert await job.result(timeout=30) == "done"
    await asyncio.to_thread(program.communicate, timeout=30)
    (found,) = await jobs_in(queue, job.id, states={JobState.COMPLETED})
    assert (program.returncode, found.attempts_started) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "signals"),
    [(["--grace", "0"], [signal.SIGTERM]), ([], [signal.SIGTERM, signal.SIGINT])],
    ids=["after its grace", "at a second signal"],
)
async def test_run_hands_back_what_does_not_end(
    work: Callable[..., Program], queue: Queue, arguments: list[str], signals: list[signal.Signals]
) -> None:
    jobs = [(await queue.add("task")).id for _ in range(2)]
    program = work("jobs:wait", "--concurrency", "2", *arguments)
    await jobs_in(queue, *jobs, states={JobState.ACTIVE})
    for number in signals:
        program.send_signal(number)
    await asyncio.to_thread(program.communicate, timeout=30)
    found = await jobs_in(queue, *jobs, states={JobState.WAITING})
    assert (program.returncode, [job.attempts_made for job in found]) == (0, [0, 0])


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        ("jobs", "module:function"),
        ("nowhere.at_all:double", "no module 'nowhere'"),
        ("jobs:triple", "no function 'triple'"),
        ("jobs:__name__", "no function '__name__'"),
    ],
)
async def test_run_says_which_handler_is_missing(
    work: Callable[..., Program], handler: str, told: str
) -> None:
    program = work(handler)
    _, complaint = await asyncio.to_thread(program.communicate, timeout=30)
    assert (program.returncode, told in complaint) == (2, True)


async def _line_of(stream: IO[str] | None, *, with_text: str) -> None:
    """Read what a program prints up to a line."""
    assert stream is not None
    async with asyncio.timeout(30):
        while line := await asyncio.to_thread(stream.readline):
            if with_text in line:
                return
    pytest.fail(f"the program has ended without {with_text!r}")


async def test_run_starts_anew_when_the_source_changes_and_hands_its_job_over(
    work: Callable[..., Program], queue: Queue, tmp_path: Path
) -> None:
    job = await queue.add("task", 21)
    program = work("jobs:wait", "--reload", "--grace", "0")
    await jobs_in(queue, job.id, states={JobState.ACTIVE})
    (tmp_path / "jobs.py").write_text("def wait(:  # half written")
    await _line_of(program.stderr, with_text="SyntaxError")
    await _line_of(program.stderr, with_text="jobs:wait cannot be loaded; waiting for a change")
    (tmp_path / "jobs.py").write_text("async def wait(job):\n    return job.data * 3\n")
    assert await job.result(timeout=30) == 63
    (found,) = await jobs_in(queue, job.id, states={JobState.COMPLETED})
    assert found.attempts_made == 1
    program.send_signal(signal.SIGTERM)
    await asyncio.to_thread(program.communicate, timeout=30)
    assert program.returncode == 0


async def test_run_does_not_watch_a_folder_that_is_not_there(work: Callable[..., Program]) -> None:
    program = work("jobs:double", "--reload", "--reload-dir", "nowhere")
    _, complaint = await asyncio.to_thread(program.communicate, timeout=30)
    assert (program.returncode, "nowhere is not a folder" in complaint) == (2, True)


async def test_health_is_that_of_a_worker_that_lives(
    run: Run, queue: Queue, redis_url: str, queue_name: str
) -> None:
    assert run("health").returncode == 1
    async with Worker(queue_name, HeldHandler(), redis_url):

        async def is_known() -> bool:
            return bool(await queue.get_workers())

        await until(is_known, what="the worker to say that it lives")
        told = answer(await asyncio.to_thread(run, "health", "--here", "--json"))
        assert (told["healthy"], len(told["workers"])) == (True, 1)
        for limit in ("--max-silence", "--max-loop-lag"):
            beyond = await asyncio.to_thread(run, "health", limit, "-1")
            assert (beyond.returncode, "0 healthy" in beyond.stdout) == (1, True)

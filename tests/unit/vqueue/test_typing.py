"""What a type checker learns of jobs, their data and their results."""

import subprocess
import sys
from collections.abc import Callable
from typing import get_args, get_origin

import pytest

from vqueue import Job

_HEAD = """
from typing import TypedDict

from vqueue import Job, Queue, Worker, in_batches

class Clip(TypedDict):
    url: str

async def handler(job: Job[Clip]) -> str:
    {in_handler}
    return job.data["url"]

async def plain(job: Job) -> str:
    return str(job.data)

async def use(queue: Queue) -> None:
    Worker("q", handler, "redis://localhost")
    Worker("q", plain, "redis://localhost")
    await queue.add("none")
    clip: Clip = {{"url": "s3://bucket/key"}}
    job = await queue.add("clip", clip, delay=5)
    {in_producer}
"""


Check = Callable[..., str]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Return what mypy says of the program with these lines in it."""
    folder = tmp_path_factory.mktemp("typing")

    def say(*, in_handler: str = "pass", in_producer: str = "pass") -> str:
        program = folder / "program.py"
        program.write_text(_HEAD.format(in_handler=in_handler, in_producer=in_producer))
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", "program.py"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return say


def test_the_result_of_a_job_has_the_type_that_the_program_gives_it(check: Check) -> None:
    given = "cut: Job[Clip, str] = job"
    assert "Success" in check(in_producer=f"{given}; url: str = await cut.result()")
    told = check(in_producer=f"{given}; number: int = await cut.result()")
    assert 'expression has type "str"' in told
    told = check(in_producer=f"{given}; number: int | None = cut.returnvalue")
    assert 'expression has type "str | None"' in told


def test_types_of_a_job_can_be_named_while_the_program_runs() -> None:
    assert (get_origin(Job[int]), get_args(Job[int, str])) == (Job, (int, str))


def test_a_program_with_typed_and_plain_jobs_is_right(check: Check) -> None:
    assert "Success" in check(in_producer='url: str = job.data["url"]')


@pytest.mark.parametrize("where", ["in_handler", "in_producer"])
def test_data_that_a_job_has_not_are_an_error(check: Check, where: str) -> None:
    told = check(**{where: 'job.data["width"]'})
    assert 'TypedDict "Clip" has no key "width"' in told

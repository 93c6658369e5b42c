"""The package: its public names, and what importing it costs."""

import subprocess
import sys
from types import GenericAlias

import vqueue


def test_every_public_name_is_there_and_listed_once() -> None:
    assert sorted(vqueue.__all__) == vqueue.__all__
    assert len(set(vqueue.__all__)) == len(vqueue.__all__)
    for name in vqueue.__all__:
        item = getattr(vqueue, name)
        assert isinstance(item, GenericAlias) or item.__module__.startswith("vqueue.")


def test_the_types_of_functions_that_a_worker_gets_are_public() -> None:
    async def handler(job: vqueue.Job) -> None:
        del job

    async def log(job: vqueue.Job, following: vqueue.Handler) -> object:
        return await following(job)

    typed: tuple[vqueue.Handler, vqueue.Middleware] = (handler, log)
    assert typed == (handler, log)
    assert {"Handler", "Middleware"} <= set(vqueue.__all__)


def test_every_error_has_the_one_base() -> None:
    errors = [
        item
        for item in (getattr(vqueue, name) for name in vqueue.__all__)
        if isinstance(item, type) and issubclass(item, BaseException)
    ]
    assert vqueue.VQueueError in errors
    assert all(issubclass(error, vqueue.VQueueError) for error in errors)


def test_importing_the_library_needs_only_redis_and_orjson() -> None:
    program = "import sys, vqueue; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    packages = {name.partition(".")[0] for name in loaded}
    assert {"redis", "orjson"} <= packages
    others = {"motor", "pymongo", "bson", "boto3", "botocore", "aioboto3", "aiofiles"}
    others |= {"starlette", "uvicorn", "vworker", "vapi", "devstack"}
    assert packages & others == set()


def test_the_library_works_where_opentelemetry_is_not_installed() -> None:
    # the Redis driver imports it by itself where it is
    program = (
        "import sys; sys.modules['opentelemetry'] = None; import vqueue, vqueue.cli.program; "
        "assert 'vqueue.tracing' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

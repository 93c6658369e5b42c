"""The package: its public names, and what importing it costs."""

import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from inspect import signature
from pathlib import Path
from types import GenericAlias

import pytest

import vqueue
from vqueue import testing, tracing
from vqueue.mirror import MongoMirror


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


#: Classes that programs call: the changelog has their methods and arguments.
_CALLED = (
    vqueue.Queue,
    vqueue.Worker,
    vqueue.ManualWorker,
    vqueue.FlowProducer,
    vqueue.QueueEvents,
    vqueue.DurableEvents,
    vqueue.Job,
    vqueue.HeldJob,
    vqueue.BlockingJob,
    vqueue.ProcessJob,
    vqueue.PartialResults,
    MongoMirror,
    tracing.TracedQueue,
    tracing.TracedFlowProducer,
)
#: What they are given: the changelog has the fields.
_GIVEN = (
    vqueue.JobOptions,
    vqueue.Backoff,
    vqueue.Retention,
    vqueue.RateLimit,
    vqueue.Repeat,
    vqueue.Deduplication,
    vqueue.Group,
)
#: Made by the library, with arguments of its own.
_MADE_BY_THE_LIBRARY = (
    vqueue.HeldJob,
    vqueue.BlockingJob,
    vqueue.ProcessJob,
    vqueue.PartialResults,
)


def _names_of(kind: type) -> set[str]:
    """The public methods, attributes and arguments of a class; of a dataclass the fields."""
    if is_dataclass(kind):
        return {field.name for field in fields(kind) if field.init}
    names = {name for name in dir(kind) if not name.startswith("_")}
    if kind not in _MADE_BY_THE_LIBRARY:
        names |= signature(kind).parameters.keys()
    # a base that is public has entries of its own
    return names.difference(*(_names_of(base) for base in kind.__bases__ if base in _CALLED))


def _told_of() -> dict[str, set[str]]:
    """What the changelog tells: each word in code marks → the words of the entries that have it."""
    changelog = (Path(__file__).parents[3] / "CHANGELOG.md").read_text(encoding="utf-8")
    told: dict[str, set[str]] = {}
    for entry in re.split(r"^- ", changelog, flags=re.MULTILINE):
        words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", entry))))
        for word in words:
            told.setdefault(word, set()).update(words)
    return told


def test_the_changelog_has_every_public_name() -> None:
    public = {*vqueue.__all__, *testing.__all__, *tracing.__all__, MongoMirror.__name__}
    assert public - _told_of().keys() == set()


@pytest.mark.parametrize("kind", [*_CALLED, *_GIVEN])
def test_the_changelog_has_every_name_of_a_class_beside_the_class(kind: type) -> None:
    assert _names_of(kind) - _told_of()[kind.__name__] == set()


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

"""The Lua scripts: headers tell what bodies do, and a running job's calls check the fence."""

import hashlib
import re
from importlib.resources import files

import pytest
from redis.exceptions import AskError, MovedError, NoScriptError, ResponseError

from vqueue.keys import QueueKeys
from vqueue.script_calls import load_script
from vqueue.scripts import Scripts

LUA = files("vqueue") / "lua"
SCRIPTS = sorted(
    entry.name.removesuffix(".lua") for entry in LUA.iterdir() if entry.name.endswith(".lua")
)

#: Scripts that a running job's worker calls for it: each checks the fence before it writes.
CALLED_BY_A_RUNNING_JOB = {
    "add_flow",
    "finish",
    "heartbeat",
    "log",
    "partial",
    "progress",
    "release",
    "update_data",
}
#: The others, with why they need no fence.
NEED_NO_FENCE = {
    "add": "makes jobs",
    "add_log": "is an operator's, on a job in any state",
    "adopt": "reads the entries that are pending for the caller",
    "cancel": "is an operator's, and leaves active jobs to their workers",
    "change_delay": "leaves active jobs alone",
    "change_priority": "leaves active jobs alone",
    "clean": "leaves active jobs alone",
    "close_gap": "belongs to a reader of events",
    "counts": "reads",
    "emit_event": "changes no job",
    "explain": "reads",
    "latencies": "changes no job",
    "leave_events": "belongs to a reader of events",
    "forget_consumers": "leaves alone those that hold something",
    "group": "reads",
    "limits": "reads",
    "counts_per_priority": "reads",
    "obliterate": "takes jobs from their holders on purpose",
    "obliterate_end": "changes no job",
    "open": "changes no job",
    "page": "reads",
    "present": "changes no job",
    "promote": "leaves active jobs alone",
    "pause": "changes no job",
    "rate_limit": "changes no job",
    "read_events": "belongs to a reader of events",
    "remove": "leaves active jobs alone",
    "remove_unprocessed_children": "leaves active jobs alone",
    "remove_child_dependency": "parts jobs, whoever runs them",
    "repair": "looks at entries that are pending for nobody",
    "retain": "leaves active jobs alone",
    "retry": "leaves active jobs alone",
    "sched_del": "takes a job out of the line",
    "sched_put": "makes jobs",
    "sched_refill": "changes no job",
    "set_group": "changes no job",
    "set_limits": "changes no job",
    "snapshot": "reads",
    "sweep_orphans": "leaves active jobs alone",
    "sweep": "takes jobs from their holders on purpose",
    "tell_parents": "leaves active jobs alone",
    "take": "makes activations",
    "workers": "reads",
}

#: Scripts that write nothing.
READ_ONLY = {
    "counts",
    "counts_per_priority",
    "explain",
    "group",
    "limits",
    "page",
    "snapshot",
    "workers",
}

#: Commands that change a job or its entry.
_WRITE = re.compile(
    r"'(HSET|HDEL|RPUSH|LTRIM|ZADD|ZREM|XACK|XDEL|XADD|XCLAIM|UNLINK|SET)'"
    r"|\b(renew|drop|push_back|push_front|push_lifo|bury|emit)\("
)


def source(name: str) -> str:
    """The file itself, its includes not merged."""
    return (LUA / f"{name}.lua").read_text(encoding="utf-8")


def header_and_body(name: str) -> tuple[str, str]:
    """The comment at the top, and the code."""
    found = re.fullmatch(r"#!lua[^\n]*\n--\[\[(.*?)\]\]\n(.*)", source(name), re.DOTALL)
    assert found is not None, f"{name}.lua does not begin with #!lua and a header"
    return found[1], found[2]


def test_every_script_is_listed_as_fenced_or_not() -> None:
    assert set(SCRIPTS) == CALLED_BY_A_RUNNING_JOB | NEED_NO_FENCE.keys()


@pytest.mark.parametrize("name", sorted(CALLED_BY_A_RUNNING_JOB))
def test_a_running_jobs_call_checks_the_fence_before_it_writes(name: str) -> None:
    _, body = header_and_body(name)
    # a helper's own text is not run where it stands
    body = re.sub(r"^local function .*?^end$", "", body, flags=re.DOTALL | re.MULTILINE)
    check, write = re.search(r"\bheld(_of)?\(", body), _WRITE.search(body)
    assert check is not None, "it does not ask who holds the job"
    assert write is not None
    assert check.start() < write.start(), f"{write[0]} comes before the check"


def test_the_straight_way_of_a_finish_checks_the_fence_before_it_writes() -> None:
    _, _, body = source("include/finish_alone").partition("local function complete_alone")
    writes = re.finditer(_WRITE.pattern + r"|'HINCRBY'|\btake_ready\(", body)
    assert body.index("not holds_alone(") < min(write.start() for write in writes)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_header_names_the_script_and_its_contract(name: str) -> None:
    header, _ = header_and_body(name)
    assert header.strip().startswith(f"{name}: ")
    for part in ("KEYS", "ARGV", "Returns", "Cost", "Crash"):
        assert re.search(rf"(^|  ){part}  ", header, re.MULTILINE), f"no {part}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_header_names_the_arguments_that_the_body_reads(name: str) -> None:
    header, body = header_and_body(name)
    bound = re.search(r"^local ([\w, ]+) =\s+(?:tonumber\()?ARGV\[1\]", body, re.MULTILINE)
    for argument in bound[1].split(", ") if bound else ():
        if argument.isupper():
            continue  # a constant beside the arguments
        # dead is the consumer that was seen to die
        described = "consumer" if argument == "dead" else argument
        assert described in header, f"{argument} is not described"


#: Scripts that bring new data.
_REFUSED_WHEN_FULL = {
    "add",
    "add_flow",
    "add_log",
    "emit_event",
    "log",
    "partial",
    "sched_put",
    "update_data",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_refuses_writes_when_memory_is_full_is_one_that_adds(name: str) -> None:
    flags = source(name).splitlines()[0].removeprefix("#!lua").strip()
    wanted = "flags=allow-oom"
    if name in _REFUSED_WHEN_FULL:
        wanted = ""
    elif name in READ_ONLY:
        wanted = "flags=no-writes"
    assert flags == wanted


@pytest.mark.parametrize("name", SCRIPTS)
def test_includes_are_merged_and_the_digest_is_that_of_the_text(name: str) -> None:
    script = load_script(name)
    assert "@include" not in script.text
    assert script.text.startswith("#!lua")
    assert script.sha == hashlib.sha1(script.text.encode(), usedforsecurity=False).hexdigest()
    assert callable(getattr(Scripts, name))


def test_the_keys_of_the_scripts_are_those_of_the_layout() -> None:
    lua = (LUA / "include" / "keys.lua").read_text(encoding="utf-8")
    names = [
        name
        for names in re.findall(r"^local ([\w, ]+) = KEYS", lua, re.MULTILINE)
        for name in names.split(", ")
    ]
    keys = QueueKeys("q")
    assert tuple(getattr(keys, name) for name in names) == keys.fixed
    assert {key[: len("vq:{q}:")] for key in keys.fixed} == {"vq:{q}:"}


@pytest.mark.parametrize("kind", [MovedError, AskError, NoScriptError])
def test_a_take_that_redis_did_not_begin_is_no_error(kind: type[ResponseError]) -> None:
    assert Scripts.taken(kind("1 127.0.0.1:7000")) is None


def test_another_error_of_a_take_is_raised() -> None:
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        Scripts.taken(ResponseError("WRONGTYPE of a key"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_asks_for_a_row_of_each_consumer(name: str) -> None:
    """They may be many: XPENDING without a range, and XINFO CONSUMERS."""
    text = load_script(name).text
    assert not re.search(r"'XPENDING', [\w.]+, [\w.']+\)", text)
    assert "'CONSUMERS'" not in text

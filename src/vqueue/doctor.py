"""Doctor: is this Redis fit for a queue, and is the queue in it in order?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

from vqueue.connection import Client
from vqueue.consumers import stream_info
from vqueue.keys import GROUP, QueueKeys
from vqueue.script_calls import load_script

#: The oldest Redis that the scripts work on.
_FLOOR = (7, 0)
#: Share of maxmemory above which adds will soon be refused.
_MEMORY_SHARE = 0.9
#: Seconds between the server's clock and this machine's.
_CLOCK_TOLERANCE = 5.0
#: Keys that are looked at for orphans.
_SCANNED = 10_000


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    #: It works, and may hurt one day.
    WARNING = "warning"
    #: Jobs can be lost, or are not worked on.
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    #: What there is; with the next step when the verdict is not ok.
    found: str


async def examine(client: Client, keys: QueueKeys) -> list[Finding]:
    """Examine a server and a queue; changes nothing. Raises the driver's errors."""
    sent_at = time.time()
    seconds, micros = await client.execute("TIME")
    middle = (sent_at + time.time()) / 2
    info = _parse(await client.execute("INFO"))
    return [
        _finding("place", None, client.place),
        _version(info),
        _eviction(info),
        _persistence(info),
        _memory(info),
        _clock(int(seconds) + int(micros) / 1e6 - middle),
        await _scripts(client),
        await _groups(client, keys),
        await _events(client, keys),
        await _orphans(client, keys),
    ]


def _parse(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, colon, value in lines if colon}


def _finding(check: str, bad: Verdict | None, found: str) -> Finding:
    return Finding(check=check, verdict=bad or Verdict.OK, found=found)


def _version(info: dict[str, str]) -> Finding:
    version = info["redis_version"]
    name = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version}"
    if tuple(int(part) for part in version.split(".")[:2]) >= _FLOOR:
        return _finding("version", None, name)
    return _finding("version", Verdict.PROBLEM, f"{name}: use Redis 7.0, Valkey 7.2 or later")


def _eviction(info: dict[str, str]) -> Finding:
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        return _finding("eviction", None, policy)
    return _finding(
        "eviction",
        Verdict.PROBLEM,
        f"{policy}: the server may throw jobs away; set maxmemory-policy noeviction",
    )


def _persistence(info: dict[str, str]) -> Finding:
    if info.get("aof_enabled") != "1":
        return _finding(
            "persistence", Verdict.PROBLEM, "no AOF: a restart loses jobs; set appendonly yes"
        )
    if info.get("aof_last_write_status") != "ok":
        return _finding(
            "persistence", Verdict.PROBLEM, "the AOF cannot be written: look at the server's disk"
        )
    return _finding("persistence", None, "AOF")


def _memory(info: dict[str, str]) -> Finding:
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    found = f"{used / 1e6:.1f} MB used" + (f" of {most / 1e6:.1f} MB" if most else ", no maxmemory")
    if not most:
        return _finding("memory", Verdict.WARNING, f"{found}: set one below the machine's memory")
    if used < _MEMORY_SHARE * most:
        return _finding("memory", None, found)
    return _finding("memory", Verdict.PROBLEM, f"{found}: adds will be refused; shorten retention")


def _clock(ahead: float) -> Finding:
    found = f"server {ahead:+.3f} s from this machine"
    if abs(ahead) <= _CLOCK_TOLERANCE:
        return _finding("clock", None, found)
    return _finding("clock", Verdict.WARNING, f"{found}: start and end dates are the server's")


async def _scripts(client: Client) -> Finding:
    names = sorted(
        entry.name.removesuffix(".lua")
        for entry in (files("vqueue") / "lua").iterdir()
        if entry.name.endswith(".lua")
    )
    digests = [load_script(name).sha for name in names]
    known = sum(await client.execute("SCRIPT", "EXISTS", *digests))
    found = f"{known} of this version's {len(names)} are on the server (they load when called)"
    return _finding("scripts", None, found)


async def _groups(client: Client, keys: QueueKeys) -> Finding:
    missing = []
    for lane in (keys.ready, keys.express):
        names = [group["name"] for group in await stream_info(client, "GROUPS", lane)]
        if GROUP.encode() not in names and await client.execute("EXISTS", lane):
            missing.append(lane)
    if not missing:
        return _finding("groups", None, "the workers' groups are there")
    found = f"{' and '.join(missing)} without the group {GROUP}: the next worker repairs that"
    return _finding("groups", Verdict.WARNING, found)


async def _events(client: Client, keys: QueueKeys) -> Finding:
    behind = []
    for group in await stream_info(client, "GROUPS", keys.ev):
        name = group["name"].decode()
        if await client.execute("HEXISTS", keys.meta, f"gap:{name}"):
            behind.append(f"{name} has missed events and reads all jobs anew")
        elif group["pending"] and not group["consumers"]:
            behind.append(f"{name} has {group['pending']} unacknowledged events and no reader")
    if behind:
        return _finding("subscribers", Verdict.WARNING, "; ".join(behind))
    return _finding("subscribers", None, "every durable subscriber goes on without a gap")


async def _orphans(client: Client, keys: QueueKeys) -> Finding:
    """Look at some keys: whose job is not there?"""
    if await client.execute("HEXISTS", keys.meta, "razed"):
        found = "keys of an obliterated queue are left, and parents elsewhere may wait for its jobs"
        found += ": unless obliterate is at work, call Queue.remove_orphaned_jobs"
        return _finding("orphans", Verdict.WARNING, found)
    cursor, seen, orphans = b"0", 0, []
    while True:
        cursor, page = await client.execute(
            "SCAN", cursor, "MATCH", f"{keys.prefix}j:*", "COUNT", 1000
        )
        seen += len(page)
        parts = [key for key in page if key.endswith((b":x", b":log"))]
        for key in parts:
            if not await client.execute("EXISTS", key.rpartition(b":")[0]):
                orphans.append(key.decode())
        if cursor == b"0" or seen >= _SCANNED:
            break
    if orphans:
        found = f"{len(orphans)} keys belong to no job, such as {orphans[0]}"
        found += ": call Queue.remove_orphaned_jobs"
        return _finding("orphans", Verdict.WARNING, found)
    return _finding("orphans", None, f"{seen} keys of jobs looked at, none belongs to no job")

"""The Redis that is measured, and what it says about its own work."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.client import Monitor

from benchmarks.placement import Placement, pinned
from devstack import Valkey


class BenchValkey(Valkey):
    """valkey-server on the core of the placement; without persistence unless `aof` is set."""

    def __init__(self, folder: Path, *, placement: Placement, aof: bool) -> None:
        super().__init__(folder)
        self._core = placement.redis
        self._aof = aof

    def _command(self) -> list[str]:
        # the last value of an option is the one that counts
        options = [] if self._aof else ["--appendonly", "no"]
        return pinned([*super()._command(), *options], (self._core,))


#: Ends a count of commands: nobody else sends it.
_MARKER = "vqueue-bench-end"


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisUsage:
    """What a Redis has used since its start, or between two moments."""

    #: Microseconds of its main thread.
    cpu_us: float
    #: Commands, those inside scripts included.
    commands: int
    bytes_in: int
    bytes_out: int

    def __sub__(self, before: "RedisUsage") -> "RedisUsage":
        return RedisUsage(
            cpu_us=self.cpu_us - before.cpu_us,
            commands=self.commands - before.commands,
            bytes_in=self.bytes_in - before.bytes_in,
            bytes_out=self.bytes_out - before.bytes_out,
        )


class RedisProbe:
    """Reads and empties the Redis under test, between measurements."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = redis.Redis.from_url(url, socket_timeout=60)

    def usage(self) -> RedisUsage:
        """What it has used since its start."""
        info = self._info()
        cpu_s = info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"]
        return RedisUsage(
            cpu_us=float(cpu_s) * 1e6,
            commands=int(info["total_commands_processed"]),
            bytes_in=int(info["total_net_input_bytes"]),
            bytes_out=int(info["total_net_output_bytes"]),
        )

    async def sent_commands(self, seconds: float) -> int:
        """Commands that clients send in the next `seconds`, those inside scripts not included.

        Through MONITOR, which slows Redis down: for queues that do next to nothing.
        """
        with self._client.monitor() as monitor:  # type: ignore[no-untyped-call]
            counting = asyncio.create_task(asyncio.to_thread(_count_until_marker, monitor))
            await asyncio.sleep(seconds)
            self._client.echo(_MARKER)
            return await counting

    def memory_bytes(self) -> int:
        """Bytes allocated, buffers of clients included."""
        return int(self._info()["used_memory"])

    def version(self) -> str:
        """Name and version of the server."""
        info = self._info()
        name = info.get("server_name", "redis")
        return f"{name} {info.get(f'{name}_version', info['redis_version'])}"

    def empty(self) -> None:
        """Remove every key and every script, and return when their memory is free."""
        # SYNC: Valkey's default frees in the background, beside what is measured next
        self._client.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]
        self._client.execute_command("SCRIPT", "FLUSH", "SYNC")  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = self._client.info("everything")
        return info


def _count_until_marker(monitor: Monitor) -> int:
    count = 0
    for seen in monitor.listen():  # type: ignore[no-untyped-call]
        if seen["command"] == f"ECHO {_MARKER}":
            break
        count += seen["client_type"] != "lua"
    return count

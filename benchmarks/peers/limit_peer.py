"""No queue: the commands of vqueue's add, take and finish scripts, pipelined without waiting.

What one Redis core does with them is the physical limit of the layout. Every byte is made before
the clock runs, entry ids are chosen here, and nobody decides anything: no library can be faster
with the same commands. Of adds one at a time it is the script itself, each call sent when the one
before has been answered, and the reply looked for without a pause: what a round trip and the script
take, without a library, an event loop, or a core that has to wake up.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

import hiredis
import uvloop
from redis import Redis

from benchmarks.peers.adapter import Adapter, Payload, chunks
from benchmarks.peers.ledger import now_us
from benchmarks.peers.serving import serve
from vqueue.codec import encode
from vqueue.keys import GROUP, QueueKeys
from vqueue.script_calls import load_script
from vqueue.scripts import MAX_BATCH, MAX_HELD_BATCH

Command = tuple[Any, ...]

_MS = 1_700_000_000_000
_CONSUMER = "0123456789"
_READ_BYTES = 1 << 18


def pack(command: Command) -> bytes:
    """One command as the Redis protocol wants it."""
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
    head = b"*%d\r\n" % len(parts)
    return head + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class LimitAdapter(Adapter):
    """Speaks for no queue, with the operations of one."""

    guarantees = "none: the commands alone, in one pipeline"
    can_add_in_bulk = True

    def versions(self) -> dict[str, str]:
        return {"hiredis": version("hiredis")}

    async def connect(self) -> None:
        self._keys = QueueKeys(self.queue_name)
        with Redis.from_url(self.redis_url) as redis:
            address = redis.connection_pool.connection_kwargs
            for stream in (self._keys.ready, self._keys.express):
                if not redis.exists(stream):
                    redis.xgroup_create(stream, GROUP, "0", mkstream=True)
        self._reader, self._writer = await asyncio.open_connection(
            address["host"], address["port"], limit=_READ_BYTES
        )

    async def disconnect(self) -> None:
        self._writer.close()

    async def add(self, data: Payload) -> None:
        await self.add_many([data])

    async def add_one_by_one(self, *, count: int, warm: int) -> dict[str, Any]:
        script = load_script("add")
        with Redis.from_url(self.redis_url) as redis:
            redis.script_load(script.text)
            address = redis.connection_pool.connection_kwargs
        jobs = [
            pack((*self._script_call(script.sha), self._job_id(job["i"]), _record(job)))
            for job in self._take(warm + count)
        ]
        with socket.create_connection((address["host"], address["port"])) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.setblocking(False)
            for job in jobs[:warm]:
                _call(wire, job)
            started = time.perf_counter()
            for job in jobs[warm:]:
                _call(wire, job)
            took = time.perf_counter() - started
        return {"seconds": took}

    def _script_call(self, sha: str) -> Command:
        return ("EVALSHA", sha, len(self._keys.fixed), *self._keys.fixed, 0, "0", "noop", 1)

    async def add_bulk(self, *, count: int, warm: int, chunk: int) -> dict[str, Any]:
        await self._in_bulk(self._take(warm), chunk)
        pipelines = [self._adds(jobs) for jobs in chunks(self._take(count), MAX_BATCH)]
        packed, replies = _packed(pipelines)
        started = time.perf_counter()
        await self._send(packed, replies)
        return {"seconds": time.perf_counter() - started}

    async def add_many(self, jobs: list[Payload]) -> None:
        await self._send(*_packed(self._adds(some) for some in chunks(jobs, MAX_BATCH)))

    async def start_worker(self, slots: int) -> None:
        """Take and finish the jobs in their order, as many to a call as there are slots."""
        size = min(slots, MAX_HELD_BATCH)
        expected = self.ledger.expected
        self._read_records(expected)
        calls = [
            self._finishes(range(start, min(start + size, expected)))
            for start in range(0, expected, size)
        ]
        self._working = asyncio.create_task(self._work(*_packed(calls)))

    def _read_records(self, count: int) -> None:
        """Learn what a worker would have been told, before the clock runs."""
        #: By the number of the job, the lines of its record from the name on.
        self._rests: list[bytes] = []
        with Redis.from_url(self.redis_url) as redis:
            for start in range(0, count, MAX_BATCH):
                indexes = range(start, min(start + MAX_BATCH, count))
                records = redis.mget([self._keys.job(self._job_id(index)) for index in indexes])
                self._rests += [record.partition(b"\n\n")[2] for record in records]

    async def _work(self, packed: list[bytes], replies: int) -> None:
        started = now_us()
        await self._send(packed, replies)
        self.ledger.record_all(started)
        self.completed.set()

    async def stop_worker(self) -> None:
        await self._working

    async def left_over(self) -> int:
        with Redis.from_url(self.redis_url) as redis:
            return int(redis.xlen(self._keys.ready))

    def _entry(self, index: int) -> str:
        return f"{_MS}-{index + 1}"

    def _job_id(self, index: int) -> str:
        return f"{index:032x}"

    def _adds(self, jobs: list[Payload]) -> Iterator[Command]:
        """What add.lua calls for these jobs."""
        keys = self._keys
        yield from self._clock()
        ids = [self._job_id(job["i"]) for job in jobs]
        yield ("EXISTS", *map(keys.job, ids))
        records: list[str | bytes] = []
        for job, job_id in zip(jobs, ids, strict=True):
            entry = self._entry(job["i"])
            rest = _record(job)
            yield ("XADD", keys.ready, entry, "j", job_id)
            records += (keys.job(job_id), b"%b\n\n%b" % (entry.encode(), rest))
        yield ("MSET", *records)
        pairs = [part for job_id in ids for part in (job_id, "noop")]
        yield ("HINCRBY", keys.meta, "n", len(pairs))
        yield self._event("added,waiting", pairs)
        yield ("ZADD", keys.wake, 0, "0")

    def _finishes(self, indexes: range) -> Iterator[Command]:
        """What finish.lua calls when these jobs, taken by it, complete: finish_alone.lua."""
        keys = self._keys
        entries = [self._entry(index) for index in indexes]
        ids = [self._job_id(index) for index in indexes]
        count = len(ids)
        yield from self._clock()
        read = ("XREADGROUP", "GROUP", GROUP, _CONSUMER, "COUNT", count)
        yield (*read, "STREAMS", keys.ready, ">")
        yield ("MGET", *map(keys.job, ids))
        yield self._event("active", [part for i in ids for part in (i, _CONSUMER)])
        # the fence: one look at the consumer's pending entries
        yield ("XPENDING", keys.ready, GROUP, entries[0], "+", count, _CONSUMER)
        yield ("EXISTS", keys.prioritized, keys.delayed)
        records: list[str | bytes] = []
        for index, job_id in zip(indexes, ids, strict=True):
            by = f"{self._entry(index)}:{_CONSUMER}"
            head = f"c\n0 1 1 0 {_MS} {_MS} {by}\n".encode()
            records += (keys.job(job_id), head + self._rests[index] + b"\n\nnull")
        yield ("MSET", *records)
        yield ("ZADD", keys.completed, *(part for i in ids for part in (_MS, i)))
        details = [part for i in ids for part in (i, f"1 1 {_MS} null")]
        yield self._event("completed", details)
        yield ("HINCRBY", f"{keys.prefix}m:completed", 0, count)
        yield ("XACK", keys.ready, GROUP, *entries)
        yield ("XDEL", keys.ready, *entries)

    def _clock(self) -> Iterator[Command]:
        """What every script begins with."""
        yield ("TIME",)
        fields = ("ms", "seq", "events_cap", "lease", "gate", "sched", "flows", "groups", "buried")
        yield ("HMGET", self._keys.meta, *fields)
        yield ("HSET", self._keys.meta, "ms", _MS, "seq", 0)

    def _event(self, kind: str, pairs: list[str]) -> Command:
        return ("XADD", self._keys.ev, "*", "e", kind, "n", 0, *pairs)

    async def _send(self, packed: list[bytes], replies: int) -> None:
        """Send all, read as many replies; raises the first error reply."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(replies))
            for part in packed:
                self._writer.write(part)
                await self._writer.drain()

    async def _read(self, replies: int) -> None:
        parser = hiredis.Reader(replyError=RuntimeError)
        while replies:
            parser.feed(await self._reader.read(_READ_BYTES))
            while (reply := parser.gets()) is not False:
                if isinstance(reply, RuntimeError):
                    raise reply
                replies -= 1


def _call(wire: socket.socket, command: bytes) -> None:
    """Send a short command over a socket that does not block, and wait for its reply."""
    wire.send(command)
    while True:
        try:
            reply = wire.recv(_READ_BYTES)
        except BlockingIOError:
            continue
        if reply.startswith(b"-"):
            raise RuntimeError(reply.decode())
        return


def _record(job: Payload) -> bytes:
    return b'"noop"\n\n' + encode(job, "payload")


def _packed(pipelines: Iterable[Iterable[Command]]) -> tuple[list[bytes], int]:
    """Bytes per pipeline, and the number of replies that all of them will give."""
    packed, replies = [], 0
    for pipeline in pipelines:
        commands = [pack(command) for command in pipeline]
        replies += len(commands)
        packed.append(b"".join(commands))
    return packed, replies


if __name__ == "__main__":
    uvloop.run(serve(LimitAdapter(sys.argv[1])))

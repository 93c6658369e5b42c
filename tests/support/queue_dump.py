"""All keys of one queue, read in one transaction, whatever goes on meanwhile."""

import re
from dataclasses import dataclass, field
from typing import Any

from vqueue.connection import Client, open_client
from vqueue.job_events import told_by
from vqueue.keys import GROUP, QueueKeys
from vqueue.record import Record
from vqueue.script_calls import load_script

# An index over the whole database: the tests' own servers are small.
_DUMP = """
local function by_name(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end
local readers = {
  hash = function(key) return redis.call('HGETALL', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  string = function(key) return redis.call('GET', key) end,
  stream = function(key)
    local groups = {}
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
      local group = by_name(reply)
      table.insert(groups, {
        group['name'], group['last-delivered-id'],
        redis.call('XPENDING', key, group['name'], '-', '+', 1000000),
      })
    end
    local info = by_name(redis.call('XINFO', 'STREAM', key))
    return {redis.call('XRANGE', key, '-', '+'), info['last-generated-id'], groups}
  end,
}
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind = redis.call('TYPE', key).ok
  local reader = readers[kind]
  table.insert(found, {key, kind, redis.call('PTTL', key), reader and reader(key) or ''})
end
return found
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entry of a stream."""

    id: str
    #: Names and values in turn, as they were added; names may repeat.
    fields: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A consumer group of a stream."""

    last_delivered: str
    #: entry id → consumer.
    pending: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A stream with its groups."""

    entries: list[Entry] = field(default_factory=list)
    last_id: str = "0-0"
    groups: dict[str, Group] = field(default_factory=dict)

    @property
    def workers(self) -> Group:
        """The group of the workers, empty when there is none."""
        return self.groups.get(GROUP, Group(last_delivered="0-0", pending={}))


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueDump:
    """The keys of a queue by type; names without the queue's prefix."""

    queue_name: str
    types: dict[str, str]
    #: Milliseconds to live, -1 for ever.
    ttl_ms: dict[str, int]
    hashes: dict[str, dict[str, str]]
    zsets: dict[str, dict[str, float]]
    sets: dict[str, set[str]]
    lists: dict[str, list[str]]
    strings: dict[str, str]
    streams: dict[str, Stream]
    #: What counts.lua said in the same moment.
    counts: list[int]

    @property
    def jobs(self) -> dict[str, Record]:
        """Job id → its record. Raises ValueError for one that cannot be read."""
        return {
            name.removeprefix("j:"): Record.parse(record.encode())
            for name, record in self.strings.items()
            if re.fullmatch(r"j:[^:]+", name)
        }

    def stream(self, name: str) -> Stream:
        """A stream, an empty one when it does not exist."""
        return self.streams.get(name, Stream())


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _map(flat: list[bytes]) -> dict[str, str]:
    return dict(zip(map(_text, flat[::2]), map(_text, flat[1::2]), strict=True))


def _stream(raw: list[Any]) -> Stream:
    entries, last_id, groups = raw
    return Stream(
        entries=[Entry(id=_text(i), fields=list(map(_text, values))) for i, values in entries],
        last_id=_text(last_id),
        groups={
            _text(name): Group(
                last_delivered=_text(delivered),
                pending={_text(item[0]): _text(item[1]) for item in pending},
            )
            for name, delivered, pending in groups
        },
    )


async def keys_left(client: Client, keys: QueueKeys) -> set[str]:
    """The names of a queue's keys, without its prefix and without what ends by itself.

    A queue that was obliterated, and not used since, has its events alone: ``{"ev"}``.
    """
    found = {
        key.decode().removeprefix(keys.prefix)
        for key in await client.execute("KEYS", keys.prefix + "*")
    }
    return {name for name in found if not name.startswith(("turn:", "resync:"))}


async def dump_queue(redis_url: str, queue_name: str, prefix: str = "vq") -> QueueDump:
    """Read everything of a queue and its counts as of one moment."""
    keys = QueueKeys(queue_name, prefix)
    # one connection: a transaction is of one connection
    client = open_client(redis_url, key=keys.meta, reply_timeout=30)
    try:
        await client.execute("MULTI")
        await client.execute("EVAL", _DUMP, 0, keys.prefix + "*")
        counts_script = load_script("counts").text
        await client.execute("EVAL", counts_script, len(keys.fixed), *keys.fixed)
        found, counts = await client.execute("EXEC")
    finally:
        await client.aclose()
    by_type: dict[str, dict[str, Any]] = {
        kind: {} for kind in ("hash", "zset", "set", "list", "string", "stream")
    }
    types, ttl_ms = {}, {}
    for key, kind, ttl, content in found:
        name = _text(key).removeprefix(keys.prefix)
        types[name], ttl_ms[name] = _text(kind), ttl
        by_type.setdefault(_text(kind), {})[name] = content
    return QueueDump(
        queue_name=queue_name,
        types=types,
        ttl_ms=ttl_ms,
        hashes={name: _map(flat) for name, flat in by_type["hash"].items()},
        zsets={
            name: {member: float(score) for member, score in _map(flat).items()}
            for name, flat in by_type["zset"].items()
        },
        sets={name: set(map(_text, members)) for name, members in by_type["set"].items()},
        lists={name: list(map(_text, lines)) for name, lines in by_type["list"].items()},
        strings={name: _text(value) for name, value in by_type["string"].items()},
        streams={name: _stream(raw) for name, raw in by_type["stream"].items()},
        counts=counts,
    )


def entry_events(fields: list[str]) -> list[tuple[str, str]]:
    """Kind and job id of each event of an entry of `ev`."""
    told = told_by([field.encode() for field in fields])
    return [(kind, job_id.decode()) for kind, job_id, _ in told]

"""A walk over all jobs of a queue, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

from vqueue.connection import Client
from vqueue.keys import QueueKeys
from vqueue.scripts import MAX_BATCH


async def all_job_ids(client: Client, keys: QueueKeys) -> AsyncIterator[list[str]]:
    """Give the ids of all jobs, some at a time.

    One that moves meanwhile may be given twice, or not at all: its event tells of it.
    """
    for stream in (keys.ready, keys.express):
        start = b"-"
        while entries := await client.execute("XRANGE", stream, start, "+", "COUNT", MAX_BATCH):
            yield [fields[1].decode() for _, fields in entries]
            start = b"(" + entries[-1][0]
    for key in (
        keys.prioritized,
        keys.delayed,
        keys.completed,
        keys.failed,
    ):
        cursor = b"0"
        while True:
            cursor, members = await client.execute("ZSCAN", key, cursor, "COUNT", MAX_BATCH)
            yield [member.decode() for member in members[::2]]  # scores between
            if cursor == b"0":
                break

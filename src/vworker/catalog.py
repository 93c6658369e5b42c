"""The videos' documents in MongoDB: one per video, whose id is the job's id.

The API inserts a document before the job is in Redis; from then on the mirror writes what the
queue knows (`project`), guarded by `version`. Motor, and only calls that PyMongo's AsyncMongoClient
has too.

Fields: `_id`, `status` (queued, processing, completed, failed), `progress` (0 to 100), `attempts`,
`source` (S3 key), `profile` (null for the worker's own), `renditions`, `audio`, `audio_tracks`,
`playlist`, `early_playlist` (of an attempt that is under way), `poster`, `storyboard` (S3 keys),
`source_info`, `size_bytes`, `timings`, `error` (of a failed video), `last_error` (of an attempt
that is retried), `created_at`, `started_at`, `finished_at` (UTC), `cleared` (whether the janitor
has seen to the objects of a failed video), `version`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ASCENDING, DESCENDING, WriteConcern
from pymongo.errors import DuplicateKeyError

from vqueue import Job, JobState
from vqueue.mirror import STATUS_OF_STATE, to_datetime
from vworker.backends import DEFAULT_DATABASE
from vworker.failure import read_failure

Document = dict[str, Any]

STATUSES = ("queued", "processing", "completed", "failed")
_FROM_RESULT = (
    "renditions",
    "audio",
    "audio_tracks",
    "subtitles",
    "playlist",
    "poster",
    "storyboard",
    "size_bytes",
    "timings",
)
_UNFINISHED = ("queued", "processing")


def new_document(video_id: str, source: str, profile: str | None = None) -> Document:
    """Return the document of a video that is being accepted; the mirror writes on from it."""
    now = datetime.now(UTC)
    return {
        "_id": video_id,
        "status": "queued",
        "progress": 0,
        "attempts": 0,
        "source": source,
        "profile": profile,
        "error": None,
        # MongoDB keeps milliseconds
        "created_at": now.replace(microsecond=now.microsecond // 1000 * 1000),
        "version": 0,
    }


class InvalidCursor(ValueError):
    """A paging cursor that this catalog did not give out."""


def open_client(
    uri: str, *, server_selection_timeout: float, operation_timeout: float | None = None
) -> AsyncIOMotorClient[Document]:
    """Return a client; times are in seconds.

    A call fails `server_selection_timeout` after MongoDB went away, and after
    `operation_timeout` (None: never) when it accepts calls and does not answer.
    """
    return AsyncIOMotorClient(
        uri,
        serverSelectionTimeoutMS=round(server_selection_timeout * 1000),
        connectTimeoutMS=max(round(server_selection_timeout * 1000), 500),
        timeoutMS=None if operation_timeout is None else round(operation_timeout * 1000),
        tz_aware=True,
        tzinfo=UTC,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some videos, newest first."""

    videos: list[Document]
    #: Give it as `after` for the next page; None at the end.
    next: str | None


class Catalog:
    """The collection `videos`; every method raises PyMongo's errors when MongoDB is away."""

    def __init__(self, client: AsyncIOMotorClient[Document]) -> None:
        database: AsyncIOMotorDatabase[Document] = client.get_default_database(DEFAULT_DATABASE)
        self._database = database
        self.collection: AsyncIOMotorCollection[Document] = database["videos"]

    async def ready(self) -> None:
        """Return when MongoDB answers."""
        await self._database.command("ping")

    async def ensure_indexes(self) -> None:
        """Create the indexes of `page` and `unfinished`. Safe to repeat."""
        newest_first = [("created_at", DESCENDING), ("_id", DESCENDING)]
        await self.collection.create_index(newest_first)
        await self.collection.create_index([("status", ASCENDING), *newest_first])
        await self.collection.create_index([("status", ASCENDING), ("_id", ASCENDING)])

    async def insert(self, document: Document) -> bool:
        """Record an accepted video (`new_document`), durably; False when the id is there already.

        Acknowledged by the majority and journaled: from here on the video cannot be lost.
        """
        durable = self.collection.with_options(write_concern=WriteConcern("majority", j=True))
        try:
            await durable.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def get(self, video_id: str) -> Document | None:
        """Return a video's document, None when there is none."""
        return await self.collection.find_one({"_id": video_id})

    async def page(self, *, status: str | None, limit: int, after: str | None) -> Page:
        """Return one page, newest first. Raises InvalidCursor."""
        query: Document = {"status": status} if status else {}
        if after is not None:
            created_at, video_id = _read_cursor(after)
            query["$or"] = [
                {"created_at": {"$lt": created_at}},
                {"created_at": created_at, "_id": {"$lt": video_id}},
            ]
        cursor = self.collection.find(query).sort([("created_at", -1), ("_id", -1)])
        # not `to_list`: when that is cancelled, Motor makes the call nevertheless
        videos = [video async for video in cursor.limit(limit + 1)]
        more = len(videos) > limit
        videos = videos[:limit]
        return Page(videos=videos, next=_cursor(videos[-1]) if more else None)

    async def unfinished(
        self, *, older_than: datetime, limit: int, after: str | None
    ) -> list[Document]:
        """Return videos (id, source, profile) not final and accepted before `older_than`, by id.

        Without those whose jobs somebody has removed by hand.
        """
        query: Document = {
            "status": {"$in": _UNFINISHED},
            "created_at": {"$lt": older_than},
            "removed_at": None,
        }
        if after is not None:
            query["_id"] = {"$gt": after}
        needed = {"_id": 1, "source": 1, "profile": 1}
        cursor = self.collection.find(query, needed).sort([("_id", 1)])
        return await cursor.limit(limit).to_list(limit)

    async def uncleared(self, *, limit: int, after: str | None) -> list[Document]:
        """Return failed videos that may have objects (id, `finished_at`, `version`), by id."""
        query: Document = {
            "status": "failed",
            "finished_at": {"$type": "date"},
            "cleared": {"$ne": True},
        }
        if after is not None:
            query["_id"] = {"$gt": after}
        cursor = self.collection.find(query, {"finished_at": 1, "version": 1}).sort([("_id", 1)])
        return await cursor.limit(limit).to_list(limit)

    async def mark_cleared(self, video_id: str, version: int) -> None:
        """Note that a failed video has no objects, unless its document has changed since."""
        await self.collection.update_one(
            {"_id": video_id, "version": version}, {"$set": {"cleared": True}}
        )


def project(job: Job) -> Document:
    """Return the fields that the mirror sets for a job; what a job does not tell is left out."""
    active = job.state is JobState.ACTIVE
    fields: Document = {
        "status": STATUS_OF_STATE[job.state],
        "attempts": job.attempts_made + 1 if active else job.attempts_made,
        "error": None,
    }
    if isinstance(job.data, dict) and "source" in job.data:
        fields["source"] = job.data["source"]
        early = job.data.get("early_playlist")
        # A job that waits for its retry tells that there is none, but not that there is one.
        if active or early is None:
            fields["early_playlist"] = early
    times = {
        "started_at": job.processed_on,
        "finished_at": job.finished_on,
    }
    fields |= {name: to_datetime(value) for name, value in times.items() if value is not None}
    if job.state is JobState.COMPLETED:
        fields |= {"progress": 100, "last_error": None}
        if isinstance(job.returnvalue, dict):
            fields |= {name: job.returnvalue.get(name) for name in _FROM_RESULT}
            fields["source_info"] = job.returnvalue.get("source")
    elif job.state is JobState.FAILED:
        error = read_failure(job.failed_reason or "")
        fields |= {"error": error, "last_error": None, "cleared": False}
    else:
        fields["progress"] = job.progress if isinstance(job.progress, int) else 0
        if job.failed_reason is not None:
            fields["last_error"] = read_failure(job.failed_reason)
    return fields


def _cursor(video: Document) -> str:
    position = f"{video['created_at'].isoformat()} {video['_id']}"
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, str]:
    try:
        padded = text + "=" * (-len(text) % 4)
        created_at, _, video_id = base64.urlsafe_b64decode(padded).decode().partition(" ")
        # in UTC, since the encoder fails on a time that its zone moves out of the calendar
        return datetime.fromisoformat(created_at).astimezone(UTC), video_id
    except (binascii.Error, ValueError, OverflowError) as error:
        raise InvalidCursor(f"{text!r} is no cursor: give the `next` of the page before") from error

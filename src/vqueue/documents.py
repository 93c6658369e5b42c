"""The mirror's documents in MongoDB: written in bulk, each guarded by its version.

Invariants. A document's `version` only grows: an update matches only a document with a
smaller one, so late, repeated and concurrent writes are harmless. A write that has
returned is held by the majority of the replica set.

Failures. A document that BSON or the server refuses is logged and keeps none of its
neighbours waiting. Every other error means that nothing is certain: write again.

Does not own: what a document looks like, and documents that nobody writes any more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError

logger = logging.getLogger(__name__)

Collection = AsyncIOMotorCollection[Any]

#: Jobs whose stored version is known without asking: as many as the unread events of a
#: long backlog may be about, some 10 MB.
_REMEMBERED = 50_000
_DUPLICATE_KEY = 11000
#: Codes of a server that steps down, shuts down or takes too long.
_AWAY = frozenset({50, 91, 189, 262, 10107, 11600, 11602, 13435, 13436})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDocument:
    """What is to be stored of one job."""

    job_id: str
    #: What the document must be newer than to be left alone.
    version: int
    fields: Mapping[str, Any]
    #: For a document that is not there yet: who inserted it knows better when it all began.
    created_at: datetime | None

    def update(self) -> UpdateOne:
        """The write that takes effect on an older document, or on none."""
        return UpdateOne(
            {"_id": self.job_id, "version": {"$lt": self.version}},
            {
                "$set": {**self.fields, "version": self.version},
                "$setOnInsert": {"created_at": self.created_at},
            },
            upsert=True,
        )


class Documents:
    """The documents of one collection, by job id."""

    def __init__(self, collection: Collection) -> None:
        self._collection: Collection = collection.with_options(
            write_concern=WriteConcern("majority")
        )
        #: Versions that were written, or left alone for newer ones; the latest write last.
        self._stored: dict[str, int] = {}

    async def write(self, documents: Sequence[JobDocument]) -> None:
        """Store each document unless there is a newer one. Safe to repeat.

        Raises the driver's errors when it is not certain that all are stored; `passes`
        tells whether waiting helps.
        """
        if documents:
            await self._send(documents)
            self._remember(documents)

    def has(self, job_id: str, version: int) -> bool:
        """Tell whether this object has stored the job as of `version` or later.

        False says nothing: only the latest `_REMEMBERED` jobs are known.
        """
        return self._stored.get(job_id, -1) >= version

    def _remember(self, documents: Sequence[JobDocument]) -> None:
        for document in documents:
            self._stored.pop(document.job_id, None)  # to the end of the dict's order
            self._stored[document.job_id] = document.version
        for job_id in list(islice(self._stored, max(0, len(self._stored) - _REMEMBERED))):
            del self._stored[job_id]

    async def _send(self, documents: Sequence[JobDocument]) -> None:
        try:
            await self._collection.bulk_write(
                [document.update() for document in documents], ordered=False
            )
        except BulkWriteError as error:
            self._judge(error, documents)
        except (OverflowError, ValueError, TypeError, PyMongoError) as error:
            if isinstance(error, PyMongoError) and passes(error):
                raise
            # one value that BSON cannot hold must not keep its neighbours waiting
            if len(documents) == 1:
                self._log_refusal(documents[0], error)
                return
            for document in documents:
                await self._send([document])

    def _judge(self, error: BulkWriteError, documents: Sequence[JobDocument]) -> None:
        """Return when all documents are stored or refused, raise otherwise."""
        if error.details["writeConcernErrors"]:
            raise ConnectionFailure("the majority did not confirm the write") from error
        failures = error.details["writeErrors"]
        for failure in failures:
            if failure["code"] in _AWAY:
                raise ConnectionFailure(
                    f"the write was interrupted: {failure['errmsg']}"
                ) from error
        for failure in failures:
            # a duplicate key is the guard at work: the document has a newer version
            if failure["code"] != _DUPLICATE_KEY:
                self._log_refusal(documents[failure["index"]], failure["errmsg"])

    def _log_refusal(self, document: JobDocument, reason: object) -> None:
        logger.error(
            "%s: document refused: job %s, version %d: %s",
            self._collection.name,
            document.job_id,
            document.version,
            reason,
            extra={"action": "document_refused", "job_id": document.job_id},
        )


def passes(error: PyMongoError) -> bool:
    """Tell whether waiting helps: MongoDB is away, failing over or overloaded."""
    if isinstance(error, OperationFailure):
        return error.has_error_label("RetryableWriteError") or error.timeout
    return isinstance(error, ConnectionFailure) or error.timeout

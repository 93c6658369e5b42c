"""The mirror's documents in MongoDB: written in bulk, each guarded by its version.

Model. mongod inserts a batch in one transaction and with one entry in its log, but updates
document by document: an insert costs it an eighth of an upsert. So the versions of a batch
are looked up first, unless they are remembered; what is not there is inserted, what is
older updated, and the rest left alone, as is a document without a version. The look-up
chooses the cheaper way and decides nothing: a document that somebody else inserts meanwhile
is updated after all, and each update carries its guard.

Invariants. A document's `version` only grows: an update changes only a document with a
smaller one, so late, repeated and concurrent writes are harmless. A write that has
returned is held by the majority of the replica set.

Failures. A document that BSON or the server refuses is logged and keeps none of its
neighbours waiting. Every other error means that nothing is certain: write again.

Does not own: what a document looks like, and documents that nobody writes any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import InsertOne, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

logger = logging.getLogger(__name__)

Collection = AsyncIOMotorCollection[Any]

#: Jobs whose stored version is known without asking: as many as the unread events of a
#: long backlog may be about, some 10 MB.
_REMEMBERED = 50_000
_DUPLICATE_KEY = 11000
_REMOVED_AT = "removed_at"
#: Codes of a server that steps down, shuts down or takes too long.
_AWAY = frozenset({50, 91, 189, 262, 10107, 11600, 11602, 13435, 13436})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDocument:
    """What is to be stored of one job."""

    job_id: str
    #: What the document must be newer than to be left alone.
    version: int
    #: By name.
    fields: Mapping[str, Any]
    #: For a document that does not tell: who inserted it knows better when it all began.
    created_at: datetime | None
    #: When the job was removed by hand; None takes the mark from a document that has one.
    removed_at: datetime | None = None

    @property
    def is_mark(self) -> bool:
        """Whether it only marks a document that is there, and makes none."""
        return self.removed_at is not None and not self.fields

    def insert(self) -> InsertOne[dict[str, Any]]:
        """The write that takes effect when there is no document."""
        mark = {} if self.removed_at is None else {_REMOVED_AT: self.removed_at}
        return InsertOne(
            {
                "_id": self.job_id,
                **self.fields,
                "version": self.version,
                "created_at": self.created_at,
                **mark,
            }
        )

    def update(self) -> UpdateOne:
        """The write that takes effect on an older document, or on none.

        The guard stands in the update: a filter by the id alone is what mongod looks up
        without planning a query, and saves a third of an update's cost.
        """
        newer: dict[str, Any] = {
            "$mergeObjects": [
                {"created_at": self.created_at},
                "$$ROOT",
                {"$literal": {**self.fields, "version": self.version}},
            ]
        }
        if self.removed_at is None:
            newer = {"$unsetField": {"field": _REMOVED_AT, "input": newer}}
        else:
            newer["$mergeObjects"].append({_REMOVED_AT: self.removed_at})
        is_older = {"$lt": ["$version", self.version]}
        guarded = {"$replaceWith": {"$cond": [is_older, newer, "$$ROOT"]}}
        return UpdateOne({"_id": self.job_id}, [guarded], upsert=not self.is_mark)


class Documents:
    """The documents of one collection, by job id."""

    def __init__(self, collection: Collection) -> None:
        self._collection: Collection = collection.with_options(
            write_concern=WriteConcern("majority"),
            # what is left alone because it is newer must not be rolled back by a failover
            read_concern=ReadConcern("majority"),
        )
        #: Versions that were written, or left alone for newer ones; the latest write last.
        self._stored: dict[str, int] = {}

    async def write(self, documents: Sequence[JobDocument]) -> None:
        """Store each document unless there is a newer one. Safe to repeat.

        Raises the driver's errors when it is not certain that all are stored; `passes`
        tells whether waiting helps.
        """
        if not documents:
            return
        stored = await self._stored_versions(documents)
        unseen = [
            document
            for document in documents
            if document.job_id not in stored and not document.is_mark
        ]
        older = [
            document
            for document in documents
            if document.job_id in stored and _is_older(stored[document.job_id], document)
        ]
        inserted_meanwhile = await self._send(unseen, JobDocument.insert)
        for document in await self._send([*older, *inserted_meanwhile], JobDocument.update):
            self._log_refusal(document, "a unique index has one of its values")
        self._remember(documents)

    def has(self, job_id: str, version: int) -> bool:
        """Tell whether this object has stored the job as of `version` or later.

        False says nothing: only the latest `_REMEMBERED` jobs are known.
        """
        return self._stored.get(job_id, -1) >= version

    async def _stored_versions(self, documents: Sequence[JobDocument]) -> dict[str, Any]:
        """Return the versions of those that are there, by job id; None for one without any."""
        ids = [one.job_id for one in documents]
        stored: dict[str, Any] = {key: self._stored[key] for key in ids if key in self._stored}
        unknown = [key for key in ids if key not in stored]
        if unknown:
            # all in the first reply: a cursor's default first batch has 101 documents
            found = self._collection.find(
                {"_id": {"$in": unknown}}, {"version": 1}, batch_size=len(unknown) + 1
            )
            for document in await found.to_list(None):
                stored[document["_id"]] = document.get("version")
        return stored

    def _remember(self, documents: Sequence[JobDocument]) -> None:
        for document in documents:
            self._stored.pop(document.job_id, None)  # to the end of the dict's order
            self._stored[document.job_id] = document.version
        for job_id in list(islice(self._stored, max(0, len(self._stored) - _REMEMBERED))):
            del self._stored[job_id]

    async def _send(
        self,
        documents: Sequence[JobDocument],
        write: Callable[[JobDocument], UpdateOne | InsertOne[dict[str, Any]]],
    ) -> list[JobDocument]:
        """Write each document; return those that met another one of their id."""
        if not documents:
            return []
        try:
            await self._collection.bulk_write([write(one) for one in documents], ordered=False)
        except BulkWriteError as error:
            return self._judge(error, documents)
        except (OverflowError, ValueError, TypeError, PyMongoError) as error:
            if isinstance(error, PyMongoError) and passes(error):
                raise
            # one value that BSON cannot hold must not keep its neighbours waiting
            if len(documents) > 1:
                return [met for one in documents for met in await self._send([one], write)]
            self._log_refusal(documents[0], error)
        return []

    def _judge(self, error: BulkWriteError, documents: Sequence[JobDocument]) -> list[JobDocument]:
        """Return those that met another one of their id when the others are stored or refused.

        Raises ConnectionFailure when that is not certain.
        """
        if error.details["writeConcernErrors"]:
            raise ConnectionFailure("the majority did not confirm the write") from error
        failures = error.details["writeErrors"]
        for failure in failures:
            if failure["code"] in _AWAY:
                raise ConnectionFailure(
                    f"the write was interrupted: {failure['errmsg']}"
                ) from error
        met = []
        for failure in failures:
            if failure["code"] == _DUPLICATE_KEY:
                met.append(documents[failure["index"]])
            else:
                self._log_refusal(documents[failure["index"]], failure["errmsg"])
        return met

    def _log_refusal(self, document: JobDocument, reason: object) -> None:
        logger.error(
            "%s: document refused: job %s, version %d: %s",
            self._collection.name,
            document.job_id,
            document.version,
            reason,
            extra={"action": "document_refused", "job_id": document.job_id},
        )


def _is_older(version: Any, document: JobDocument) -> bool:
    return isinstance(version, int) and version < document.version


def passes(error: PyMongoError) -> bool:
    """Tell whether waiting helps: MongoDB is away, failing over or overloaded."""
    if isinstance(error, OperationFailure):
        return error.has_error_label("RetryableWriteError") or error.timeout
    return isinstance(error, ConnectionFailure) or error.timeout

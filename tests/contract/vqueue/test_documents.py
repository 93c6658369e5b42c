"""Documents: many at once, each guarded by its version."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

import vqueue.documents
from vqueue.documents import Collection, Documents, JobDocument

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
CREATED = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
async def collection(mongodb_uri: str) -> AsyncIterator[Collection]:
    """An empty collection."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongodb_uri, tz_aware=True)
    yield client.get_default_database()["jobs"]
    client.close()


def document(job_id: str, version: int, **fields: Any) -> JobDocument:
    """A document whose field `text` tells its version, unless it is said otherwise."""
    return JobDocument(
        job_id=job_id,
        version=version,
        fields={"text": f"as of {version}"} | fields,
        created_at=CREATED,
    )


async def texts(collection: Collection) -> dict[str, str]:
    """Job id → text of every document."""
    return {found["_id"]: found["text"] async for found in collection.find()}


async def test_a_batch_inserts_updates_and_leaves_alone(collection: Collection) -> None:
    await collection.insert_many(
        [
            {"_id": "older", "version": 1, "text": "theirs", "created_at": EARLIER},
            {"_id": "same", "version": 5, "text": "theirs"},
            {"_id": "newer", "version": 9, "text": "theirs"},
            {"_id": "of-somebody-else", "text": "theirs"},
        ]
    )
    names = ("unseen", "older", "same", "newer", "of-somebody-else")
    await Documents(collection).write([document(name, 5) for name in names])
    assert await texts(collection) == {
        "unseen": "as of 5",
        "older": "as of 5",
        "same": "theirs",
        "newer": "theirs",
        "of-somebody-else": "theirs",
    }
    inserted = await collection.find_one({"_id": "unseen"})
    assert inserted == {"_id": "unseen", "version": 5, "text": "as of 5", "created_at": CREATED}
    updated = await collection.find_one({"_id": "older"})
    assert updated == {"_id": "older", "version": 5, "text": "as of 5", "created_at": EARLIER}


class OvertakenDocuments(Documents):
    """Somebody else writes between the look-up and the writes."""

    def __init__(self, collection: Collection, theirs: Sequence[dict[str, Any]]) -> None:
        super().__init__(collection)
        self._theirs = theirs

    async def _stored_versions(self, documents: Sequence[JobDocument]) -> dict[str, Any]:
        stored = await super()._stored_versions(documents)
        for their in self._theirs:
            await self._collection.replace_one({"_id": their["_id"]}, their, upsert=True)
        return stored


async def test_writes_of_others_after_the_look_up_are_judged_by_version(
    collection: Collection,
) -> None:
    await collection.insert_one({"_id": "updated-newer", "version": 1, "text": "before"})
    theirs = [
        {"_id": "inserted-older", "version": 4, "text": "theirs"},
        {"_id": "inserted-newer", "version": 6, "text": "theirs"},
        {"_id": "updated-newer", "version": 6, "text": "theirs"},
    ]
    names = ("first", "inserted-older", "inserted-newer", "updated-newer", "last")
    documents = OvertakenDocuments(collection, theirs)
    await documents.write([document(name, 5) for name in names])
    assert await texts(collection) == {
        "first": "as of 5",
        "inserted-older": "as of 5",
        "inserted-newer": "theirs",
        "updated-newer": "theirs",
        "last": "as of 5",
    }


@pytest.mark.parametrize("seen", [False, True], ids=["inserts", "updates"])
async def test_what_bson_cannot_hold_keeps_no_neighbour_waiting(
    collection: Collection, caplog: pytest.LogCaptureFixture, seen: bool
) -> None:
    documents = Documents(collection)
    if seen:
        await documents.write([document(name, 1) for name in ("before", "huge", "after")])
    await documents.write(
        [document("before", 5), document("huge", 5, text=2**64), document("after", 5)]
    )
    expected = {"before": "as of 5", "after": "as of 5"} | ({"huge": "as of 1"} if seen else {})
    assert await texts(collection) == expected
    (refusal,) = caplog.records
    assert "job huge" in refusal.getMessage()


@pytest.mark.parametrize("seen", [False, True], ids=["inserts", "updates"])
async def test_what_the_server_refuses_keeps_no_neighbour_waiting(
    collection: Collection, caplog: pytest.LogCaptureFixture, seen: bool
) -> None:
    await collection.database.create_collection(
        collection.name, validator={"text": {"$type": "string"}}
    )
    documents = Documents(collection)
    if seen:
        await documents.write([document(name, 1) for name in ("before", "number", "after")])
    await documents.write(
        [document("before", 5), document("number", 5, text=1), document("after", 5)]
    )
    expected = {"before": "as of 5", "after": "as of 5"} | ({"number": "as of 1"} if seen else {})
    assert await texts(collection) == expected
    (refusal,) = caplog.records
    assert "job number" in refusal.getMessage()


@pytest.mark.parametrize("seen", [False, True], ids=["inserts", "updates"])
async def test_values_are_stored_as_they_are(collection: Collection, seen: bool) -> None:
    fields = {"text": "$version", "nested": {"$cond": ["$$ROOT"], "a.b": None}, "x.y": {}}
    documents = Documents(collection)
    if seen:
        await documents.write([document("odd", 1, nested={"gone": True})])
    await documents.write([document("odd", 5, **fields)])
    stored = await collection.find_one({"_id": "odd"})
    assert stored == {"_id": "odd", "version": 5, "created_at": CREATED, **fields}


async def test_a_document_that_was_deleted_comes_back_with_the_next_version(
    collection: Collection,
) -> None:
    documents = Documents(collection)
    await documents.write([document("deleted", 1)])
    await collection.delete_one({"_id": "deleted"})
    await documents.write([document("deleted", 5)])
    stored = await collection.find_one({"_id": "deleted"})
    assert stored == {"_id": "deleted", "version": 5, "text": "as of 5", "created_at": CREATED}


async def test_it_knows_the_latest_of_what_it_stored(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vqueue.documents, "_REMEMBERED", 2)
    documents = Documents(collection)
    assert not documents.has("a", 0)
    await documents.write([document("a", 3), document("b", 3)])
    assert documents.has("a", 3)
    assert not documents.has("a", 4)
    await documents.write([document("a", 4)])
    await documents.write([document("c", 5)])
    assert [documents.has(name, 3) for name in "abc"] == [True, False, True]

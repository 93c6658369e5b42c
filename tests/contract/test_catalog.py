"""The videos' documents on a real MongoDB: accepting, paging, what the re-driver asks for."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import ConnectionFailure

from devstack.ports import free_ports
from vqueue import Job, JobState
from vworker.catalog import (
    STATUSES,
    Catalog,
    InvalidCursor,
    Page,
    new_document,
    open_client,
    project,
)
from vworker.errors import ERRORS, ErrorCode, TranscodeError
from vworker.failure import failure_text

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
RESULT: dict[str, Any] = {
    "playlist": "videos/v/1-w/master.m3u8",
    "renditions": [{"name": "360p", "playlist": "videos/v/1-w/360p/index.m3u8"}],
    "audio": None,
    "source": {"width": 640, "height": 360},
    "size_bytes": 1000,
    "timings": {"encode_s": 1.5},
}


@pytest.fixture
async def catalog(mongodb_uri: str) -> AsyncIterator[Catalog]:
    client = open_client(mongodb_uri, server_selection_timeout=5)
    try:
        catalog = Catalog(client)
        await catalog.ensure_indexes()
        yield catalog
    finally:
        client.close()


async def fill(catalog: Catalog, *videos: tuple[str, datetime, str]) -> None:
    await catalog.collection.insert_many(
        [
            {"_id": video_id, "created_at": at, "status": status, "source": f"in/{video_id}"}
            for video_id, at, status in videos
        ]
    )


async def pages(catalog: Catalog, *, status: str | None, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    after: str | None = None
    while True:
        page = await catalog.page(status=status, limit=limit, after=after)
        found.append(ids(page))
        if page.next is None:
            return found
        after = page.next


def ids(page: Page) -> list[str]:
    return [video["_id"] for video in page.videos]


def job(state: JobState, **fields: Any) -> Job:
    job = Job(id="v", name="transcode", data={"video_id": "v", "source": "in/v"}, queue_name="q")
    job.state = state
    job.timestamp = NOON.timestamp()
    for name, value in fields.items():
        setattr(job, name, value)
    return job


async def test_an_accepted_video_is_queued_and_older_than_every_version(catalog: Catalog) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    accepted = new_document("a", "in/a.mp4")
    assert await catalog.insert(accepted)
    document = await catalog.get("a")

    # what the client is told at once is what it reads later
    assert document == accepted
    assert before <= document.pop("created_at") <= datetime.now(UTC)
    assert document == {
        "_id": "a",
        "status": "queued",
        "progress": 0,
        "attempts": 0,
        "source": "in/a.mp4",
        "profile": None,
        "error": None,
        "version": 0,
    }


async def test_an_insert_repeated_changes_nothing_and_says_so(catalog: Catalog) -> None:
    assert await catalog.insert(new_document("a", "in/first.mp4"))
    first = await catalog.get("a")
    assert not await catalog.insert(new_document("a", "in/second.mp4"))
    assert await catalog.get("a") == first


async def test_an_unknown_id_has_no_document(catalog: Catalog) -> None:
    assert await catalog.get("nobody") is None


async def test_pages_are_newest_first_and_each_video_is_on_one(catalog: Catalog) -> None:
    # equal times, as a burst of uploads has them, fall on both sides of a page's end
    times = [NOON, NOON, NOON, NOON + timedelta(seconds=1), NOON - timedelta(seconds=1)]
    await fill(catalog, *((name, at, "queued") for name, at in zip("abcde", times, strict=True)))

    assert await pages(catalog, status=None, limit=2) == [["d", "c"], ["b", "a"], ["e"]]
    assert await pages(catalog, status=None, limit=5) == [["d", "c", "b", "a", "e"]]


async def test_a_page_is_not_moved_by_newer_videos(catalog: Catalog) -> None:
    await fill(catalog, *((name, NOON, "queued") for name in "abc"))
    first = await catalog.page(status=None, limit=2, after=None)
    await fill(catalog, ("z", NOON + timedelta(seconds=1), "queued"))
    assert ids(first) == ["c", "b"]
    assert ids(await catalog.page(status=None, limit=2, after=first.next)) == ["a"]


async def test_pages_of_one_status(catalog: Catalog) -> None:
    states = zip("abcd", STATUSES, strict=True)
    await fill(catalog, *((name, NOON, status) for name, status in states))
    await fill(catalog, ("e", NOON, "failed"))
    assert await pages(catalog, status="failed", limit=1) == [["e"], ["d"]]
    assert await pages(catalog, status="processing", limit=1) == [["b"]]


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "Z2VzdGVybg", "/+=="])
async def test_a_cursor_that_was_not_given_out_is_refused(catalog: Catalog, text: str) -> None:
    with pytest.raises(InvalidCursor, match="is no cursor"):
        await catalog.page(status=None, limit=2, after=text)


@pytest.mark.parametrize(
    "position",
    [
        "0001-01-01T00:00:00+14:00 a",
        "9999-12-31T23:59:59-14:00 a",
        "0001-01-01T00:00:00+00:00 a",
        "9999-12-31T23:59:59.999999+00:00 a",
        "2026-01-01 a",
        "2026-01-01T00:00:00 a",
        "2026-01-01T00:00:00+00:00 ",
        "2026-01-01T00:00:00+00:00",
    ],
)
async def test_a_cursor_made_up_from_a_date_is_refused_or_harmless(
    catalog: Catalog, position: str
) -> None:
    text = base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")
    try:
        page = await catalog.page(status=None, limit=2, after=text)
    except InvalidCursor:
        return
    assert page == Page(videos=[], next=None)


async def test_unfinished_videos_come_by_id_in_bounded_parts(catalog: Catalog) -> None:
    old, new = NOON - timedelta(minutes=1), NOON + timedelta(minutes=1)
    await fill(
        catalog,
        ("c", old, "queued"),
        ("a", old, "processing"),
        ("b", old, "queued"),
        ("done", old, "completed"),
        ("dead", old, "failed"),
        ("fresh", new, "queued"),
    )
    await fill(catalog, ("aa", old, "queued"))
    await catalog.collection.update_one({"_id": "aa"}, {"$set": {"removed_at": NOON}})
    first = await catalog.unfinished(older_than=NOON, limit=2, after=None)
    assert first == [{"_id": "a", "source": "in/a"}, {"_id": "b", "source": "in/b"}]
    rest = await catalog.unfinished(older_than=NOON, limit=2, after="b")
    assert [document["_id"] for document in rest] == ["c"]


async def test_paging_and_the_redrive_read_no_more_than_they_give(catalog: Catalog) -> None:
    await fill(catalog, *((f"{n:04}", NOON + timedelta(seconds=n), "queued") for n in range(200)))
    newest = catalog.collection.find({"status": "queued"}).sort([("created_at", -1), ("_id", -1)])
    by_id = catalog.collection.find(
        {
            "status": {"$in": ["queued", "processing"]},
            "created_at": {"$lt": NOON.replace(year=2027)},
        }
    ).sort([("_id", 1)])
    for cursor in (newest, by_id):
        plan = await cursor.limit(5).explain()
        assert plan["executionStats"]["totalDocsExamined"] <= 10


async def test_indexes_are_made_again_without_harm(catalog: Catalog) -> None:
    before = await catalog.collection.index_information()
    await catalog.ensure_indexes()
    assert await catalog.collection.index_information() == before
    assert len(before) == 4


async def test_a_mongodb_that_is_away_is_told_within_the_time_out() -> None:
    (port,) = free_ports(1)
    client = open_client(f"mongodb://127.0.0.1:{port}/db", server_selection_timeout=0.2)
    try:
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionFailure):
                await Catalog(client).ready()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (JobState.WAITING, "queued"),
        (JobState.PRIORITIZED, "queued"),
        (JobState.DELAYED, "queued"),
        (JobState.ACTIVE, "processing"),
        (JobState.COMPLETED, "completed"),
        (JobState.FAILED, "failed"),
    ],
)
def test_every_state_of_a_job_has_a_status(state: JobState, status: str) -> None:
    assert project(job(state))["status"] == status


def test_a_new_job_sets_nothing_that_it_does_not_know() -> None:
    assert project(job(JobState.WAITING)) == {
        "status": "queued",
        "progress": 0,
        "attempts": 0,
        "source": "in/v",
        "early_playlist": None,
        "error": None,
    }


@pytest.mark.parametrize(
    ("state", "early", "told"),
    [
        (JobState.ACTIVE, "videos/v/7-w/master.m3u8", {"videos/v/7-w/master.m3u8"}),
        # It stays what it was, if somebody has removed that attempt's output meanwhile.
        (JobState.DELAYED, "videos/v/7-w/master.m3u8", set()),
        (JobState.ACTIVE, None, {None}),
        (JobState.DELAYED, None, {None}),
    ],
)
def test_an_early_playlist_is_named_by_its_attempt_and_taken_back(
    state: JobState, early: str | None, told: set[str | None]
) -> None:
    data = {"video_id": "v", "source": "in/v"} | ({"early_playlist": early} if early else {})
    fields = project(job(state, data=data))
    assert {value for name, value in fields.items() if name == "early_playlist"} == told


def test_a_running_attempt_counts() -> None:
    fields = project(
        job(JobState.ACTIVE, attempts_made=1, progress=40, processed_on=NOON.timestamp() + 5)
    )
    assert (fields["attempts"], fields["progress"]) == (2, 40)
    assert fields["started_at"] == NOON + timedelta(seconds=5)


def test_a_retry_shows_what_the_last_attempt_failed_of() -> None:
    reason = failure_text(TranscodeError(ErrorCode.DISK_FULL, "No room."))
    fields = project(job(JobState.DELAYED, attempts_made=1, failed_reason=reason))
    assert fields["error"] is None
    assert fields["last_error"] == {
        "code": "disk_full",
        "message": "No room.",
        "remedy": ERRORS[ErrorCode.DISK_FULL].remedy,
        "retryable": True,
    }


def test_a_completed_job_has_its_result_and_no_error() -> None:
    fields = project(
        job(
            JobState.COMPLETED,
            attempts_made=2,
            returnvalue=RESULT,
            finished_on=NOON.timestamp() + 9,
        )
    )
    assert fields["progress"] == 100
    assert fields["playlist"] == RESULT["playlist"]
    assert fields["renditions"] == RESULT["renditions"]
    assert fields["source_info"] == RESULT["source"]
    assert fields["source"] == "in/v"
    assert (fields["error"], fields["last_error"]) == (None, None)
    assert fields["finished_at"] == NOON + timedelta(seconds=9)
    assert RESULT["source"], "the job's own result stays as it was"


def test_a_failed_job_has_its_error_and_keeps_its_progress() -> None:
    reason = failure_text(TranscodeError(ErrorCode.NOT_A_VIDEO, "No video.", detail=["moov"]))
    fields = project(job(JobState.FAILED, attempts_made=1, failed_reason=reason))
    assert fields["error"] == {
        "code": "not_a_video",
        "message": "No video.",
        "remedy": ERRORS[ErrorCode.NOT_A_VIDEO].remedy,
        "retryable": False,
        "detail": "moov",
    }
    assert "progress" not in fields


def test_a_result_sets_no_field_but_those_of_a_result() -> None:
    result = RESULT | {"status": "queued", "_id": "other", "error": {"code": "x"}}
    fields = project(job(JobState.COMPLETED, returnvalue=result))
    assert fields["status"] == "completed"
    assert fields["error"] is None
    assert "_id" not in fields


def test_a_job_known_by_its_final_event_alone_erases_nothing() -> None:
    fields = project(job(JobState.FAILED, data=None, timestamp=None, failed_reason="x"))
    assert not {"source", "created_at", "started_at"} & fields.keys()

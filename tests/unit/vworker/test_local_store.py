"""A folder in the place of S3."""

from pathlib import Path

import pytest

from vworker.errors import ObjectNotFound
from vworker.local_store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "clip.mp4", tmp_path / "out")


async def test_an_upload_may_be_repeated(store: LocalStore, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"12345")
    for _ in range(3):
        assert await store.upload(path, "360p/seg.ts", "video/mp2t") == 5
    assert [p.name for p in (tmp_path / "out" / "360p").iterdir()] == ["seg.ts"]
    await store.copy("360p/seg.ts", "480p/seg.ts")
    assert [found.key async for found in store.list("")] == ["360p/seg.ts", "480p/seg.ts"]


async def test_only_what_was_stored_is_deleted(store: LocalStore, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"12345")
    await store.upload(path, "a/b.ts", "video/mp2t")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert await store.delete_prefix("") == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


async def test_there_is_one_source(store: LocalStore) -> None:
    for key in (LocalStore.SOURCE_KEY, "another"):
        with pytest.raises(ObjectNotFound, match="there is no file"):
            await store.head(key)

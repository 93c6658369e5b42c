"""Fixtures over the session's S3 and FFmpeg for the tests of vworker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.attempts import Video
from tests.support.clips import Clips
from tests.support.stack import S3Settings
from tests.support.watched import WatchedStorage
from vworker.media.encoding import Encoding
from vworker.media.settings import MediaSettings
from vworker.sandbox import Sandbox
from vworker.storage import Storage, StorageSettings
from vworker.workspace import Workspace


@pytest.fixture
def storage_settings(s3_settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> StorageSettings:
    """Settings of the session's bucket; the credentials are in the environment."""
    for name, value in s3_settings.variables.items():
        monkeypatch.setenv(name, value)
    return StorageSettings(
        endpoint_url=s3_settings.endpoint_url,
        bucket=s3_settings.bucket,
        region=s3_settings.region,
    )


@pytest.fixture
async def storage(storage_settings: StorageSettings) -> AsyncIterator[Storage]:
    """The session's bucket; objects of other tests are in it."""
    async with Storage(storage_settings) as storage:
        yield storage


@pytest.fixture
async def watched(storage_settings: StorageSettings) -> AsyncIterator[WatchedStorage]:
    """The same bucket; tells what was stored in it."""
    async with WatchedStorage(storage_settings) as storage:
        yield storage


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty scratch space of this test's own, in `tmp_path / "scratch"`."""
    with Workspace(tmp_path / "scratch") as workspace:
        yield workspace


@pytest.fixture(scope="session")
def clips(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Short videos, each made when it is first asked for."""
    return Clips(ffmpeg, tmp_path_factory.mktemp("clips"))


@pytest.fixture
def video(
    storage: Storage,
    workspace: Workspace,
    ffmpeg: str,
    ffprobe: str,
    sandbox: Sandbox,
    tmp_path: Path,
) -> Video:
    """A video of two rungs with segments of a second; nothing of it is there yet."""
    # Slow enough to be interrupted between two segments.
    encoding = Encoding(preset="faster", segment_s=1, keyframe_s=1, ladder={480: 10**6, 360: 10**6})
    settings = MediaSettings(ffmpeg=ffmpeg, ffprobe=ffprobe, sandbox=sandbox, encoding=encoding)
    return Video(
        storage=storage, workspace=workspace, scratch=tmp_path / "scratch", settings=settings
    )

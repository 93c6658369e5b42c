"""Jobs that name a profile, through the whole pipeline."""

import secrets
from pathlib import Path

import pytest

from tests.support.clips import Clips
from vworker.contract import TranscodeRequest, TranscodeResult, output_prefix
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.encoding import Encoding
from vworker.media.profiles import load_profiles
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.sandbox import Sandbox
from vworker.storage import Storage
from vworker.workspace import Workspace


class Studio:
    """Transcodes a clip under a profile."""

    def __init__(self, storage: Storage, workspace: Workspace, settings: MediaSettings) -> None:
        self.storage = storage
        self._workspace = workspace
        self._settings = settings
        self._video_id = secrets.token_hex(6)
        self.prefix = output_prefix(self._video_id, "1-0", "profiles")

    async def run(self, clip: Path, profile: str) -> TranscodeResult:
        source = f"uploads/{self._video_id}"
        await self.storage.upload(clip, source, "video/mp4")
        return await transcode(
            TranscodeRequest(video_id=self._video_id, source=source, profile=profile),
            prefix=self.prefix,
            storage=self.storage,
            workspace=self._workspace,
            report=_ignore,
            settings=self._settings,
        )

    async def names(self) -> set[str]:
        found = self.storage.list(self.prefix)
        return {item.key.removeprefix(self.prefix) async for item in found}


async def _ignore(percent: int) -> None:
    """A report that nobody reads."""


@pytest.fixture
def studio(
    storage: Storage, workspace: Workspace, ffmpeg: str, ffprobe: str, sandbox: Sandbox
) -> Studio:
    """A worker with the built-in profiles."""
    own = Encoding(preset="ultrafast")
    settings = MediaSettings(
        ffmpeg=ffmpeg,
        ffprobe=ffprobe,
        sandbox=sandbox,
        encoding=own,
        profiles=load_profiles(own, None),
    )
    return Studio(storage, workspace, settings)


async def test_a_profile_of_fragmented_mp4_is_published_with_its_init_sections(
    studio: Studio, clips: Clips
) -> None:
    result = await studio.run(clips.small(), "cmaf")
    names = await studio.names()
    assert "182p/seg_00000.m4s" in names
    assert "audio/seg_00000.m4s" in names
    # what is for scrubbing is a transport stream in any case
    streams = {name.partition("/")[0] for name in names if name.endswith(".ts")}
    assert streams == {"scrub"}
    for rendition in (result.renditions[0], *result.audio_tracks):
        async with await studio.storage.open(rendition.playlist) as stream:
            text = b"".join([chunk async for chunk in stream]).decode()
        init = text.partition('#EXT-X-MAP:URI="')[2].partition('"')[0]
        folder = rendition.playlist.removeprefix(studio.prefix).partition("/")[0]
        assert f"{folder}/{init}" in names


async def test_a_profile_chooses_the_rungs(studio: Studio, clips: Clips) -> None:
    result = await studio.run(clips.long(), "fast")
    assert [rung.name for rung in result.renditions] == ["720p", "360p"]


async def test_an_unknown_profile_fails_at_once_and_leaves_nothing(
    studio: Studio, clips: Clips
) -> None:
    with pytest.raises(TranscodeError) as failure:
        await studio.run(clips.small(), "imax")
    assert failure.value.code is ErrorCode.INVALID_REQUEST
    assert not failure.value.retryable
    assert "'imax'; the worker has cmaf, default, fast, quality, speech" in failure.value.message
    assert await studio.names() == set()

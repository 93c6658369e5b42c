"""Encodes that are made once, for tests that look at what comes out."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.encoded import Encoded, encode_clip
from tests.support.published import Published
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.settings import MediaSettings
from vworker.sandbox import Sandbox


@pytest.fixture(scope="session")
def media_settings(ffmpeg: str, ffprobe: str, sandbox: Sandbox) -> MediaSettings:
    return MediaSettings(ffmpeg=ffmpeg, ffprobe=ffprobe, sandbox=sandbox)


def _encode(clips: Clips, scratch: Path, settings: MediaSettings, segments: SegmentType) -> Encoded:
    # As jobs are by default, but for the preset; High profile needs more than ultrafast has.
    encoding = Encoding(preset="superfast", segments=segments)
    return asyncio.run(encode_clip(clips.standard(), scratch, settings, encoding))


@pytest.fixture(scope="session")
def encoded_ts(
    clips: Clips, media_settings: MediaSettings, tmp_path_factory: pytest.TempPathFactory
) -> Encoded:
    """Three segments of two rungs and sound, as transport streams; not to be changed."""
    scratch = tmp_path_factory.mktemp("encoded") / "ts"
    return _encode(clips, scratch, media_settings, SegmentType.TS)


@pytest.fixture(scope="session")
def encoded_fmp4(
    clips: Clips, media_settings: MediaSettings, tmp_path_factory: pytest.TempPathFactory
) -> Encoded:
    """The same as fragmented MP4; not to be changed."""
    scratch = tmp_path_factory.mktemp("encoded") / "fmp4"
    return _encode(clips, scratch, media_settings, SegmentType.FMP4)


@pytest.fixture
def ts(encoded_ts: Encoded, tmp_path: Path) -> Encoded:
    """A copy of `encoded_ts` of this test's own."""
    return encoded_ts.copied_to(tmp_path)


@pytest.fixture
def fmp4(encoded_fmp4: Encoded, tmp_path: Path) -> Encoded:
    """A copy of `encoded_fmp4` of this test's own."""
    return encoded_fmp4.copied_to(tmp_path)


@pytest.fixture(scope="session")
def finished(encoded_ts: Encoded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that would be published of `encoded_ts`; not to be changed."""
    encoded = encoded_ts.copied_to(tmp_path_factory.mktemp("finished") / "ts")
    return asyncio.run(encoded.finished())


@pytest.fixture
def published(finished: Path, tmp_path: Path, ffmpeg: str) -> Published:
    """A copy of `finished` of this test's own."""
    folder = tmp_path / "published"
    shutil.copytree(finished, folder)
    return Published(folder=folder, source_s=14.5, ffmpeg=ffmpeg)

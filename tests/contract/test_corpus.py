"""Every file of the corpus gives its renditions, or the expected error, and leaves nothing else."""

import asyncio
import json
import posixpath
import re
import secrets
import subprocess
from collections.abc import AsyncIterator
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.corpus.case import Bad, Case, Good, Maker
from tests.corpus.cases import CASES, FRAGMENTED
from tests.corpus.hostile import CANARY_FILE, CANARY_URL
from tests.corpus.material import plain
from tests.support.processes import children
from vworker.contract import TranscodeRequest, TranscodeResult, output_prefix, videos_prefix
from vworker.errors import TranscodeError
from vworker.media.capabilities import ask_ffmpeg
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.plan import init_name, segment_name
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.sandbox import Limits, Sandbox
from vworker.storage import Storage
from vworker.workspace import Workspace


@pytest.fixture(scope="session")
def maker(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Makes the files of the corpus, each when it is first asked for."""
    return Maker(ffmpeg, tmp_path_factory.mktemp("corpus"))


@dataclass(kw_only=True)
class Canaries:
    """A file of somebody else's that is a video, and a server that nobody may reach."""

    file: Path
    url: str
    visits: list[str] = field(default_factory=list)

    def put_into(self, source: Path) -> bytes:
        """The bytes of a file of the corpus, pointing to these canaries."""
        data = source.read_bytes()
        data = data.replace(CANARY_FILE.encode(), str(self.file).encode())
        return data.replace(CANARY_URL.encode(), self.url.encode())


@pytest.fixture
async def canaries(maker: Maker) -> AsyncIterator[Canaries]:
    """Canaries for one test."""
    canaries = Canaries(file=plain(maker), url="")

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        canaries.visits.append(str(writer.get_extra_info("peername")))
        writer.close()

    async with await asyncio.start_server(note, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        canaries.url = f"http://127.0.0.1:{port}"
        yield canaries


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is needed to run one file through the pipeline."""

    storage: Storage
    workspace: Workspace
    settings: MediaSettings
    scratch_root: Path
    video_id: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def prefix(self) -> str:
        return output_prefix(self.video_id, "1-0", "corpus")

    async def run(self, case: Case, source: Path) -> TranscodeResult:
        key = f"corpus/{self.video_id}/{case.file_name}"
        request = TranscodeRequest(video_id=self.video_id, source=key)
        await self.storage.upload(source, key, "video/mp4")
        async with asyncio.timeout(case.limit_s):
            return await transcode(
                request,
                prefix=self.prefix,
                storage=self.storage,
                workspace=self.workspace,
                report=_ignore,
                settings=replace(self.settings, sandbox=self._sandbox_of(case)),
            )

    def _sandbox_of(self, case: Case) -> Sandbox:
        sandbox = copy(self.settings.sandbox)
        assert sandbox is not None
        sandbox.limits = Limits(memory_bytes=case.memory_mib << 20)
        return sandbox

    async def keys(self) -> set[str]:
        """Everything that is in S3 of this video, other attempts' prefixes included."""
        found = self.storage.list(videos_prefix(self.video_id))
        return {item.key async for item in found}

    async def text(self, name: str) -> str:
        async with await self.storage.open(self.prefix + name) as stream:
            return b"".join([chunk async for chunk in stream]).decode()

    async def fetch(self, name: str, path: Path) -> Path:
        await self.storage.download(await self.storage.head(self.prefix + name), path)
        return path

    def scratch(self) -> set[Path]:
        return set(self.scratch_root.rglob("*"))


async def _ignore(percent: int) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="session")
def settings(ffmpeg: str, ffprobe: str, sandbox: Sandbox) -> MediaSettings:
    """The fastest preset; what FFmpeg decodes is asked of it once, as a worker does."""
    encoding = Encoding(preset="ultrafast")
    settings = MediaSettings(ffmpeg=ffmpeg, ffprobe=ffprobe, sandbox=sandbox, encoding=encoding)
    return replace(settings, decodes=asyncio.run(ask_ffmpeg(settings)).decodes)


@pytest.fixture
def bench(storage: Storage, workspace: Workspace, settings: MediaSettings, tmp_path: Path) -> Bench:
    """The pipeline, for one file."""
    return Bench(
        storage=storage, workspace=workspace, settings=settings, scratch_root=tmp_path / "scratch"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_file_gives_what_it_must(
    case: Case, bench: Bench, maker: Maker, canaries: Canaries, tmp_path: Path
) -> None:
    before = (children(), bench.scratch(), set(Path.cwd().iterdir()))
    source = tmp_path / "source"
    source.write_bytes(canaries.put_into(case.make(maker)))

    if isinstance(case.expected, Bad):
        with pytest.raises(TranscodeError) as failure:
            await bench.run(case, source)
        assert (failure.value.code, failure.value.retryable) == (case.expected.code, False)
        assert case.expected.words in failure.value.message
        assert await bench.keys() == set()
    else:
        result = await bench.run(case, source)
        await _check_renditions(bench, result, case.expected, tmp_path)
        assert await bench.keys() == await _published_keys(bench, result)

    assert canaries.visits == []
    assert (children(), bench.scratch(), set(Path.cwd().iterdir())) == before


@pytest.mark.parametrize("case", FRAGMENTED, ids=lambda case: case.name)
async def test_a_file_gives_the_same_in_fragmented_mp4(
    case: Case, bench: Bench, maker: Maker, tmp_path: Path
) -> None:
    assert isinstance(case.expected, Good)
    encoding = replace(bench.settings.encoding, segments=SegmentType.FMP4)
    bench = replace(bench, settings=replace(bench.settings, encoding=encoding))
    result = await bench.run(case, case.make(maker))
    await _check_renditions(bench, result, case.expected, tmp_path)
    assert await bench.keys() == await _published_keys(bench, result)


async def _published_keys(bench: Bench, result: TranscodeResult) -> set[str]:
    """The master playlist, what it names and what that names; the stills beside it."""
    keys = {result.playlist}
    playlists = [result.playlist]
    for playlist in playlists:
        text = await bench.text(playlist.removeprefix(bench.prefix))
        names = {line for line in text.splitlines() if line and line[0] != "#"}
        names |= set(re.findall(r'URI="([^"]+)"', text))
        named = {posixpath.join(posixpath.dirname(playlist), name) for name in names}
        playlists += [key for key in sorted(named - keys) if key.endswith(".m3u8")]
        keys |= named
    return keys | set(await _stills(bench))


async def _stills(bench: Bench) -> list[str]:
    stills = (f"{bench.prefix}poster.jpg", f"{bench.prefix}storyboard/")
    return [key for key in await bench.keys() if key.startswith(stills)]


async def _check_renditions(
    bench: Bench, result: TranscodeResult, expected: Good, folder: Path
) -> None:
    rungs = [(rung.name, rung.width, rung.height) for rung in result.renditions]
    assert tuple(rungs) == expected.rungs
    for rung in result.renditions:
        assert rung.frame_rate == pytest.approx(expected.rate, abs=0.01)
        assert rung.duration_s == pytest.approx(expected.seconds, abs=0.2)
        path = await _first_segment(bench, rung.name, folder)
        _check_picture(bench.settings, path, (rung.width, rung.height))
    if expected.brightness is not None:
        low, high = expected.brightness
        largest = folder / result.renditions[0].name
        assert low <= _brightness(bench.settings.ffmpeg, largest) <= high
    assert tuple(sound.language for sound in result.audio_tracks) == expected.sounds
    for sound in result.audio_tracks:
        # one packet of AAC is 21 ms, and the encoder puts one in front
        assert sound.duration_s == pytest.approx(result.renditions[0].duration_s, abs=0.1)
    assert tuple(track.language for track in result.subtitles) == expected.subtitles
    for track in result.subtitles:
        text = await bench.text(track.playlist.removeprefix(bench.prefix))
        assert "seg_00000.vtt" in text


async def _first_segment(bench: Bench, rung: str, folder: Path) -> Path:
    """Fetch the first segment of a rung, behind its initialization section if it has one."""
    segments = bench.settings.encoding.segments
    path = await bench.fetch(f"{rung}/{segment_name(0, segments)}", folder / rung)
    if segments is SegmentType.FMP4:
        init = await bench.fetch(f"{rung}/{init_name(rung)}", folder / f"{rung}.init")
        path.write_bytes(init.read_bytes() + path.read_bytes())
    return path


def _check_picture(settings: MediaSettings, segment: Path, size: tuple[int, int]) -> None:
    found = subprocess.run(
        [settings.ffprobe, "-v", "error", "-show_streams", "-of", "json", str(segment)],
        check=True,
        capture_output=True,
    )
    streams = json.loads(found.stdout)["streams"]
    assert len(streams) == 1
    picture = streams[0]
    assert (picture["width"], picture["height"]) == size
    assert {
        name: picture.get(name)
        for name in (
            *("codec_name", "pix_fmt", "sample_aspect_ratio", "field_order"),
            *("color_range", "color_space", "color_primaries", "color_transfer"),
        )
    } == {
        "codec_name": "h264",
        "pix_fmt": "yuv420p",
        "sample_aspect_ratio": "1:1",
        "field_order": "progressive",
        "color_range": "tv",
        "color_space": "bt709",
        "color_primaries": "bt709",
        "color_transfer": "bt709",
    }


def _brightness(ffmpeg: str, segment: Path) -> float:
    """Mean luma of the first picture, 16 to 235."""
    one = ("-frames:v", "1", "-f", "null", "-")
    measured = "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-"
    found = subprocess.run(
        [ffmpeg, "-v", "error", "-i", segment, "-vf", measured, *one],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(found.stdout.rpartition("=")[2])

import asyncio
import os
import secrets
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.hls import keyframe_times, picture_size, read_playlist
from tests.support.processes import children
from vworker.contract import TranscodeRequest, TranscodeResult, output_prefix
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.encoding import Encoding
from vworker.media.limits import SourceLimits
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.renditions import AudioRendition, Rendition
from vworker.sandbox import Limits, Sandbox, open_sandbox
from vworker.storage import Storage, StorageSettings
from vworker.workspace import Workspace


class RecordingStorage(Storage):
    """The real storage, which notes the order in which uploads are complete."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self.uploaded: list[str] = []

    async def upload(self, path: Path, key: str, content_type: str) -> int:
        size = await super().upload(path, key, content_type)
        self.uploaded.append(key)
        return size


@dataclass(kw_only=True)
class Job:
    """One attempt on a source of its own."""

    storage: Storage
    workspace: Workspace
    settings: MediaSettings
    scratch_root: Path
    video_id: str = field(default_factory=lambda: secrets.token_hex(6))
    told: list[int] = field(default_factory=list)
    #: Called with each percent that is told.
    watch: Callable[[int], Awaitable[None]] | None = None

    @property
    def source(self) -> str:
        return f"uploads/{self.video_id}"

    @property
    def prefix(self) -> str:
        return output_prefix(self.video_id, "1-0", "tester")

    async def run(self, clip: Path | None) -> TranscodeResult:
        if clip is not None:
            await self.storage.upload(clip, self.source, "video/mp4")
        return await transcode(
            TranscodeRequest(video_id=self.video_id, source=self.source),
            prefix=self.prefix,
            storage=self.storage,
            workspace=self.workspace,
            report=self.report,
            settings=self.settings,
        )

    async def report(self, percent: int) -> None:
        self.told.append(percent)
        if self.watch is not None:
            await self.watch(percent)

    async def keys(self) -> list[str]:
        return [found.key async for found in self.storage.list(self.prefix)]

    def scratch_files(self) -> list[Path]:
        return [path for path in self.scratch_root.rglob("*") if path.name.startswith("attempt-")]


@pytest.fixture
def settings(ffmpeg: str, ffprobe: str, sandbox: Sandbox) -> MediaSettings:
    """One keyframe and one segment a second, at the fastest preset."""
    encoding = Encoding(preset="ultrafast", segment_s=1, keyframe_s=1)
    return MediaSettings(ffmpeg=ffmpeg, ffprobe=ffprobe, sandbox=sandbox, encoding=encoding)


@pytest.fixture
def job(storage: Storage, workspace: Workspace, settings: MediaSettings, tmp_path: Path) -> Job:
    return Job(
        storage=storage,
        workspace=workspace,
        settings=settings,
        scratch_root=tmp_path / "scratch",
    )


async def test_a_full_hd_source_becomes_four_aligned_rungs_and_sound(
    job: Job, clips: Clips, ffprobe: str, tmp_path: Path
) -> None:
    result = await job.run(clips.full_hd())

    assert [(r.name, r.width, r.height, r.segments) for r in result.renditions] == [
        ("1080p", 1920, 1080, 3),
        ("720p", 1280, 720, 3),
        ("480p", 854, 480, 3),
        ("360p", 640, 360, 3),
    ]
    assert result.audio is not None
    assert result.audio.codecs == "mp4a.40.2"
    assert TranscodeResult.from_json(result.to_json()) == result
    assert job.told == sorted(job.told)
    assert job.told[-1] == 100

    named = {result.playlist}
    sizes = {found.key: found.size_bytes async for found in job.storage.list(job.prefix)}
    renditions: list[Rendition | AudioRendition] = [*result.renditions, result.audio]
    for rendition in renditions:
        playlist, segments = await read_playlist(job.storage, rendition.playlist)
        assert playlist.ended
        assert playlist.duration_s == rendition.duration_s == pytest.approx(3.0, abs=0.1)
        assert sum(sizes[key] for key in segments) == rendition.size_bytes
        named |= {rendition.playlist, *segments}
    iframes = [f"{job.prefix}{rung.name}/iframes.m3u8" for rung in result.renditions]
    assert result.poster == f"{job.prefix}poster.jpg"
    assert result.storyboard == f"{job.prefix}storyboard/index.vtt"
    sprite = f"{job.prefix}storyboard/sprite_000.jpg"
    iframes.append(f"{job.prefix}scrub/iframes.m3u8")
    scrub = {f"{job.prefix}scrub/seg_{number:05d}.ts" for number in range(3)}
    named |= {*iframes, *scrub, result.poster, result.storyboard, sprite}
    assert named == set(sizes)
    assert sum(sizes.values()) == result.size_bytes

    times = []
    for rung in result.renditions:
        _, segments = await read_playlist(job.storage, rung.playlist)
        for number, key in enumerate(segments):
            path = tmp_path / f"{rung.name}-{number}.ts"
            await job.storage.download(await job.storage.head(key), path)
            assert picture_size(ffprobe, path) == (rung.width, rung.height)
            times.append((number, keyframe_times(ffprobe, path)))
    assert len({str(entry) for entry in times}) == 3
    assert all(len(keyframes) == 1 for _, keyframes in times)
    assert job.scratch_files() == []


async def test_what_players_need_to_know_is_published(job: Job, clips: Clips) -> None:
    result = await job.run(clips.full_hd())

    async with await job.storage.open(result.playlist) as stream:
        master = b"".join([chunk async for chunk in stream]).decode()
    assert stream.content_type == "application/vnd.apple.mpegurl"
    for rendition in result.renditions:
        assert f"RESOLUTION={rendition.width}x{rendition.height}" in master
        assert f'CODECS="{rendition.codecs},mp4a.40.2"' in master
        assert f"\n{rendition.name}/index.m3u8\n" in master
        assert rendition.average_bandwidth <= rendition.bandwidth
        assert f'URI="{rendition.name}/iframes.m3u8"' in master
    assert 'URI="audio/index.m3u8"' in master
    for name, content_type in (("poster.jpg", "image/jpeg"), ("storyboard/index.vtt", "text/vtt")):
        async with await job.storage.open(job.prefix + name) as stream:
            assert stream.content_type == content_type
    async with await job.storage.open(f"{job.prefix}720p/seg_00000.ts") as stream:
        assert stream.content_type == "video/mp2t"


async def test_a_silent_source_has_no_sound_rendition(job: Job, clips: Clips) -> None:
    result = await job.run(clips.silent())
    assert result.audio is None
    assert [r.name for r in result.renditions] == ["360p"]
    assert not any("/audio/" in key for key in await job.keys())


@pytest.mark.parametrize(
    ("clip", "sizes"),
    [
        (Clips.phone, [("720p", 720, 1280), ("480p", 480, 854), ("360p", 360, 640)]),
        (Clips.anamorphic, [("480p", 640, 480), ("360p", 480, 360)]),
        (Clips.small, [("182p", 322, 182)]),
    ],
)
async def test_rungs_have_the_shape_that_is_shown(
    job: Job,
    clips: Clips,
    ffprobe: str,
    tmp_path: Path,
    clip: Callable[[Clips], Path],
    sizes: list[tuple[str, int, int]],
) -> None:
    result = await job.run(clip(clips))
    assert [(r.name, r.width, r.height) for r in result.renditions] == sizes
    for rendition in result.renditions:
        path = tmp_path / f"{rendition.name}.ts"
        segment = await job.storage.head(f"{job.prefix}{rendition.name}/seg_00000.ts")
        await job.storage.download(segment, path)
        assert picture_size(ffprobe, path) == (rendition.width, rendition.height)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n/etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("code", "words", "clip"),
    [
        (ErrorCode.SOURCE_NOT_FOUND, "There is no file 'uploads/", None),
        (ErrorCode.SOURCE_EMPTY, "is empty", lambda c: c.holding("empty.mp4", b"")),
        (ErrorCode.NOT_A_VIDEO, "not a video", lambda c: c.holding("text.mp4", b"dear diary\n")),
        (ErrorCode.NOT_A_VIDEO, "not a video", lambda c: c.holding("list.mp4", PLAYLIST)),
        (
            ErrorCode.UNSUPPORTED_FORMAT,
            "not a video",
            lambda c: c.holding("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n"),
        ),
        (ErrorCode.UNSUPPORTED_FORMAT, "not a video", Clips.photograph),
        (ErrorCode.NO_VIDEO_STREAM, "only sound", Clips.sound_only),
        (ErrorCode.SOURCE_TRUNCATED, "only 1.", lambda c: c.cut_off(c.full_hd())),
        (ErrorCode.SOURCE_TRUNCATED, "incomplete", lambda c: c.cut_off(c.index_at_end())),
    ],
)
async def test_a_bad_source_fails_at_once_in_plain_words_and_leaves_nothing(
    job: Job, clips: Clips, code: ErrorCode, words: str, clip: Callable[[Clips], Path] | None
) -> None:
    with pytest.raises(TranscodeError) as failure:
        await job.run(None if clip is None else clip(clips))
    assert failure.value.code is code
    assert words in failure.value.message
    assert not failure.value.retryable
    assert not any(str(job.scratch_root) in line for line in failure.value.detail)
    assert await job.keys() == []
    assert job.scratch_files() == []
    assert 100 not in job.told


async def test_segments_are_in_s3_while_ffmpeg_runs_and_the_master_comes_last(
    job: Job, storage_settings: StorageSettings, clips: Clips
) -> None:
    before = children()
    during_encode: set[str] = set()

    async def look_into_s3(percent: int) -> None:
        keys = await job.keys()
        if children() - before:
            during_encode.update(keys)

    job.watch = look_into_s3
    # Slow enough that FFmpeg reports several times after its first segments.
    slow = replace(job.settings.encoding, preset="medium")
    job.settings = replace(job.settings, encoding=slow)
    async with RecordingStorage(storage_settings) as job.storage:
        await job.run(clips.full_hd())
        uploaded = [
            key.removeprefix(job.prefix) for key in job.storage.uploaded if key != job.source
        ]

    assert f"{job.prefix}1080p/seg_00000.ts" in during_encode
    assert not any(key.endswith(".m3u8") for key in during_encode)
    playlists = [key for key in uploaded if key.endswith(".m3u8")]
    assert uploaded[-len(playlists) :] == playlists
    assert playlists[-1] == "master.m3u8"


async def test_a_cancelled_encode_leaves_no_process_no_scratch_and_no_object(
    job: Job, clips: Clips
) -> None:
    before = children()
    first_segment_is_in_s3 = asyncio.Event()

    async def look_into_s3(percent: int) -> None:
        if await job.keys() and children() - before:
            first_segment_is_in_s3.set()

    job.watch = look_into_s3
    slow = replace(job.settings.encoding, preset="medium")
    job.settings = replace(job.settings, encoding=slow)
    attempt = asyncio.create_task(job.run(clips.full_hd()))
    async with asyncio.timeout(30):
        await first_segment_is_in_s3.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert children() == before
    assert await job.keys() == []
    assert job.scratch_files() == []


@pytest.mark.parametrize("at_percent", [10, 100])
async def test_what_the_report_raises_ends_the_attempt_and_is_passed_on(
    job: Job, clips: Clips, at_percent: int
) -> None:
    before = children()

    class LeaseLost(Exception):
        """As the queue raises it."""

    async def lose_the_lease(percent: int) -> None:
        if percent >= at_percent:
            raise LeaseLost

    job.watch = lose_the_lease
    with pytest.raises(LeaseLost):
        await job.run(clips.silent())
    assert children() == before
    assert await job.keys() == []
    assert job.scratch_files() == []


@pytest.mark.parametrize(
    ("script", "code", "retryable"),
    [
        ("kill -KILL $$", ErrorCode.ENCODER_KILLED, True),
        ("kill -SEGV $$", ErrorCode.ENCODER_CRASHED, True),
        ("trap '' TERM; while :; do sleep 1; done", ErrorCode.STALLED, True),
        ("echo 'av_write: No space left on device' >&2; exit 1", ErrorCode.DISK_FULL, True),
        ("exit 255", ErrorCode.ENCODER_KILLED, True),
        ("echo 'Invalid data' >&2; exit 69", ErrorCode.ENCODE_FAILED, False),
        ("exit 0", ErrorCode.ENCODE_FAILED, False),
    ],
)
async def test_an_encoder_that_ends_badly_is_classified(
    job: Job,
    clips: Clips,
    bare: Sandbox,
    tmp_path: Path,
    script: str,
    code: ErrorCode,
    retryable: bool,
) -> None:
    before = children()
    encoder = tmp_path / "encoder"
    encoder.write_text(f"#!/bin/sh\necho 'its last words' >&2\n{script}\n")
    encoder.chmod(0o755)
    job.settings = replace(
        job.settings, ffmpeg=str(encoder), sandbox=bare, stall_timeout_s=2, stop_grace_s=0.2
    )
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.silent())
    assert failure.value.code is code
    assert failure.value.retryable is retryable
    assert "its last words" in failure.value.detail
    assert children() == before
    assert job.scratch_files() == []


async def test_an_output_that_breaks_a_rule_is_not_published(
    job: Job, clips: Clips, bare: Sandbox, tmp_path: Path
) -> None:
    encoder = tmp_path / "encoder"
    # An FFmpeg that gives three packets, one after another, the same continuity counter.
    encoder.write_text(
        f'#!/bin/sh\n"{job.settings.ffmpeg}" "$@" || exit\n'
        "for packet in 100 101 102; do\n"
        "    printf '\\025' | dd of=hls/480p/seg_00001.ts bs=1 seek=$((packet * 188 + 3))"
        " conv=notrunc 2>/dev/null\n"
        "done\n"
    )
    encoder.chmod(0o755)
    job.settings = replace(job.settings, ffmpeg=str(encoder), sandbox=bare)
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.full_hd())
    assert failure.value.code is ErrorCode.OUTPUT_INVALID
    assert failure.value.retryable
    assert "apple-7.2" in failure.value.message
    assert any("480p/index.m3u8: seg_00001.ts" in line for line in failure.value.detail)
    assert await job.keys() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_ffmpeg_that_is_asked_to_end_from_outside_can_be_tried_again(
    job: Job, clips: Clips, number: signal.Signals
) -> None:
    before = children()
    asked: set[int] = set()

    async def end_ffmpeg(percent: int) -> None:
        # Past the download and the probe.
        if percent > 12 and not asked:
            asked.update(children() - before)
            for pid in asked:
                os.kill(pid, number)

    job.watch = end_ffmpeg
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.long())
    assert failure.value.code is ErrorCode.ENCODER_KILLED
    assert failure.value.retryable
    assert failure.value.message.startswith("The encoder was ended from outside")
    assert children() == before
    assert await job.keys() == []


async def test_an_encoder_that_makes_progress_may_take_longer_than_the_watchdog(
    job: Job, clips: Clips, bare: Sandbox, tmp_path: Path
) -> None:
    encoder = tmp_path / "encoder"
    encoder.write_text(
        "#!/bin/sh\n"
        "for n in $(seq 20); do echo out_time_us=$n; echo progress=continue; sleep 0.1; done\n"
        "exit 69\n"
    )
    encoder.chmod(0o755)
    job.settings = replace(job.settings, ffmpeg=str(encoder), sandbox=bare, stall_timeout_s=1.5)
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.silent())
    assert failure.value.code is ErrorCode.ENCODE_FAILED


async def test_an_encode_that_takes_too_long_for_its_source_is_stopped(
    job: Job, clips: Clips
) -> None:
    before = children()
    limits = SourceLimits(time_base_s=0.5, time_factor=0.01)
    job.settings = replace(job.settings, source_limits=limits)
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.long())
    assert failure.value.code is ErrorCode.TIME_LIMIT
    assert not failure.value.retryable
    assert children() == before
    assert await job.keys() == []
    assert job.scratch_files() == []


@pytest.mark.parametrize(
    "limits",
    [
        SourceLimits(max_pixels=320 * 240),
        SourceLimits(max_duration_s=2),
        SourceLimits(max_frame_rate=20),
        SourceLimits(max_streams=1),
    ],
)
async def test_a_source_over_a_limit_is_refused_before_the_encode(
    job: Job, clips: Clips, limits: SourceLimits
) -> None:
    job.settings = replace(job.settings, source_limits=limits, ffmpeg="/no/encoder")
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.full_hd())
    assert failure.value.code is ErrorCode.SOURCE_OVER_LIMIT


async def test_an_encode_is_stopped_where_no_source_may_go_whatever_its_header_says(
    job: Job, clips: Clips
) -> None:
    job.settings = replace(job.settings, source_limits=SourceLimits(max_duration_s=5))
    with pytest.raises(TranscodeError, match="goes on after the 5 s") as failure:
        await job.run(clips.understated())
    assert failure.value.code is ErrorCode.SOURCE_OVER_LIMIT
    assert await job.keys() == []


async def test_progress_of_a_stream_that_tells_no_duration_is_told(job: Job, clips: Clips) -> None:
    await job.run(clips.live(clips.half_a_minute()))
    assert any(20 < percent < 90 for percent in job.told)


async def test_an_encoder_that_wants_more_memory_than_it_may_have_is_told_so(
    job: Job, clips: Clips
) -> None:
    # Enough for a look at the source, and too little for four rungs.
    limits = Limits(memory_bytes=160 * 1024**2)
    sandbox = open_sandbox(
        "prefer", ffmpeg=job.settings.ffmpeg, ffprobe=job.settings.ffprobe, limits=limits
    )
    job.settings = replace(job.settings, sandbox=sandbox)
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.full_hd())
    assert failure.value.code is ErrorCode.RESOURCE_LIMIT
    assert not failure.value.retryable
    assert await job.keys() == []
    assert job.scratch_files() == []


async def test_without_a_sandbox_nothing_is_started(job: Job, clips: Clips) -> None:
    job.settings = replace(job.settings, sandbox=None)
    with pytest.raises(TranscodeError, match="sandbox is not set") as failure:
        await job.run(clips.silent())
    assert failure.value.code is ErrorCode.ENCODER_UNAVAILABLE


async def test_a_source_that_the_disk_cannot_hold_is_not_begun(job: Job, clips: Clips) -> None:
    job.settings = replace(job.settings, disk_reserve_bytes=2**62)
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.silent())
    assert failure.value.code is ErrorCode.DISK_FULL
    assert job.told == []


async def test_an_encoder_that_fills_the_disk_without_a_word_is_stopped(
    job: Job, clips: Clips, bare: Sandbox, tmp_path: Path
) -> None:
    encoder = tmp_path / "encoder"
    encoder.write_text("#!/bin/sh\nhead -c 400000000 /dev/zero >hls/junk\nexec sleep 60\n")
    encoder.chmod(0o755)
    floor = job.workspace.free_bytes() - 200_000_000
    job.settings = replace(
        job.settings, ffmpeg=str(encoder), sandbox=bare, disk_floor_bytes=floor, stop_grace_s=0.2
    )
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.silent())
    assert failure.value.code is ErrorCode.DISK_FULL
    assert job.scratch_files() == []


async def test_an_encode_on_a_full_disk_is_given_up_and_leaves_nothing(
    job: Job, clips: Clips
) -> None:
    before = children()
    job.settings = replace(job.settings, disk_floor_bytes=2**62)
    with pytest.raises(TranscodeError) as failure:
        await job.run(clips.full_hd())
    assert failure.value.code is ErrorCode.DISK_FULL
    assert failure.value.retryable
    assert children() == before
    assert await job.keys() == []
    assert job.scratch_files() == []


async def test_an_unreachable_storage_is_worth_a_retry(
    job: Job, storage_settings: StorageSettings
) -> None:
    nowhere = replace(storage_settings, endpoint_url="http://127.0.0.1:1", tries=1)
    async with Storage(nowhere) as storage:
        job.storage = storage
        with pytest.raises(TranscodeError) as failure:
            await job.run(None)
    assert failure.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert failure.value.retryable


async def test_a_missing_bucket_is_not_taken_for_a_missing_video(
    job: Job, storage_settings: StorageSettings
) -> None:
    async with Storage(replace(storage_settings, bucket="no-such-bucket")) as storage:
        job.storage = storage
        with pytest.raises(TranscodeError) as failure:
            await job.run(None)
    assert failure.value.code is ErrorCode.STORAGE_UNAVAILABLE

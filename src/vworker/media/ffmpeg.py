"""One FFmpeg process for all renditions: its command line, its run, its failures told as ours.

The source is decoded once; each rung is scaled from the one above it (1.5 times as fast as a run
per rung, 96 % of what two cores can do). The options ran on FFmpeg 5.1 and 8.1 with identical
keyframes in all rungs. Every argument is made here from numbers and names of our own; nothing
that a user wrote gets into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.diagnosis import diagnose
from vworker.media.encoding import SegmentType
from vworker.media.filters import filter_graph
from vworker.media.loudness import Loudness
from vworker.media.plan import (
    CUBE_PATH,
    OUTPUT_NAME,
    PLAYLIST_NAME,
    SCRUB_NAME,
    SOURCE_NAME,
    EncodePlan,
    Subtitles,
    segment_pattern,
)
from vworker.media.probe import input_limits
from vworker.media.process import run_child
from vworker.media.progress import Progress, ProgressParser
from vworker.media.settings import MediaSettings
from vworker.media.tone_map import cube, needs_cube
from vworker.sandbox import Access


def command_line(
    plan: EncodePlan, settings: MediaSettings, loudness: tuple[Loudness | None, ...] = ()
) -> list[str]:
    """Return FFmpeg's argument list; pure. `loudness` as for `filter_graph`."""
    encoding = plan.encoding
    argv = [
        settings.ffmpeg,
        # Say what matters only, never ask, never read the terminal.
        *("-hide_banner", "-nostdin", "-y", "-loglevel", "warning"),
        # Progress as key=value lines, twice a second; each is also the cue to look for segments.
        *("-progress", "pipe:1", "-stats_period", "0.5"),
        *input_limits(settings.source_limits),
        *("-i", f"file:{SOURCE_NAME}"),
        # Decode once, scale in a cascade.
        *("-filter_complex", filter_graph(plan, loudness)),
    ]
    for number in range(len(plan.rungs)):
        argv += ["-map", f"[v{number}]"]
    for number in range(len(plan.sounds)):
        argv += ["-map", f"[a{number}]"]
    argv += [
        # Nothing of the source's titles and chapters.
        *("-map_metadata", "-1", "-map_chapters", "-1"),
        # Constant quality; closed GOPs, so that each segment can be decoded alone.
        *("-c:v", "libx264", "-preset", encoding.preset, "-profile:v", "high"),
        *("-crf", str(encoding.crf), "-flags", "+cgop"),
    ]
    if settings.encoder_threads:
        argv += ["-threads:v", str(settings.encoder_threads)]
    for number, rung in enumerate(plan.rungs):
        # A cap on the rate over 1.5 seconds, so that players can trust the playlist's figures.
        argv += [f"-maxrate:v:{number}", str(rung.max_bitrate)]
        argv += [f"-bufsize:v:{number}", str(rung.max_bitrate * 3 // 2)]
    argv += [
        # Keyframes at the same instants in all rungs, and at no scene cuts in between, so that a
        # player can switch rungs at every segment.
        *("-force_key_frames", f"expr:gte(t,n_forced*{encoding.keyframe_s})"),
        *("-sc_threshold", "0"),
    ]
    if plan.sounds:
        # Stereo AAC at one rate, whatever the source has.
        argv += ["-c:a", "aac", "-b:a", str(encoding.audio_bitrate), "-ac", "2", "-ar", "48000"]
    argv += [
        # Packets that may wait while a late stream of a badly interleaved source turns up.
        *("-max_muxing_queue_size", "1024"),
        *(_end_with_pictures() if plan.sounds else ()),
        # HLS with whole-list playlists that are written at the end.
        *("-f", "hls", "-hls_time", str(encoding.segment_s)),
        *("-hls_playlist_type", "vod", "-hls_list_size", "0"),
        # temp_file: a segment gets its final name only when it is complete.
        *("-hls_flags", "independent_segments+temp_file"),
        # One folder per rendition.
        *("-var_stream_map", _stream_map(plan)),
        *_segments(encoding.segments),
        f"{OUTPUT_NAME}/%v/{PLAYLIST_NAME}",
    ]
    argv += _scrub_output(plan)
    for track in plan.subtitles:
        # Whole files, outside of what is published; they are cut beside the pictures' segments.
        argv += ["-map", f"0:{track.stream.index}", "-map_metadata", "-1", "-c:s", "webvtt"]
        argv += ["-f", "webvtt", whole_subtitles(track)]
    return argv


def _scrub_output(plan: EncodePlan) -> list[str]:
    """Return the output of one I-frame a second, which players show while one scrubs (Apple 6.2).

    An output of its own, since its last picture lasts a second and must end nothing else.
    """
    encoding, rate = plan.encoding, plan.rungs[-1].max_bitrate
    return [
        *("-map", "[scrub]", "-map_metadata", "-1", "-map_chapters", "-1"),
        *("-c:v", "libx264", "-preset", encoding.preset, "-profile:v", "high"),
        # Every picture an I-frame; one thread is enough for one a second.
        *("-crf", str(encoding.crf), "-g", "1", "-threads:v", "1"),
        *("-maxrate:v", str(rate), "-bufsize:v", str(rate * 3 // 2)),
        *("-f", "hls", "-hls_time", str(encoding.segment_s)),
        *("-hls_playlist_type", "vod", "-hls_list_size", "0"),
        *("-hls_flags", "independent_segments+temp_file"),
        # A range of bytes reaches every picture of a transport stream, but only the first one of a
        # movie fragment: so it is no fragmented MP4 even beside such.
        *("-hls_segment_filename", f"{OUTPUT_NAME}/{SCRUB_NAME}/{segment_pattern(SegmentType.TS)}"),
        f"{OUTPUT_NAME}/{SCRUB_NAME}/{PLAYLIST_NAME}",
    ]


def _end_with_pictures() -> list[str]:
    """End the sounds with the pictures: they have no end of their own (see `filter_graph`).

    Every frame of the second that may wait for a late sound lies in memory unpacked: 190 MB in
    1080p at 60 fps. FFmpeg's own ten seconds would be ten times that.
    """
    return ["-shortest", "-shortest_buf_duration", "1"]


def whole_subtitles(track: Subtitles) -> str:
    """Return the path, relative to the scratch folder, of a track's WebVTT before it is cut."""
    return f"{OUTPUT_NAME}/{track.folder}.vtt"


def _segments(kind: SegmentType) -> list[str]:
    argv = ["-hls_segment_filename", f"{OUTPUT_NAME}/%v/{segment_pattern(kind)}"]
    if kind is SegmentType.FMP4:
        # FFmpeg puts the rendition's number between name and extension.
        argv += ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"]
    return argv


def _stream_map(plan: EncodePlan) -> str:
    group = ",agroup:a" if plan.sounds else ""
    rungs = [f"v:{number}{group},name:{rung.name}" for number, rung in enumerate(plan.rungs)]
    sounds = [f"a:{number},agroup:a,name:{s.folder}" for number, s in enumerate(plan.sounds)]
    return " ".join([*rungs, *sounds])


def prepare_folders(plan: EncodePlan) -> None:
    """Make everything that `encode` needs beside the source. Blocks: writes files."""
    for name in plan.names:
        (plan.output / name).mkdir(parents=True)
    colour = plan.info.video.colour
    if needs_cube(colour):
        (plan.scratch / CUBE_PATH).write_text(cube(colour), encoding="ascii")


async def encode(
    plan: EncodePlan,
    settings: MediaSettings,
    on_progress: Callable[[Progress], None],
    *,
    loudness: tuple[Loudness | None, ...] = (),
) -> tuple[str, ...]:
    """Run FFmpeg to its end; return its last lines. `on_progress` is called twice a second.

    The folders of `plan.names` must exist, and the colour cube when the source needs one
    (`prepare_folders`).

    Not safe to repeat in the same folder. Cancelling ends FFmpeg first. Raises `TranscodeError`:
    encode_failed, time_limit (final); stalled, and what `diagnose` finds.
    """
    loop = asyncio.get_running_loop()
    known_s = plan.duration_s or plan.info.container_duration_s
    time_limit_s = settings.source_limits.time_limit_s(known_s)
    parser = ProgressParser()
    last: Progress | None = None
    try:
        async with asyncio.timeout(settings.stall_timeout_s) as watchdog:

            def follow(data: bytes) -> None:
                nonlocal last
                for progress in parser.feed(data):
                    if progress != last:
                        watchdog.reschedule(loop.time() + settings.stall_timeout_s)
                    last = progress
                    on_progress(progress)

            ended = await run_child(
                command_line(plan, settings, loudness),
                access=Access(folder=plan.scratch, reads=(SOURCE_NAME,), writes=(OUTPUT_NAME,)),
                timeout_s=time_limit_s,
                on_output=follow,
                settings=settings,
            )
    except TimeoutError:
        if not watchdog.expired():
            raise TranscodeError(
                ErrorCode.TIME_LIMIT,
                f"The encode did not end within {time_limit_s:.0f} seconds and was stopped.",
            ) from None
        raise TranscodeError(
            ErrorCode.STALLED,
            f"The encoder made no progress for {settings.stall_timeout_s:g} seconds and was "
            "stopped.",
        ) from None
    if ended.code != 0:
        raise diagnose(
            ended,
            otherwise=ErrorCode.ENCODE_FAILED,
            message="The video could not be transcoded: the encoder gave up on it "
            f"(exit code {ended.code}).",
        )
    return ended.last_lines

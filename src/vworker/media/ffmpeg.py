"""One FFmpeg process for all renditions: its command line, its run, its failures told as ours.

The source is decoded once; each rung is scaled from the one above it (1.5 times as fast as a run
per rung, 96 % of what two cores can do). The options ran on FFmpeg 5.1 and 8.1 with identical
keyframes in all rungs. Every argument is made here from numbers and names of our own; nothing
that a user wrote gets into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.ladder import Rung
from vworker.media.probe import SourceInfo, input_limits
from vworker.media.process import Exit, run_child
from vworker.media.progress import Progress, ProgressParser
from vworker.media.settings import MediaSettings

SOURCE_NAME = "source.bin"
OUTPUT_NAME = "hls"
AUDIO_NAME = "audio"
PLAYLIST_NAME = "index.m3u8"
_SEGMENT_PATTERN = "seg_%05d.ts"
_AUDIO_BITRATE = 128_000
_MAX_FRAME_RATE = Fraction(60)
_DEFAULT_FRAME_RATE = Fraction(30)
#: Exit codes of an FFmpeg that caught SIGTERM or SIGINT: up to three times, and more often. Which
#: one it was, it tells at log level info only.
_ENDED_BY_SIGNAL = {255, 123}


def segment_name(number: int) -> str:
    """Return the file name of a segment; they count from 0."""
    return _SEGMENT_PATTERN % number


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodePlan:
    """One encode: what goes in, what shall come out."""

    #: The attempt's folder, in which FFmpeg runs: it sees relative names of ours and nothing else.
    scratch: Path
    info: SourceInfo
    rungs: tuple[Rung, ...]

    @property
    def output(self) -> Path:
        """Folder with a folder per rendition; both must exist when FFmpeg starts."""
        return self.scratch / OUTPUT_NAME

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all renditions: the rungs, then the sound if there is one."""
        sound = () if self.info.audio is None else (AUDIO_NAME,)
        return tuple(rung.name for rung in self.rungs) + sound

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second of every rung: the source's, at most 60."""
        return min(self.info.video.frame_rate or _DEFAULT_FRAME_RATE, _MAX_FRAME_RATE)


def command_line(plan: EncodePlan, settings: MediaSettings) -> list[str]:
    """Return FFmpeg's argument list; pure."""
    audio = plan.info.audio
    argv = [
        settings.ffmpeg,
        # Say what matters only, never ask, never read the terminal.
        *("-hide_banner", "-nostdin", "-y", "-loglevel", "warning"),
        # Progress as key=value lines, twice a second; each is also the cue to look for segments.
        *("-progress", "pipe:1", "-stats_period", "0.5"),
        *input_limits(),
        *("-i", f"file:{SOURCE_NAME}"),
        # Decode once, scale in a cascade.
        *("-filter_complex", filter_graph(plan)),
    ]
    for number in range(len(plan.rungs)):
        argv += ["-map", f"[v{number}]"]
    if audio is not None:
        argv += ["-map", f"0:{audio.index}"]
    argv += [
        # No subtitles or data streams, nothing of the source's titles and chapters.
        *("-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"),
        # Constant quality; closed GOPs, so that each segment can be decoded alone.
        *("-c:v", "libx264", "-preset", settings.preset, "-profile:v", "high"),
        *("-pix_fmt", "yuv420p", "-crf", str(settings.crf), "-flags", "+cgop"),
    ]
    for number, rung in enumerate(plan.rungs):
        # A cap on the rate over 1.5 seconds, so that players can trust the playlist's figures.
        argv += [f"-maxrate:v:{number}", str(rung.max_bitrate)]
        argv += [f"-bufsize:v:{number}", str(rung.max_bitrate * 3 // 2)]
    argv += [
        # Keyframes at the same instants in all rungs, and at no scene cuts in between, so that a
        # player can switch rungs at every segment.
        *("-force_key_frames", f"expr:gte(t,n_forced*{settings.keyframe_s})"),
        *("-sc_threshold", "0"),
    ]
    if audio is not None:
        # Stereo AAC at one rate, whatever the source has.
        argv += ["-c:a", "aac", "-b:a", str(_AUDIO_BITRATE), "-ac", "2", "-ar", "48000"]
    return [
        *argv,
        # Packets that may wait while a late stream of a badly interleaved source turns up.
        *("-max_muxing_queue_size", "1024"),
        # HLS with whole-list playlists that are written at the end.
        *("-f", "hls", "-hls_time", str(settings.segment_s)),
        *("-hls_playlist_type", "vod", "-hls_list_size", "0"),
        # temp_file: a segment gets its final name only when it is complete.
        *("-hls_flags", "independent_segments+temp_file"),
        # One folder per rendition.
        *("-var_stream_map", _stream_map(plan)),
        *("-hls_segment_filename", f"{OUTPUT_NAME}/%v/{_SEGMENT_PATTERN}"),
        f"{OUTPUT_NAME}/%v/{PLAYLIST_NAME}",
    ]


def filter_graph(plan: EncodePlan) -> str:
    """Return the filter graph whose outputs [v0], [v1] … are the rungs, largest first; pure.

    FFmpeg turns the picture by the file's rotation before the graph. The first scaling squares
    the pixels and holds the size when the source changes its own in the middle; it costs nothing
    when there is nothing to do.
    """
    rate = plan.frame_rate
    chains = []
    feed = f"0:{plan.info.video.index}"
    head = f"fps={rate.numerator}/{rate.denominator},"
    for number, rung in enumerate(plan.rungs):
        chain = f"[{feed}]{head}scale={rung.width}:{rung.height}:flags=lanczos,setsar=1"
        if number == 0:
            # Once here instead of once per rung.
            chain += ",format=yuv420p"
        if number + 1 < len(plan.rungs):
            feed = f"s{number}"
            chain += f",split=2[v{number}][{feed}]"
        else:
            chain += f"[v{number}]"
        chains.append(chain)
        head = ""
    return ";".join(chains)


def _stream_map(plan: EncodePlan) -> str:
    if plan.info.audio is None:
        return " ".join(f"v:{number},name:{rung.name}" for number, rung in enumerate(plan.rungs))
    rungs = [f"v:{number},agroup:a,name:{rung.name}" for number, rung in enumerate(plan.rungs)]
    return " ".join([*rungs, f"a:0,agroup:a,name:{AUDIO_NAME},default:yes"])


async def encode(
    plan: EncodePlan, settings: MediaSettings, on_progress: Callable[[Progress], None]
) -> tuple[str, ...]:
    """Run FFmpeg to its end; return its last lines. `on_progress` is called twice a second.

    Not safe to repeat in the same folder. Cancelling ends FFmpeg first. Raises `TranscodeError`:
    encode_failed (final); encoder_killed, encoder_unavailable, stalled, disk_full.
    """
    loop = asyncio.get_running_loop()
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
                command_line(plan, settings),
                cwd=plan.scratch,
                on_output=follow,
                grace_s=settings.stop_grace_s,
            )
    except TimeoutError:
        raise TranscodeError(
            ErrorCode.STALLED,
            f"The encoder made no progress for {settings.stall_timeout_s:g} seconds and was "
            "stopped.",
        ) from None
    if ended.code != 0:
        raise _failed(ended)
    return ended.last_lines


def _failed(ended: Exit) -> TranscodeError:
    if ended.code < 0 or ended.code in _ENDED_BY_SIGNAL:
        cause = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
        return TranscodeError(
            ErrorCode.ENCODER_KILLED,
            f"The encoder was ended from outside ({cause}).",
            detail=ended.last_lines,
        )
    if any("No space left on device" in line for line in ended.last_lines):
        return TranscodeError(
            ErrorCode.DISK_FULL,
            "The worker's disk ran full during the encode.",
            detail=ended.last_lines,
        )
    return TranscodeError(
        ErrorCode.ENCODE_FAILED,
        f"The video could not be transcoded: the encoder gave up on it (exit code {ended.code}).",
        detail=ended.last_lines,
    )

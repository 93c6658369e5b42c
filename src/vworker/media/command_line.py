"""FFmpeg's argument lists, each option with its reason. Pure.

The source is decoded once; each rung is scaled from the one above it (1.5 times as fast as a run
per rung, 96 % of what two cores can do). The options need FFmpeg 8.1. Every argument is made here
from numbers and names of our own; nothing that a user wrote gets into it.
"""

from __future__ import annotations

from fractions import Fraction

from vworker.media.encoding import Encoding, SegmentType
from vworker.media.filters import (
    filter_graphs,
    first_pictures_graph,
    later_pictures_graph,
    sounds_graph,
)
from vworker.media.loudness import Loudness
from vworker.media.plan import (
    INIT_STEM,
    OUTPUT_NAME,
    PLAYLIST_NAME,
    SCRUB_NAME,
    SOURCE_NAME,
    EncodePlan,
    Subtitles,
    segment_pattern,
)
from vworker.media.probe import input_limits
from vworker.media.settings import MediaSettings


def command_line(
    plan: EncodePlan, settings: MediaSettings, loudness: tuple[Loudness | None, ...] = ()
) -> list[str]:
    """Return the encode of a whole video. `loudness` as for `filter_graphs`."""
    argv = _reading(settings)
    for graph in filter_graphs(plan, loudness):
        argv += ["-filter_complex", graph]
    argv += _maps("v", len(plan.rungs)) + _maps("a", len(plan.sounds))
    argv += [*_NOTHING_OF_THE_SOURCE, *_pictures(plan, settings)]
    if plan.sounds:
        argv += _sounds(plan.encoding)
    argv += [
        # Packets that may wait while a late stream of a badly interleaved source turns up.
        *("-max_muxing_queue_size", "1024"),
        *(_end_with_pictures(plan.frame_rate) if plan.sounds else ()),
        *_cut(plan.encoding, _stream_map(plan)),
    ]
    return [*argv, *_scrub_output(plan), *_subtitles(plan)]


def later_pictures(
    plan: EncodePlan, settings: MediaSettings, *, segments: int, frames: int, clock_s: float
) -> list[str]:
    """Return the encode of the pictures behind the first `segments`, which have `frames` pictures.

    `clock_s` is when the first picture of segment 0 is shown, on its own clock. Also makes what
    is for scrubbing, and the subtitles. Segments of fragmented MP4 begin at 0 all the same, with an
    initialization section of their own, `later_*.mp4`.
    """
    begin_s = clock_s + float(frames / plan.frame_rate) - TS_DELAY_S
    is_ts = plan.encoding.segments is SegmentType.TS
    return [
        *_reading(settings),
        *("-filter_complex", later_pictures_graph(plan, frames)),
        *_maps("v", len(plan.rungs)),
        *_NOTHING_OF_THE_SOURCE,
        *_pictures(plan, settings),
        *(("-output_ts_offset", f"{begin_s:.6f}") if is_ts else ()),
        *("-start_number", str(segments)),
        *_cut(plan.encoding, _pictures_map(plan, ""), init="later"),
        *_scrub_output(plan),
        *_subtitles(plan),
    ]


def first_pictures(plan: EncodePlan, settings: MediaSettings) -> list[str]:
    """Return the encode of the first picture of every rung; its sections are `trial_*.mp4`."""
    return [
        *_reading(settings),
        *("-filter_complex", first_pictures_graph(plan)),
        *_maps("v", len(plan.rungs)),
        *_NOTHING_OF_THE_SOURCE,
        *_pictures(plan, settings),
        *("-frames:v", "1"),
        *_cut(plan.encoding, _pictures_map(plan, ""), init=TRIAL_STEM),
    ]


def sounds_alone(
    plan: EncodePlan,
    settings: MediaSettings,
    loudness: tuple[Loudness | None, ...],
    *,
    end_s: float,
    shift_s: float,
) -> list[str]:
    """Return the encode of the sounds, which end at `end_s`; their clock is put off by `shift_s`.

    In one process with the pictures FFmpeg puts off the clock of both, by what x264 needs to
    bring its pictures into order.
    """
    return [
        *_reading(settings),
        *("-filter_complex", sounds_graph(plan, loudness, end_s)),
        *_maps("a", len(plan.sounds)),
        *_NOTHING_OF_THE_SOURCE,
        *_sounds(plan.encoding),
        *("-output_ts_offset", f"{shift_s:.6f}"),
        *_cut(plan.encoding, _sounds_map(plan, "")),
    ]


#: What FFmpeg's multiplexer of transport streams puts in front of every clock: twice -muxdelay.
TS_DELAY_S = 1.4
#: How the names of the initialization sections begin that only a trial has made.
TRIAL_STEM = "trial"
#: Pictures of each rung that may wait in memory for a late sound, between 1 and 10 s of them.
_WAITING_PICTURES = 60
#: Nothing of the source's titles and chapters.
_NOTHING_OF_THE_SOURCE = ("-map_metadata", "-1", "-map_chapters", "-1")


def _reading(settings: MediaSettings) -> list[str]:
    return [
        settings.ffmpeg,
        # Say what matters only, never ask, never read the terminal.
        *("-hide_banner", "-nostdin", "-y", "-loglevel", "warning"),
        # Progress as key=value lines, twice a second; each is also the cue to look for segments.
        *("-progress", "pipe:1", "-stats_period", "0.5"),
        # One track that cannot be decoded is no reason to fail; see `vworker.media.lost_pictures`.
        *("-max_error_rate", "1"),
        *input_limits(settings.source_limits),
        *("-i", f"file:{SOURCE_NAME}"),
    ]


def _maps(kind: str, count: int) -> list[str]:
    return [word for number in range(count) for word in ("-map", f"[{kind}{number}]")]


def _pictures(plan: EncodePlan, settings: MediaSettings) -> list[str]:
    encoding = plan.encoding
    argv = [
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
    return [
        *argv,
        # Keyframes at the same instants in all rungs, and at no scene cuts in between, so that a
        # player can switch rungs at every segment.
        *("-force_key_frames", f"expr:gte(t,n_forced*{encoding.keyframe_s})"),
        *("-sc_threshold", "0"),
    ]


def _sounds(encoding: Encoding) -> list[str]:
    """Stereo AAC at one rate, whatever the source has."""
    return ["-c:a", "aac", "-b:a", str(encoding.audio_bitrate), "-ac", "2", "-ar", "48000"]


def _cut(encoding: Encoding, stream_map: str, *, init: str = INIT_STEM) -> list[str]:
    """HLS with whole-list playlists that are written at the end, a folder per rendition."""
    return [
        *("-f", "hls", "-hls_time", str(encoding.segment_s)),
        *("-hls_playlist_type", "vod", "-hls_list_size", "0"),
        # temp_file: a segment gets its final name only when it is complete.
        *("-hls_flags", "independent_segments+temp_file"),
        *("-var_stream_map", stream_map),
        *_segments(encoding.segments, init, stream_map),
        f"{OUTPUT_NAME}/%v/{PLAYLIST_NAME}",
    ]


def _subtitles(plan: EncodePlan) -> list[str]:
    """Whole files, outside of what is published; they are cut beside the pictures' segments."""
    argv = []
    for track in plan.subtitles:
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


def _end_with_pictures(frame_rate: Fraction) -> list[str]:
    """End the sounds with the pictures: they have no end of their own (see `filter_graphs`).

    Every frame that may wait for a late sound lies in memory unpacked: 190 MB for sixty in 1080p.
    FFmpeg's own ten seconds would be ten times that at 60 fps; at a picture a second they are
    needed, since pictures may come in bursts with seconds between them.
    """
    seconds = max(1, min(10, int(_WAITING_PICTURES / frame_rate)))
    return ["-shortest", "-shortest_buf_duration", str(seconds)]


def whole_subtitles(track: Subtitles) -> str:
    """Return the path, relative to the scratch folder, of a track's WebVTT before it is cut."""
    return f"{OUTPUT_NAME}/{track.folder}.vtt"


def _segments(kind: SegmentType, init: str, stream_map: str) -> list[str]:
    argv = ["-hls_segment_filename", f"{OUTPUT_NAME}/%v/{segment_pattern(kind)}"]
    if kind is SegmentType.FMP4:
        # FFmpeg puts the rendition's name in only when there are several.
        name = "%v" if " " in stream_map else stream_map.rpartition("name:")[2]
        argv += ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", f"{init}_{name}.mp4"]
    return argv


def _stream_map(plan: EncodePlan) -> str:
    if not plan.sounds:
        return _pictures_map(plan, "")
    return f"{_pictures_map(plan, ',agroup:a')} {_sounds_map(plan, ',agroup:a')}"


def _pictures_map(plan: EncodePlan, group: str) -> str:
    return " ".join(f"v:{n}{group},name:{rung.name}" for n, rung in enumerate(plan.rungs))


def _sounds_map(plan: EncodePlan, group: str) -> str:
    return " ".join(f"a:{n}{group},name:{sound.folder}" for n, sound in enumerate(plan.sounds))

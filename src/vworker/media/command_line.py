"""FFmpeg's argument lists, each option with its reason. Pure.

The source is decoded once; each rung is scaled from the one above it (1.5 times as fast as a run
per rung, 96 % of what two cores can do). The options need FFmpeg 8.1. Every argument is made here
from numbers and names of our own; nothing that a user wrote gets into it.
"""

from __future__ import annotations

from vworker.media.encoding import Encoding, SegmentType
from vworker.media.filters import first_pictures_graph, pictures_graphs, sounds_graphs
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


def all_pictures(plan: EncodePlan, settings: MediaSettings) -> list[str]:
    """Return the encode of all pictures, what is for scrubbing, and the subtitles."""
    return [
        *_reading(settings),
        *_graphs(pictures_graphs(plan)),
        *_rungs(plan, settings),
        *("-output_ts_offset", f"{plan.clock_s:.6f}"),
        *_cut(plan.encoding, _pictures_map(plan)),
        *_scrub_output(plan),
        *_subtitles(plan),
    ]


def later_pictures(
    plan: EncodePlan, settings: MediaSettings, *, segments: int, frames: int, clock_s: float
) -> list[str]:
    """Return the encode of the pictures behind the first `segments`, which have `frames` pictures.

    `clock_s` is when the first picture of segment 0 is shown, on its own clock. Also makes what is
    for scrubbing, and the subtitles. Segments of fragmented MP4 begin at 0 all the same, with an
    initialization section of their own, `later_*.mp4`.
    """
    begin_s = clock_s + float(frames / plan.frame_rate) - TS_DELAY_S
    is_ts = plan.encoding.segments is SegmentType.TS
    return [
        *_reading(settings),
        *_graphs(pictures_graphs(plan, frames)),
        *_rungs(plan, settings),
        *(("-output_ts_offset", f"{begin_s:.6f}") if is_ts else ()),
        *("-start_number", str(segments)),
        *_cut(plan.encoding, _pictures_map(plan), init="later"),
        *_scrub_output(plan),
        *_subtitles(plan),
    ]


def first_pictures(plan: EncodePlan, settings: MediaSettings) -> list[str]:
    """Return the encode of the first picture of every rung; its sections are `trial_*.mp4`."""
    return [
        *_reading(settings),
        *_graphs([first_pictures_graph(plan)]),
        *_rungs(plan, settings),
        *("-frames:v", "1"),
        *_cut(plan.encoding, _pictures_map(plan), init=TRIAL_STEM),
    ]


def all_sounds(
    plan: EncodePlan,
    settings: MediaSettings,
    loudness: tuple[Loudness | None, ...],
    *,
    end_s: float,
    all_late: bool = False,
) -> list[str]:
    """Return the encode of the sounds; the arguments are those of `sounds_graphs`."""
    return [*_reading(settings), *sound_outputs(plan, loudness, end_s=end_s, all_late=all_late)]


def sound_outputs(
    plan: EncodePlan,
    loudness: tuple[Loudness | None, ...],
    *,
    end_s: float,
    all_late: bool = False,
) -> list[str]:
    """Return the arguments for the sounds, behind those for the source.

    An output for each: in one with another it would wait in memory for the first packet of a sound
    that begins late.
    """
    argv = _graphs(sounds_graphs(plan, loudness, end_s, all_late=all_late))
    for number, sound in enumerate(plan.sounds):
        argv += [
            *("-map", f"[a{number}]", *_NOTHING_OF_THE_SOURCE),
            # Stereo AAC at one rate, whatever the source has.
            *("-c:a", "aac", "-b:a", str(plan.encoding.audio_bitrate), "-ac", "2", "-ar", "48000"),
            *("-output_ts_offset", f"{plan.clock_s:.6f}"),
            *_cut(plan.encoding, f"a:0,name:{sound.folder}"),
        ]
    return argv


#: What FFmpeg's multiplexer of transport streams puts in front of every clock: twice -muxdelay.
TS_DELAY_S = 1.4
#: How the names of the initialization sections begin that only a trial has made.
TRIAL_STEM = "trial"
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


def _graphs(graphs: list[str]) -> list[str]:
    return [word for graph in graphs for word in ("-filter_complex", graph)]


def _rungs(plan: EncodePlan, settings: MediaSettings) -> list[str]:
    """Return the streams of the first output: all rungs, and their encoders."""
    maps = [word for number in range(len(plan.rungs)) for word in ("-map", f"[v{number}]")]
    return [*maps, *_NOTHING_OF_THE_SOURCE, *_pictures(plan, settings)]


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


def _pictures_map(plan: EncodePlan) -> str:
    return " ".join(f"v:{number},name:{rung.name}" for number, rung in enumerate(plan.rungs))

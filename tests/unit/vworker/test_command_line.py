from dataclasses import replace
from pathlib import Path

from tests.support.plans import INFO, PLAN, planned
from vworker.media.command_line import all_pictures, all_sounds
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.filters import pictures_graphs, sounds_graphs
from vworker.media.plan import MAX_SOUNDS
from vworker.media.settings import MediaSettings
from vworker.media.source import AudioStream, SubtitleStream

SETTINGS = MediaSettings()


def option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


READING = (
    "ffmpeg -hide_banner -nostdin -y -loglevel warning -progress pipe:1 -stats_period 0.5"
    " -max_error_rate 1 -protocol_whitelist file"
    " -format_whitelist mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,"
    "gif,h264,hevc"
    " -max_pixels 35651584 -max_streams 64 -i file:source.bin"
)
CUT = "-f hls -hls_time 6 -hls_playlist_type vod -hls_list_size 0"


def test_the_whole_command_line_of_the_pictures() -> None:
    argv = all_pictures(PLAN, SETTINGS)
    for graph in pictures_graphs(PLAN):
        argv[argv.index(graph)] = "GRAPH"
    stream_map = argv.index("-var_stream_map") + 1
    assert argv[stream_map] == "v:0,name:480p v:1,name:360p"
    argv[stream_map] = "MAP"
    assert " ".join(argv) == (
        f"{READING} -filter_complex GRAPH -filter_complex GRAPH"
        " -map [v0] -map [v1] -map_metadata -1 -map_chapters -1"
        " -c:v libx264 -preset veryfast -profile:v high -crf 23 -flags +cgop"
        " -maxrate:v:0 1400000 -bufsize:v:0 2100000 -maxrate:v:1 800000 -bufsize:v:1 1200000"
        " -force_key_frames expr:gte(t,n_forced*2) -sc_threshold 0"
        f" -output_ts_offset 0.120000 {CUT}"
        " -hls_flags independent_segments+temp_file -var_stream_map MAP"
        " -hls_segment_filename hls/%v/seg_%05d.ts hls/%v/index.m3u8"
        " -map [scrub] -map_metadata -1 -map_chapters -1"
        " -c:v libx264 -preset veryfast -profile:v high -crf 23 -g 1 -threads:v 1"
        f" -maxrate:v 800000 -bufsize:v 1200000 {CUT}"
        " -hls_flags independent_segments+temp_file"
        " -hls_segment_filename hls/scrub/seg_%05d.ts hls/scrub/index.m3u8"
    )


def test_the_whole_command_line_of_the_sounds() -> None:
    argv = all_sounds(PLAN, SETTINGS, (), end_s=9.5)
    (graph,) = sounds_graphs(PLAN, (), 9.5)
    argv[argv.index(graph)] = "GRAPH"
    assert " ".join(argv) == (
        f"{READING} -filter_complex GRAPH -map [a0] -map_metadata -1 -map_chapters -1"
        f" -c:a aac -b:a 128000 -ac 2 -ar 48000 -output_ts_offset 0.120000 {CUT}"
        " -hls_flags independent_segments+temp_file -var_stream_map a:0,name:audio"
        " -hls_segment_filename hls/%v/seg_%05d.ts hls/%v/index.m3u8"
    )


def test_a_silent_source_has_no_sound() -> None:
    assert planned(replace(INFO, sounds=())).names == ("480p", "360p", "scrub")


def test_every_sound_track_becomes_an_output_up_to_a_limit() -> None:
    sounds = tuple(AudioStream(index=n, codec="aac", language=None) for n in range(2, 40))
    argv = all_sounds(planned(replace(INFO, sounds=sounds)), SETTINGS, (), end_s=9.5)
    maps = [argv[at + 1] for at, word in enumerate(argv) if word == "-var_stream_map"]
    assert maps[:2] == ["a:0,name:audio", "a:0,name:audio-2"]
    assert len(maps) == MAX_SOUNDS


def test_text_subtitles_are_written_beside_the_renditions() -> None:
    track = SubtitleStream(index=7, codec="subrip", language="deu")
    argv = all_pictures(planned(replace(INFO, subtitles=(track,))), SETTINGS)
    assert " ".join(argv).endswith(
        "hls/scrub/index.m3u8 -map 0:7 -map_metadata -1 -c:s webvtt -f webvtt hls/subtitles.vtt"
    )


def test_the_encoding_of_a_profile_is_used() -> None:
    encoding = Encoding(
        preset="slow",
        crf=19,
        segment_s=4,
        keyframe_s=4,
        audio_bitrate=96_000,
        segments=SegmentType.FMP4,
        ladder={240: 300_000},
    )
    plan = planned(INFO, encoding)
    argv = all_pictures(plan, SETTINGS)
    assert option(argv, "-preset") == "slow"
    assert option(argv, "-crf") == "19"
    assert option(argv, "-hls_time") == "4"
    assert option(argv, "-force_key_frames") == "expr:gte(t,n_forced*4)"
    assert option(all_sounds(plan, SETTINGS, (), end_s=9.5), "-b:a") == "96000"
    assert option(argv, "-maxrate:v:0") == "300000"
    assert option(argv, "-hls_segment_type") == "fmp4"
    assert option(argv, "-hls_segment_filename") == "hls/%v/seg_%05d.m4s"


def test_threads_are_given_to_the_encoders_of_pictures_only() -> None:
    assert option(all_pictures(PLAN, replace(SETTINGS, encoder_threads=1)), "-threads:v") == "1"


def test_no_text_of_the_source_or_the_host_reaches_the_arguments() -> None:
    hostile = "-i $(touch x)\n%d:'\""
    video = replace(INFO.video, codec=hostile)
    video = replace(video, colour=replace(video.colour, matrix=hostile, primaries=hostile))
    info = replace(
        INFO,
        container=hostile,
        video=video,
        sounds=(AudioStream(index=0, codec=hostile, language=hostile),),
        bitmap_subtitles=(hostile,),
    )
    plan = replace(planned(info), scratch=Path("/tmp") / hostile)  # noqa: S108
    argv = [*all_pictures(plan, SETTINGS), *all_sounds(plan, SETTINGS, (), end_s=9.5)]
    assert not any(part in word for word in argv for part in ("touch", "\n", "%d:", "'"))

from dataclasses import replace
from pathlib import Path

from tests.support.plans import INFO, PLAN, planned
from vworker.media.command_line import command_line
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.filters import filter_graphs
from vworker.media.plan import MAX_SOUNDS
from vworker.media.settings import MediaSettings
from vworker.media.source import AudioStream, SubtitleStream

SETTINGS = MediaSettings()


def option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_the_whole_command_line() -> None:
    argv = command_line(PLAN, SETTINGS)
    for graph in filter_graphs(PLAN):
        argv[argv.index(graph)] = "GRAPH"
    stream_map = argv.index("-var_stream_map") + 1
    assert (
        argv[stream_map] == "v:0,agroup:a,name:480p v:1,agroup:a,name:360p a:0,agroup:a,name:audio"
    )
    argv[stream_map] = "MAP"
    assert " ".join(argv) == (
        "ffmpeg -hide_banner -nostdin -y -loglevel warning -progress pipe:1 -stats_period 0.5"
        " -max_error_rate 1 -protocol_whitelist file"
        " -format_whitelist mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,"
        "gif,h264,hevc"
        " -max_pixels 35651584 -max_streams 64 -i file:source.bin"
        " -filter_complex GRAPH -filter_complex GRAPH"
        " -map [v0] -map [v1] -map [a0] -map_metadata -1 -map_chapters -1"
        " -c:v libx264 -preset veryfast -profile:v high -crf 23 -flags +cgop"
        " -maxrate:v:0 1400000 -bufsize:v:0 2100000 -maxrate:v:1 800000 -bufsize:v:1 1200000"
        " -force_key_frames expr:gte(t,n_forced*2) -sc_threshold 0"
        " -c:a aac -b:a 128000 -ac 2 -ar 48000 -max_muxing_queue_size 1024"
        " -shortest -shortest_buf_duration 2"
        " -f hls -hls_time 6 -hls_playlist_type vod -hls_list_size 0"
        " -hls_flags independent_segments+temp_file -var_stream_map MAP"
        " -hls_segment_filename hls/%v/seg_%05d.ts hls/%v/index.m3u8"
        " -map [scrub] -map_metadata -1 -map_chapters -1"
        " -c:v libx264 -preset veryfast -profile:v high -crf 23 -g 1 -threads:v 1"
        " -maxrate:v 800000 -bufsize:v 1200000"
        " -f hls -hls_time 6 -hls_playlist_type vod -hls_list_size 0"
        " -hls_flags independent_segments+temp_file"
        " -hls_segment_filename hls/scrub/seg_%05d.ts hls/scrub/index.m3u8"
    )


def test_a_silent_source_maps_no_sound() -> None:
    silent = planned(replace(INFO, sounds=()))
    argv = command_line(silent, SETTINGS)
    assert "-c:a" not in argv
    assert option(argv, "-var_stream_map") == "v:0,name:480p v:1,name:360p"
    assert silent.names == ("480p", "360p", "scrub")


def test_every_sound_track_becomes_a_rendition_up_to_a_limit() -> None:
    sounds = tuple(AudioStream(index=n, codec="aac", language=None) for n in range(2, 40))
    argv = command_line(planned(replace(INFO, sounds=sounds)), SETTINGS)
    entries = option(argv, "-var_stream_map").split()[2:]
    assert entries[:2] == ["a:0,agroup:a,name:audio", "a:1,agroup:a,name:audio-2"]
    assert len(entries) == MAX_SOUNDS


def test_text_subtitles_are_written_beside_the_renditions() -> None:
    track = SubtitleStream(index=7, codec="subrip", language="deu")
    argv = command_line(planned(replace(INFO, subtitles=(track,))), SETTINGS)
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
    argv = command_line(planned(INFO, encoding), SETTINGS)
    assert option(argv, "-preset") == "slow"
    assert option(argv, "-crf") == "19"
    assert option(argv, "-hls_time") == "4"
    assert option(argv, "-force_key_frames") == "expr:gte(t,n_forced*4)"
    assert option(argv, "-b:a") == "96000"
    assert option(argv, "-maxrate:v:0") == "300000"
    assert option(argv, "-hls_segment_type") == "fmp4"
    assert option(argv, "-hls_segment_filename") == "hls/%v/seg_%05d.m4s"


def test_threads_are_given_to_the_encoders_of_pictures_only() -> None:
    assert option(command_line(PLAN, replace(SETTINGS, encoder_threads=1)), "-threads:v") == "1"


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
    argv = command_line(replace(planned(info), scratch=Path("/tmp") / hostile), SETTINGS)  # noqa: S108
    assert not any(part in word for word in argv for part in ("touch", "\n", "%d:", "'"))

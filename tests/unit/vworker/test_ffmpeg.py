from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from vworker.media.ffmpeg import EncodePlan, command_line, filter_graph
from vworker.media.ladder import choose_rungs
from vworker.media.probe import AudioStream, SourceInfo, VideoStream
from vworker.media.settings import MediaSettings

INFO = SourceInfo(
    container="mov",
    container_duration_s=3.0,
    video=VideoStream(
        index=1, codec="h264", width=854, height=480, frame_rate=Fraction(25), duration_s=3.0
    ),
    audio=AudioStream(index=0, codec="aac", language="eng"),
)
PLAN = EncodePlan(scratch=Path("/scratch/a"), info=INFO, rungs=choose_rungs(854, 480))


def test_the_whole_command_line() -> None:
    argv = command_line(PLAN, MediaSettings())
    stream_map = argv.index("-var_stream_map") + 1
    assert argv[stream_map] == (
        "v:0,agroup:a,name:480p v:1,agroup:a,name:360p a:0,agroup:a,name:audio,default:yes"
    )
    argv[stream_map] = "MAP"
    assert " ".join(argv) == (
        "ffmpeg -hide_banner -nostdin -y -loglevel warning -progress pipe:1 -stats_period 0.5"
        " -protocol_whitelist file"
        " -format_whitelist mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,"
        "gif,h264,hevc"
        " -max_pixels 35651584 -max_streams 64 -i file:source.bin"
        " -filter_complex [0:1]fps=25/1,scale=854:480:flags=lanczos,setsar=1,format=yuv420p,"
        "split=2[v0][s0];[s0]scale=640:360:flags=lanczos,setsar=1[v1]"
        " -map [v0] -map [v1] -map 0:0 -sn -dn -map_metadata -1 -map_chapters -1"
        " -c:v libx264 -preset veryfast -profile:v high -pix_fmt yuv420p -crf 23 -flags +cgop"
        " -maxrate:v:0 1400000 -bufsize:v:0 2100000 -maxrate:v:1 800000 -bufsize:v:1 1200000"
        " -force_key_frames expr:gte(t,n_forced*2) -sc_threshold 0"
        " -c:a aac -b:a 128000 -ac 2 -ar 48000 -max_muxing_queue_size 1024"
        " -f hls -hls_time 6 -hls_playlist_type vod -hls_list_size 0"
        " -hls_flags independent_segments+temp_file -var_stream_map MAP"
        " -hls_segment_filename hls/%v/seg_%05d.ts hls/%v/index.m3u8"
    )


def test_a_silent_source_maps_no_sound() -> None:
    silent = replace(PLAN, info=replace(INFO, audio=None))
    argv = command_line(silent, MediaSettings())
    assert "-c:a" not in argv
    assert argv[argv.index("-var_stream_map") + 1] == "v:0,name:480p v:1,name:360p"
    assert silent.names == ("480p", "360p")


def test_a_frame_rate_above_sixty_is_lowered() -> None:
    fast = replace(PLAN, info=replace(INFO, video=replace(INFO.video, frame_rate=Fraction(1000))))
    assert filter_graph(fast).startswith("[0:1]fps=60/1,")


def test_an_unknown_frame_rate_becomes_thirty() -> None:
    unknown = replace(PLAN, info=replace(INFO, video=replace(INFO.video, frame_rate=None)))
    assert filter_graph(unknown).startswith("[0:1]fps=30/1,")


def test_a_single_rung_needs_no_split() -> None:
    assert filter_graph(replace(PLAN, rungs=choose_rungs(320, 240))) == (
        "[0:1]fps=25/1,scale=320:240:flags=lanczos,setsar=1,format=yuv420p[v0]"
    )


def test_no_text_of_the_source_or_the_host_reaches_the_arguments() -> None:
    hostile = "-i $(touch x)\n%d:'\""
    info = SourceInfo(
        container=hostile,
        container_duration_s=1.0,
        video=replace(INFO.video, codec=hostile),
        audio=AudioStream(index=0, codec=hostile, language=hostile),
    )
    plan = replace(PLAN, info=info, scratch=Path("/tmp") / hostile)  # noqa: S108 - only a name
    assert command_line(plan, MediaSettings()) == command_line(PLAN, MediaSettings())

"""A video that is played through the API before it is finished."""

from pathlib import Path

from tests.support.clips import Clips
from tests.support.service import Service
from vworker.media.hls import parse_media_playlist


async def test_a_video_can_be_played_while_it_is_processed(service: Service, clips: Clips) -> None:
    await service.start_api()
    await service.start_worker(
        WORKER_EARLY_PLAYBACK="on",
        WORKER_PRESET="medium",
        WORKER_SEGMENT_SECONDS="1",
        WORKER_KEYFRAME_SECONDS="1",
    )
    video_id = await service.submit(clips.long())
    early = await service.video_when(video_id, lambda video: bool(video["playlist"]))
    assert early["status"] == "processing"
    assert early["renditions"] == []
    media = early["playlist"].replace("master.m3u8", "720p/index.m3u8")
    growing = (await service.http.get(media)).text
    assert "TYPE:EVENT" in growing
    listed = parse_media_playlist(growing)
    segment = await service.http.get(media.replace("index.m3u8", listed.segments[-1].uri))
    assert segment.status_code == 200

    done = await service.finished(video_id)
    assert (done["status"], done["playlist"]) == ("completed", early["playlist"])
    text = (await service.http.get(media)).text
    assert "TYPE:VOD" in text
    assert len(parse_media_playlist(text).segments) == 15


async def test_a_video_that_fails_its_check_is_taken_back_from_who_plays_it(
    service: Service, clips: Clips, tmp_path: Path
) -> None:
    seen, encoder = tmp_path / "seen", tmp_path / "ffmpeg"
    # An FFmpeg that ends when somebody has seen the video, and then gives three packets, one after
    # another, the same continuity counter. Only an encode does: the worker tries the program first.
    encoder.write_text(
        f'#!/bin/sh\n"{service.environ["FFMPEG"]}" "$@" || exit\n'
        'case "$*" in *libx264*) ;; *) exit 0;; esac\n'
        f'while [ ! -e "{seen}" ]; do sleep 0.05; done\n'
        "for packet in 10 11 12; do\n"
        "    printf '\\025' | dd of=hls/480p/seg_00001.ts bs=1 seek=$((packet * 188 + 3))"
        " conv=notrunc 2>/dev/null\n"
        "done\n"
    )
    encoder.chmod(0o755)
    await service.start_api()
    # Its marker is no file that a confined encoder could see.
    await service.start_worker(
        FFMPEG=str(encoder),
        WORKER_SANDBOX="rlimits",
        WORKER_EARLY_PLAYBACK="on",
        WORKER_SEGMENT_SECONDS="1",
        WORKER_KEYFRAME_SECONDS="1",
    )
    video_id = await service.submit(clips.standard())
    early = await service.video_when(video_id, lambda video: bool(video["playlist"]))
    segment = early["playlist"].replace("master.m3u8", "480p/seg_00000.ts")
    answer = await service.http.get(segment)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    seen.touch()

    waiting = await service.video_when(video_id, lambda video: video["status"] == "queued")
    assert waiting["last_error"]["code"] == "output_invalid"
    assert waiting["playlist"] is None
    assert (await service.http.get(early["playlist"])).status_code == 404
    assert (await service.http.get(segment)).status_code == 404
    assert await service.keys(f"videos/{video_id}/") == []

    failed = await service.finished(video_id)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "output_invalid")
    assert "apple-7.2" in failed["error"]["message"]
    assert failed["playlist"] is None
    assert (await service.http.get(early["playlist"])).status_code == 404
    assert await service.keys(f"videos/{video_id}/") == []

"""A video that is played through the API before it is finished."""

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

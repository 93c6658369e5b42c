"""Pictures and sounds of one encode, made by two processes, with a real FFmpeg."""

from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.encoded import Encoded
from vworker.media.encode import encode
from vworker.media.encoding import Encoding
from vworker.media.ffmpeg import prepare_folders
from vworker.media.plan import SOURCE_NAME, make_plan, segment_name
from vworker.media.probe import probe
from vworker.media.settings import MediaSettings
from vworker.media.sounds import encode_sounds

FAST = Encoding(preset="ultrafast", segment_s=1, keyframe_s=1)


@pytest.mark.parametrize(
    ("announced", "anew"), [(b"03.000", False), (b"03.400", True), (b"02.600", True)]
)
async def test_sounds_end_where_the_pictures_do_whatever_the_source_announces(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path, announced: bytes, anew: bool
) -> None:
    data = clips.tagged().read_bytes()
    assert data.count(b"00:00:03.000000000") == 1
    source = tmp_path / SOURCE_NAME
    source.write_bytes(data.replace(b"00:00:03.000", b"00:00:" + announced))
    plan = make_plan(tmp_path, await probe(source, media_settings), FAST)
    prepare_folders(plan)
    outcome = await encode(plan, media_settings, lambda progress: None)
    assert outcome.sounds_made_anew == anew
    measured = Encoded(plan=plan, settings=media_settings).measured()
    assert measured["360p"].playlist.duration_s == pytest.approx(3.0, abs=0.001)
    assert measured["audio"].playlist.duration_s == pytest.approx(3.0, abs=0.05)


async def test_sounds_that_end_sooner_leave_no_segment_of_those_before(
    clips: Clips, media_settings: MediaSettings, tmp_path: Path
) -> None:
    source = tmp_path / SOURCE_NAME
    source.write_bytes(clips.tagged().read_bytes())
    plan = make_plan(tmp_path, await probe(source, media_settings), FAST)
    prepare_folders(plan)
    for end_s, left in ((3.0, 4), (1.5, 2)):
        await encode_sounds(plan, media_settings, end_s=end_s)
        names = {path.name for path in (plan.output / "audio").glob("seg_*")}
        assert names == {segment_name(number) for number in range(left)}

from vworker.media.capabilities import ask_ffmpeg
from vworker.media.settings import MediaSettings


async def test_the_ffmpeg_of_the_tests_has_all_that_is_needed(
    media_settings: MediaSettings,
) -> None:
    found = await ask_ffmpeg(media_settings)
    assert found.missing == ()
    assert found.version != "of unknown version"

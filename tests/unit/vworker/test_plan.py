from dataclasses import replace

import pytest

from tests.support.plans import INFO, PLAN, planned
from vworker.media.languages import language_name, language_tag
from vworker.media.plan import MAX_SUBTITLES
from vworker.media.source import AudioStream, SubtitleStream


def sounds(*tracks: tuple[str | None, bool]) -> list[tuple[str, str, str | None, bool]]:
    streams = tuple(
        AudioStream(index=number, codec="aac", language=language, default=default)
        for number, (language, default) in enumerate(tracks)
    )
    plan = planned(replace(INFO, sounds=streams))
    return [(sound.folder, sound.name, sound.language, sound.default) for sound in plan.sounds]


def test_sounds_are_named_by_their_language() -> None:
    assert sounds(("eng", False), ("ger", True), ("deu", False), (None, False), ("gsw", False)) == [
        ("audio", "English", "en", False),
        ("audio-2", "German", "de", True),
        ("audio-3", "German 2", "de", False),
        ("audio-4", "Audio", None, False),
        ("audio-5", "gsw", "gsw", False),
    ]


def test_one_sound_is_the_default_however_many_the_file_marks() -> None:
    assert [sound[3] for sound in sounds(("eng", True), ("fra", True))] == [True, False]
    assert [sound[3] for sound in sounds(("eng", False), ("fra", False))] == [True, False]


def test_names_of_any_tracks_are_unique() -> None:
    names = [name for _, name, _, _ in sounds(*[(None, False)] * 3, *[("eng", False)] * 3)]
    assert len(set(names)) == 6


@pytest.mark.parametrize(
    ("language", "title", "name"),
    [
        ("eng", "Director's commentary", "English: Director's commentary"),
        ("eng", "English (5.1)", "English (5.1)"),
        ("und", "Commentary", "Commentary"),
        ("deu", 'a "b"\r\n#EXT-X-ENDLIST\x00', "German: a 'b' #EXT-X-ENDLIST"),
        (None, "\u202egnp.exe\u200b {$x}", "gnp.exe ($x}"),
        (None, "\ud800 \n", "Audio"),
        (None, "x" * 1000, "x" * 60),
    ],
)
def test_a_title_is_shown_as_far_as_it_does_no_harm(
    language: str | None, title: str, name: str
) -> None:
    stream = AudioStream(index=0, codec="aac", language=language, title=title)
    (sound,) = planned(replace(INFO, sounds=(stream,))).sounds
    assert sound.name == name


def test_a_title_that_looks_like_a_number_of_ours_is_no_name_twice() -> None:
    streams = tuple(
        SubtitleStream(index=n, codec="srt", language=None, title=title)
        for n, title in enumerate(["A", "A 2", "A", "A"])
    )
    names = [track.name for track in planned(replace(INFO, subtitles=streams)).subtitles]
    assert names == ["A", "A 2", "A 3", "A 4"]


def test_subtitles_are_named_like_sounds_and_limited() -> None:
    tracks = tuple(
        SubtitleStream(index=n, codec="subrip", language="fre", forced=n == 1) for n in range(40)
    )
    subtitles = planned(replace(INFO, subtitles=tracks)).subtitles
    assert len(subtitles) == MAX_SUBTITLES
    assert [(s.folder, s.name, s.language, s.forced) for s in subtitles[:2]] == [
        ("subtitles", "French", "fr", False),
        ("subtitles-2", "French 2", "fr", True),
    ]


def test_a_plan_lasts_to_the_end_of_the_pictures() -> None:
    assert PLAN.duration_s == 3.0
    late = planned(replace(INFO, video=replace(INFO.video, start_s=1.5)))
    assert late.duration_s == 4.5
    unknown = planned(replace(INFO, video=replace(INFO.video, duration_s=None)))
    assert unknown.duration_s is None


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("de", "de"),
        ("gsw", "gsw"),
        ("und", None),
        ("mul", None),
        ("qaa", None),
        (None, None),
    ],
)
def test_a_code_becomes_the_shortest_tag(code: str | None, tag: str | None) -> None:
    assert language_tag(code) == tag


def test_rare_languages_are_named_by_their_tag() -> None:
    assert language_name("nb") == "Norwegian Bokmål"
    assert language_name("gsw") == "gsw"
    assert language_tag("por-BR") == "pt-BR"
    assert language_name("pt-BR") == "Portuguese (BR)"

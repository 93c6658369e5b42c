"""The whole corpus."""

from tests.corpus import bombs, colours, footage, hostile, shapes, tracks

CASES = [*colours.CASES, *shapes.CASES, *tracks.CASES, *hostile.CASES, *bombs.CASES, *footage.CASES]

#: Those whose clocks, tracks or pictures could come out differently in fragmented MP4.
FRAGMENTED = [
    case
    for case in CASES
    if case.name
    in {
        *("plain", "late_picture", "late_sound", "negative_clock_matroska"),
        *("resized_in_mid_stream", "pal_576i", "text_subtitles", "two_pictures"),
    }
]

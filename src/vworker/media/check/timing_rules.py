"""Rules on durations: of segments, of renditions, of pictures against sound and source."""

from __future__ import annotations

from collections.abc import Iterator

from vworker.media.check.presentation import Presentation, Rendition, SubtitleRendition
from vworker.media.check.rules import Finding, broken
from vworker.media.truncation import earliest_end_s

_TOO_LONG_S = 0.5
#: Two frames of AAC: encoders put one in front, and fill the last one up.
_SOUND_S = 0.05
_ALIGNED_S = 0.001
_USUAL_S = (5.0, 7.0)


def check_timing(found: Presentation, source_s: float | None) -> Iterator[Finding]:
    """Test all durations; `source_s` is that of the source's pictures, None when unknown."""
    pictures = [rendition for _, rendition in found.variants()]
    sounds = found.audio()
    for rendition in (*pictures, *sounds):
        yield from _check_extinf(rendition)
    yield from _check_alignment(pictures)
    for variant, picture in found.variants():
        if variant.audio is not None:
            for sound in found.audio(variant.audio):
                yield from _check_sound(picture, sound)
    for picture in pictures[:1]:
        for subtitles in found.subtitles.values():
            yield from _check_subtitles(picture, subtitles)
    for rendition in pictures:
        if source_s is not None and rendition.total_s < earliest_end_s(source_s):
            yield broken(
                "vqueue-1",
                rendition.uri,
                f"it lasts {rendition.total_s:.2f} s, the source's pictures {source_s:.2f} s",
            )


def _check_extinf(rendition: Rendition) -> Iterator[Finding]:
    frame_s = rendition.frame_s or _SOUND_S
    durations_s = rendition.durations_s
    target = rendition.listing.target_duration_s
    for listed, measured in zip(rendition.listing.segments, durations_s, strict=True):
        where = f"{rendition.uri}: {listed.uri}"
        if measured > target + _TOO_LONG_S:
            yield broken("apple-7.7", where, f"it lasts {measured:.3f} s, the target is {target:g}")
        if abs(listed.duration_s - measured) > frame_s:
            yield broken(
                "apple-8.1", where, f"EXTINF is {listed.duration_s:.3f}, measured: {measured:.3f} s"
            )
    told = sum(listed.duration_s for listed in rendition.listing.segments)
    if abs(told - rendition.total_s) > frame_s:
        yield broken(
            "apple-8.1",
            rendition.uri,
            f"all EXTINF together are {told:.3f} s, measured were {rendition.total_s:.3f} s",
        )
    usual = durations_s[:-1]
    if usual and not _USUAL_S[0] <= sum(usual) / len(usual) <= _USUAL_S[1]:
        mean = sum(usual) / len(usual)
        yield broken("apple-7.5", rendition.uri, f"its segments last {mean:.2f} s in the mean")


def _check_alignment(pictures: list[Rendition]) -> Iterator[Finding]:
    for rendition in pictures[1:]:
        first = pictures[0]
        if len(rendition.spans) != len(first.spans):
            yield broken(
                "rfc-6.2.4",
                rendition.uri,
                f"it has {len(rendition.spans)} segments, {first.uri} has {len(first.spans)}",
            )
            continue
        pairs = zip(rendition.listing.segments, rendition.spans, first.spans, strict=True)
        for listed, span, other in pairs:
            if abs(span.start_s - other.start_s) > _ALIGNED_S:
                yield broken(
                    "rfc-6.2.4",
                    f"{rendition.uri}: {listed.uri}",
                    f"it begins {span.start_s - other.start_s:+.3f} s off that of {first.uri}",
                )
                break
        off_s = rendition.spans[-1].end_s - first.spans[-1].end_s
        if abs(off_s) > (first.frame_s or 0.0) + _ALIGNED_S:
            yield broken("rfc-6.2.4", rendition.uri, f"it ends {off_s:+.3f} s off {first.uri}")


def _check_sound(picture: Rendition, sound: Rendition) -> Iterator[Finding]:
    allowed = (picture.frame_s or 0.0) + _SOUND_S
    if sound.listing.target_duration_s != picture.listing.target_duration_s:
        yield broken(
            "apple-8.2",
            sound.uri,
            f"its target duration is {sound.listing.target_duration_s:g} s, that of "
            f"{picture.uri} {picture.listing.target_duration_s:g} s",
        )
    if abs(sound.total_s - picture.total_s) > allowed:
        yield broken(
            "apple-8.3",
            sound.uri,
            f"it lasts {sound.total_s:.3f} s, the pictures {picture.total_s:.3f} s",
        )
    start_s = sound.spans[0].start_s - picture.spans[0].start_s
    if abs(start_s) > allowed:
        yield broken("apple-8.7", sound.uri, f"it begins {start_s:+.3f} s off the pictures")
    pairs = zip(sound.listing.segments, sound.spans, picture.spans, strict=False)
    for listed, span, other in pairs:
        if abs(span.start_s - other.start_s) > allowed:
            yield broken(
                "apple-8.22",
                f"{sound.uri}: {listed.uri}",
                f"it begins {span.start_s - other.start_s:+.3f} s off the pictures' segment",
            )
            break


def _check_subtitles(picture: Rendition, subtitles: SubtitleRendition) -> Iterator[Finding]:
    """Their texts tell no end of a segment: the playlist's durations are what there is."""
    listing = subtitles.listing
    if listing.target_duration_s != picture.listing.target_duration_s:
        yield broken(
            "apple-8.2",
            subtitles.uri,
            f"its target duration is {listing.target_duration_s:g} s, that of {picture.uri} "
            f"{picture.listing.target_duration_s:g} s",
        )
    told_s = sum(segment.duration_s for segment in listing.segments)
    if abs(told_s - picture.total_s) > (picture.frame_s or 0.0) + _SOUND_S:
        yield broken(
            "apple-8.3",
            subtitles.uri,
            f"it lasts {told_s:.3f} s, the pictures {picture.total_s:.3f} s",
        )

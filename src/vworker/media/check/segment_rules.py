"""Rules on what is in the segments: codecs, IDR pictures, continuity."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from vworker.media.check.presentation import Presentation, Rendition, SubtitleRendition
from vworker.media.check.rules import Finding, broken
from vworker.media.h264 import VideoFormat, lowest_level
from vworker.media.segment import Kind, SegmentFacts

_HIGH_PROFILE = 100
#: Baseline, Main and High; Extended and the profiles above High are not played.
_PLAYED_PROFILES = {66, 77, _HIGH_PROFILE}
_HIGHEST_LEVEL, _COMMON_LEVEL = 52, 41
_MAX_FRAME_RATE = 60.5
_STEREO = 2
#: AAC-LC, HE-AAC, HE-AAC v2.
_AAC_TYPES = {2, 5, 29}
_IDR_EVERY_S = 2.05
#: How far time stamps of sound and pictures may be off at a seam.
_SOUND_SEAM_S = 0.03
_SEAM_S = 0.001


def check_segments(found: Presentation) -> Iterator[Finding]:
    """Test every segment, and every seam between two."""
    for rendition in found.renditions.values():
        yield from _check_formats(rendition)
        yield from _check_starts(rendition)
        yield from _check_counters(rendition)
        yield from _check_clock(rendition)
    yield from _check_sound(found)
    for subtitles in found.subtitles.values():
        yield from _check_subtitles(subtitles)


def _segments(rendition: Rendition) -> Iterator[tuple[str, SegmentFacts]]:
    for listed, segment in zip(rendition.listing.segments, rendition.segments, strict=True):
        yield f"{rendition.uri}: {listed.uri}", segment


def _check_formats(rendition: Rendition) -> Iterator[Finding]:
    rate = 1 / rendition.frame_s if rendition.frame_s else None
    if rate is not None and rate > _MAX_FRAME_RATE:
        yield broken("apple-1.19", rendition.uri, f"it has {rate:.2f} pictures a second")
    told: set[VideoFormat] = set()
    for where, segment in _segments(rendition):
        if len(segment.of_kind(Kind.AUDIO)) > 1:
            yield broken("apple-2.17", where, "it has several streams of sound")
        for track in segment.of_kind(Kind.VIDEO):
            if track.video is not None and track.video not in told:
                told.add(track.video)
                yield from _check_format(where, track.video, rate, rendition.rates.peak)


def _check_format(
    where: str, video: VideoFormat, rate: float | None, peak: int
) -> Iterator[Finding]:
    if video.profile not in _PLAYED_PROFILES or video.level > _HIGHEST_LEVEL:
        yield broken("apple-1.3b", where, f"it is {video.codec}")
    elif video.level > _COMMON_LEVEL:
        yield broken("apple-1.3a", where, f"it has level {video.level / 10:g}")
    if video.profile != _HIGH_PROFILE:
        yield broken("apple-1.4", where, f"it is {video.codec}")
    if not video.progressive:
        yield broken("apple-1.14", where, "its pictures may be coded as fields")
    if rate is not None:
        enough = lowest_level(video.width, video.height, rate, peak)
        if video.level > enough:
            yield broken(
                "apple-1.11",
                where,
                f"it has level {video.level / 10:g}, and {enough / 10:g} suffices",
            )


def _check_starts(rendition: Rendition) -> Iterator[Finding]:
    for where, segment in _segments(rendition):
        if not segment.self_contained:
            yield broken("apple-7.4", where, "it does not start with the tables of its stream")
        for track in segment.of_kind(Kind.VIDEO):
            if not track.starts_with_key:
                yield broken("apple-7.4", where, "its first picture is no IDR picture")
            keys = [frame.pts_s for frame in track.keys]
            gaps = [after - before for before, after in pairwise([*keys, track.last_s])]
            if max(gaps, default=0.0) > _IDR_EVERY_S:
                yield broken(
                    "apple-1.13", where, f"{max(gaps):.2f} s pass from one IDR picture to the next"
                )


def _check_counters(rendition: Rendition) -> Iterator[Finding]:
    for where, segment in _segments(rendition):
        for fault in segment.faults[:1]:
            more = len(segment.faults) - 1
            yield broken("apple-7.2", where, fault + (f", and {more} more" if more else ""))
    for (_, before), (where, after) in pairwise(_segments(rendition)):
        for pid, (first, _) in after.counters.items():
            if pid in before.counters:
                expected = (before.counters[pid][1] + 1) & 15
                if first != expected:
                    yield broken(
                        "apple-7.2",
                        where,
                        f"packet id {pid:#x} begins with counter {first}, not {expected}",
                    )


def _check_clock(rendition: Rendition) -> Iterator[Finding]:
    """Time stamps of decoding rise, and a segment begins where the one before it ended."""
    for where, segment in _segments(rendition):
        for track in segment.tracks:
            if not track.rises:
                yield broken("apple-7.1", where, "its time stamps do not rise")
    allowed = rendition.frame_s / 2 + _SEAM_S if rendition.frame_s else _SOUND_SEAM_S
    names = [listed.uri for listed in rendition.listing.segments]
    for number, (before, after) in enumerate(pairwise(rendition.spans), start=1):
        gap = after.start_s - before.end_s
        if abs(gap) > allowed and not rendition.listing.segments[number].discontinuity:
            yield broken(
                "apple-7.1",
                f"{rendition.uri}: {names[number]}",
                f"it begins {gap:+.3f} s off the end of {names[number - 1]}",
            )


def _check_sound(found: Presentation) -> Iterator[Finding]:
    formats = {
        track.audio
        for rendition in found.renditions.values()
        for segment in rendition.segments
        for track in segment.of_kind(Kind.AUDIO)
        if track.audio is not None
    }
    if formats and not any(
        audio.object_type in _AAC_TYPES and audio.channels == _STEREO for audio in formats
    ):
        held = ", ".join(f"{audio.codec} with {audio.channels} channels" for audio in formats)
        yield broken("apple-2.3", found.master_uri, f"all its sound is {held}")


def _check_subtitles(rendition: SubtitleRendition) -> Iterator[Finding]:
    for listed, text in zip(rendition.listing.segments, rendition.texts, strict=False):
        where = f"{rendition.uri}: {listed.uri}"
        head = text.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
        if not head.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
            yield broken("apple-5.3", where, "it is no WebVTT")
        elif b"X-TIMESTAMP-MAP=" not in head:
            yield broken("apple-5.3", where, "it has no X-TIMESTAMP-MAP")

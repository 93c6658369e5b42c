"""Playlists as the checker reads them: parsed by the package m3u8, turned into typed records.

The parser is another than the code that wrote the playlists, so that they share no mistake. What it
drops in silence is looked for in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import m3u8

from vworker.media.check.files import ByteRange

#: More than a day in segments of a second, with a line of their own for the range of each.
_MOST_LINES = 300_000
#: Far beyond every duration in seconds and every rate; what is larger cannot be calculated with.
_MOST = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedSegment:
    """One entry of a media playlist."""

    uri: str
    duration_s: float
    #: None for the whole file.
    byte_range: ByteRange | None
    discontinuity: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaListing:
    """A media playlist, or an I-frame playlist."""

    text: str
    version: int
    target_duration_s: float
    vod: bool
    ended: bool
    iframes_only: bool
    #: URI of the initialization section, and its part of that file; None for the whole one.
    init_uri: str | None
    init_range: ByteRange | None
    segments: tuple[ListedSegment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedVariant:
    """An EXT-X-STREAM-INF or EXT-X-I-FRAME-STREAM-INF."""

    uri: str
    bandwidth: int
    average_bandwidth: int | None
    codecs: tuple[str, ...]
    resolution: tuple[int, int] | None
    frame_rate: float | None
    audio: str | None
    subtitles: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedMedia:
    """An EXT-X-MEDIA."""

    kind: str
    group: str
    name: str
    language: str | None
    default: bool
    #: None when the rendition is inside the variants' segments.
    uri: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MasterListing:
    """A master playlist."""

    text: str
    version: int
    independent: bool
    variants: tuple[ListedVariant, ...]
    iframes: tuple[ListedVariant, ...]
    media: tuple[ListedMedia, ...]


def read_master(text: str) -> MasterListing:
    """Parse a master playlist. Raises ValueError when it is none."""
    parsed = _parse(text)
    if not parsed.is_variant:
        raise ValueError("it lists no variant")
    return MasterListing(
        text=text,
        version=int(parsed.version or 1),
        independent=bool(parsed.is_independent_segments),
        variants=tuple(_variant(item, item.stream_info) for item in parsed.playlists),
        iframes=tuple(_variant(item, item.iframe_stream_info) for item in parsed.iframe_playlists),
        media=tuple(
            ListedMedia(
                kind=item.type,
                group=item.group_id or "",
                name=item.name or "",
                language=item.language,
                default=item.default == "YES",
                uri=item.uri,
            )
            for item in parsed.media
        ),
    )


def _variant(item: Any, info: Any) -> ListedVariant:
    return ListedVariant(
        uri=item.uri,
        bandwidth=int(info.bandwidth or 0),
        average_bandwidth=info.average_bandwidth and int(info.average_bandwidth),
        codecs=tuple(part.strip() for part in (info.codecs or "").split(",") if part.strip()),
        resolution=_resolution(info.resolution),
        # An I-frame variant has none, and the parser's record no such attribute.
        frame_rate=_positive("FRAME-RATE", getattr(info, "frame_rate", None)),
        audio=getattr(info, "audio", None),
        subtitles=getattr(info, "subtitles", None),
    )


def read_media(text: str) -> MediaListing:
    """Parse a media playlist. Raises ValueError when it is none."""
    parsed = _parse(text)
    target_s = _positive("EXT-X-TARGETDURATION", parsed.target_duration)
    if parsed.is_variant or target_s is None:
        raise ValueError("it has no EXT-X-TARGETDURATION")
    maps = [section for section in parsed.segment_map if section]
    if len({(section.uri, section.byterange) for section in maps}) > 1:
        raise ValueError("it has several EXT-X-MAP, and one is all that is read")
    return MediaListing(
        text=text,
        version=int(parsed.version or 1),
        target_duration_s=target_s,
        vod=parsed.playlist_type == "vod",
        ended=bool(parsed.is_endlist),
        iframes_only=bool(parsed.is_i_frames_only),
        init_uri=maps[0].uri if maps else None,
        init_range=_byte_range(maps[0].byterange, 0) if maps else None,
        segments=tuple(_segments(parsed.segments)),
    )


def _segments(items: Iterable[Any]) -> Iterator[ListedSegment]:
    before: ListedSegment | None = None
    for item in items:
        # A range without an offset goes on behind the one before it, in the same file.
        goes_on = before is not None and before.uri == item.uri and before.byte_range
        before = ListedSegment(
            uri=item.uri,
            duration_s=_positive("EXTINF", item.duration or None) or 0.0,
            byte_range=_byte_range(item.byterange, goes_on.end if goes_on else None),
            discontinuity=bool(item.discontinuity),
        )
        yield before


def _resolution(value: tuple[int, int] | None) -> tuple[int, int] | None:
    if value is not None and min(value) < 1:
        raise ValueError(f"RESOLUTION is {value[0]}x{value[1]}")
    return value


def _positive(name: str, value: float | None) -> float | None:
    """Return a number that one can calculate with. Raises ValueError for any other."""
    if value is not None and not 0 < value <= _MOST:
        raise ValueError(f"{name} is {value}")
    return None if value is None else float(value)


def _byte_range(value: str | None, behind: int | None) -> ByteRange | None:
    """Read a range; one that names no offset begins at `behind`, if that is known."""
    if not value:
        return None
    length, _, offset = value.partition("@")
    offset = offset or str(behind)
    if not (length.isdecimal() and int(length) and offset.isdecimal()):
        raise ValueError(f"EXT-X-BYTERANGE is {value}")
    return ByteRange(offset=int(offset), length=int(length))


def _parse(text: str) -> Any:
    if (lines := len(text.splitlines())) > _MOST_LINES:
        raise ValueError(f"it has {lines} lines, and at most {_MOST_LINES} are read")
    try:
        return m3u8.loads(text)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The parser has an exception of its own for some faults and falls over others.
        raise ValueError(f"it cannot be parsed: {error}") from error

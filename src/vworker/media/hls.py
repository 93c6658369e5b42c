"""Media playlists: reading FFmpeg's, writing ours, and the rates of what they list.

FFmpeg's playlists only tell which segments there are. Ours hold what was measured on the segments:
durations from time stamps, one target duration for all renditions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: EXT-X-MAP outside of I-frame playlists came with version 6 (RFC 8216 7).
VERSION = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One entry of a media playlist."""

    uri: str
    duration_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaPlaylist:
    """One rendition's list of segments."""

    target_duration_s: int
    segments: tuple[Segment, ...]
    #: Whether EXT-X-ENDLIST says that nothing more comes.
    ended: bool
    #: Of the initialization section; None for transport streams.
    init_uri: str | None = None

    @property
    def duration_s(self) -> float:
        """Sum of the segments' durations in seconds."""
        return round(sum(segment.duration_s for segment in self.segments), 6)


@dataclass(frozen=True, kw_only=True, slots=True)
class IFrame:
    """One entry of an I-frame playlist: a range of bytes that holds one picture."""

    uri: str
    #: Seconds up to the next one.
    duration_s: float
    offset: int
    length: int


def parse_media_playlist(text: str) -> MediaPlaylist:
    """Read a media playlist; pure. Raises ValueError with the line that is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != "#EXTM3U":
        raise ValueError("a playlist starts with #EXTM3U")
    target: int | None = None
    duration: float | None = None
    init_uri: str | None = None
    segments = []
    for line in lines[1:]:
        if found := re.fullmatch(r"#EXT-X-TARGETDURATION:(\d{1,9})", line):
            target = int(found[1])
        elif found := re.fullmatch(r"#EXTINF:(\d{1,9}(?:\.\d{1,9})?),.*", line):
            duration = float(found[1])
        elif found := re.fullmatch(r'#EXT-X-MAP:URI="([^"]+)"', line):
            init_uri = found[1]
        elif line.startswith("#EXTINF"):
            raise ValueError(f"no duration in {line!r}")
        elif not line.startswith("#"):
            if duration is None:
                raise ValueError(f"no #EXTINF before {line!r}")
            segments.append(Segment(uri=line, duration_s=duration))
            duration = None
    if target is None:
        raise ValueError("no #EXT-X-TARGETDURATION")
    if duration is not None:
        raise ValueError("no segment after the last #EXTINF")
    return MediaPlaylist(
        target_duration_s=target,
        segments=tuple(segments),
        ended="#EXT-X-ENDLIST" in lines,
        init_uri=init_uri,
    )


def target_duration(durations_s: Iterable[float]) -> int:
    """Return the target duration for segments of these durations, at least 1 second.

    RFC 8216 (4.3.3.1) rounds a duration to the nearest integer before it compares.
    """
    return max(1, *(int(duration_s + 0.5) for duration_s in durations_s))


def write_media_playlist(playlist: MediaPlaylist) -> str:
    """Return the text of a finished rendition's playlist; pure."""
    lines = _head(playlist.target_duration_s, playlist.init_uri)
    for segment in playlist.segments:
        lines += [f"#EXTINF:{segment.duration_s:.6f},", segment.uri]
    return _text(lines)


def write_event_playlist(playlist: MediaPlaylist) -> str:
    """Return the text of the playlist of a rendition that still grows; pure."""
    lines = _head(playlist.target_duration_s, playlist.init_uri, kind="EVENT")
    for segment in playlist.segments:
        lines += [f"#EXTINF:{segment.duration_s:.6f},", segment.uri]
    return "\n".join(lines) + "\n"


def write_iframe_playlist(iframes: Sequence[IFrame], init_uri: str | None) -> str:
    """Return the text of an I-frame playlist; pure.

    Transport streams need no EXT-X-MAP: their tables stand before a segment's first I-frame
    (RFC 8216 4.3.3.6).
    """
    lines = _head(target_duration(iframe.duration_s for iframe in iframes), init_uri)
    lines.insert(-1 if init_uri is not None else len(lines), "#EXT-X-I-FRAMES-ONLY")
    for iframe in iframes:
        lines += [
            f"#EXTINF:{iframe.duration_s:.6f},",
            f"#EXT-X-BYTERANGE:{iframe.length}@{iframe.offset}",
            iframe.uri,
        ]
    return _text(lines)


def _head(target_duration_s: int, init_uri: str | None, *, kind: str = "VOD") -> list[str]:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{kind}",
    ]
    return lines if init_uri is None else [*lines, f'#EXT-X-MAP:URI="{init_uri}"']


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Bits per second of one rendition, container overhead included."""

    #: Of the densest run of segments that lasts 0.5 to 1.5 target durations (RFC 8216bis 4.4.6.2).
    peak: int
    average: int


def measure_rates(playlist: MediaPlaylist, sizes_bytes: Sequence[int]) -> Rates:
    """Return the rates of a rendition whose segments have these sizes; pure.

    A rendition shorter than half a target duration has no such run: its mean is its peak.
    """
    return rates_of(
        [segment.duration_s for segment in playlist.segments],
        sizes_bytes,
        playlist.target_duration_s,
    )


#: By how much two who measure the same segment may differ, in seconds. A run that ends right at a
#: limit (the last 3 s of 9 s, in segments of 6 s) must count for the writer and the checker alike.
_CLOCK_S = 0.001


def rates_of(
    durations_s: Sequence[float], sizes_bytes: Sequence[int], target_duration_s: int
) -> Rates:
    """Return the rates of segments with these durations and sizes; see `measure_rates`."""
    total_s = sum(durations_s)
    average = 8 * sum(sizes_bytes) / total_s if total_s > 0 else 0.0
    shortest = 0.5 * target_duration_s - _CLOCK_S
    longest = 1.5 * target_duration_s + _CLOCK_S
    peak = average
    for start in range(len(sizes_bytes)):
        run_bytes, run_s = 0, 0.0
        for number in range(start, len(sizes_bytes)):
            run_bytes += sizes_bytes[number]
            run_s += durations_s[number]
            if run_s > longest:
                break
            if run_s >= shortest and run_s > 0:
                peak = max(peak, 8 * run_bytes / run_s)
    return Rates(peak=round(peak), average=round(average))

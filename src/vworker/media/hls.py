"""HLS playlists: reading the media playlists of FFmpeg, measuring rates, writing the master.

FFmpeg's own master playlist is not used: its BANDWIDTH comes from the settings (up to 49 % off)
and it lacks FRAME-RATE and INDEPENDENT-SEGMENTS. Ours holds what was measured on the segments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SPS = re.compile(rb"\x00\x00\x01[\x67\x47\x27](...)", re.DOTALL)
#: FFmpeg's AAC encoder makes the low-complexity profile only.
AAC_CODEC = "mp4a.40.2"


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

    @property
    def duration_s(self) -> float:
        """Sum of the segments' durations in seconds."""
        return round(sum(segment.duration_s for segment in self.segments), 6)


def parse_media_playlist(text: str) -> MediaPlaylist:
    """Read a media playlist; pure. Raises ValueError with the line that is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != "#EXTM3U":
        raise ValueError("a playlist starts with #EXTM3U")
    target: int | None = None
    duration: float | None = None
    segments = []
    for line in lines[1:]:
        if found := re.fullmatch(r"#EXT-X-TARGETDURATION:(\d{1,9})", line):
            target = int(found[1])
        elif found := re.fullmatch(r"#EXTINF:(\d{1,9}(?:\.\d{1,9})?),.*", line):
            duration = float(found[1])
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
        target_duration_s=target, segments=tuple(segments), ended="#EXT-X-ENDLIST" in lines
    )


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
    total_s = playlist.duration_s
    average = 8 * sum(sizes_bytes) / total_s if total_s > 0 else 0.0
    shortest, longest = 0.5 * playlist.target_duration_s, 1.5 * playlist.target_duration_s
    peak = average
    for start in range(len(sizes_bytes)):
        run_bytes, run_s = 0, 0.0
        for number in range(start, len(sizes_bytes)):
            run_bytes += sizes_bytes[number]
            run_s += playlist.segments[number].duration_s
            if run_s > longest:
                break
            if run_s >= shortest and run_s > 0:
                peak = max(peak, 8 * run_bytes / run_s)
    return Rates(peak=round(peak), average=round(average))


def avc_codec(segment: bytes) -> str:
    """Return the RFC 6381 string of the H.264 in a segment's first bytes, e.g. "avc1.640028".

    It is read from the sequence parameter set, which starts every segment of ours. Raises
    ValueError when there is none.
    """
    found = _SPS.search(segment)
    if found is None:
        raise ValueError("no H.264 sequence parameter set at the segment's start")
    return f"avc1.{found[1].hex()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One rung as the master playlist shows it."""

    uri: str
    width: int
    height: int
    frame_rate: float
    codecs: str
    rates: Rates


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioTrack:
    """The sound as the master playlist shows it."""

    uri: str
    name: str
    language: str | None
    codecs: str
    rates: Rates


def write_master(variants: Sequence[Variant], audio: AudioTrack | None) -> str:
    """Return the master playlist; pure.

    A variant's rates include the sound's, since a player loads both.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if audio is not None:
        language = f',LANGUAGE="{_quotable(audio.language)}"' if audio.language else ""
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="{_quotable(audio.name)}"{language}'
            f',DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="{_quotable(audio.uri)}"'
        )
    for variant in variants:
        peak, average, codecs = variant.rates.peak, variant.rates.average, variant.codecs
        if audio is not None:
            peak, average = peak + audio.rates.peak, average + audio.rates.average
            codecs = f"{codecs},{audio.codecs}"
        group = ',AUDIO="audio"' if audio is not None else ""
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}"
            f',CODECS="{_quotable(codecs)}",RESOLUTION={variant.width}x{variant.height}'
            f",FRAME-RATE={variant.frame_rate:.3f}{group}",
            variant.uri,
        ]
    return "\n".join(lines) + "\n"


def _quotable(text: str) -> str:
    """Refuse what cannot stand in a quoted string (RFC 8216 4.2); it has no escapes."""
    if '"' in text or not text.isprintable():
        raise ValueError(f"{text!r} cannot stand in a playlist attribute")
    return text

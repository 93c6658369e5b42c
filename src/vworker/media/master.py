"""The master playlist, written from what was measured. Pure.

FFmpeg's own is not used: its BANDWIDTH comes from the settings (up to 49 % off) and it lacks
FRAME-RATE and INDEPENDENT-SEGMENTS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vworker.media.hls import VERSION, Rates

AUDIO_GROUP = "audio"
SUBTITLES_GROUP = "subtitles"
#: Where a player that knows nothing of its network begins (Apple 1.32), in bits per second.
_FIRST_RATE = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One rung as the master playlist shows it."""

    uri: str
    width: int
    height: int
    #: Frames per second.
    frame_rate: float
    #: RFC 6381 codec string of the picture alone.
    codecs: str
    rates: Rates


@dataclass(frozen=True, kw_only=True, slots=True)
class IFrameVariant:
    """One I-frame playlist as the master playlist shows it."""

    uri: str
    width: int
    height: int
    codecs: str
    rates: Rates


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioTrack:
    """One sound rendition as the master playlist shows it."""

    uri: str
    #: Unique among the tracks; shown to the user.
    name: str
    #: BCP 47 tag; None when the source names none.
    language: str | None
    #: Played when the user chooses nothing; one track of all.
    default: bool
    channels: int
    codecs: str
    rates: Rates


@dataclass(frozen=True, kw_only=True, slots=True)
class SubtitleTrack:
    """One WebVTT rendition as the master playlist shows it."""

    uri: str
    name: str
    language: str | None
    default: bool
    forced: bool
    rates: Rates


def write_master(
    variants: Sequence[Variant],
    iframes: Sequence[IFrameVariant],
    audio: Sequence[AudioTrack] = (),
    subtitles: Sequence[SubtitleTrack] = (),
) -> str:
    """Return the master playlist.

    A variant's rates include the largest of the sounds and subtitles, since a player loads one of
    each. Raises ValueError for a text that cannot stand in an attribute.
    """
    beside = [_largest(track.rates for track in group) for group in (audio, subtitles) if group]
    sound_codecs = list(dict.fromkeys(track.codecs for track in audio))
    groups = (f',AUDIO="{AUDIO_GROUP}"' if audio else "") + (
        f',SUBTITLES="{SUBTITLES_GROUP}"' if subtitles else ""
    )
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [_audio_line(track) for track in audio]
    lines += [_subtitle_line(track) for track in subtitles]
    for variant in _in_order(variants):
        lines += [
            f"#EXT-X-STREAM-INF:{_rates(variant.rates, *beside)}"
            f',CODECS="{_quotable(",".join([variant.codecs, *sound_codecs]))}"'
            f",RESOLUTION={variant.width}x{variant.height}"
            f",FRAME-RATE={variant.frame_rate:.3f}{groups}",
            variant.uri,
        ]
    for iframe in iframes:
        lines.append(
            f"#EXT-X-I-FRAME-STREAM-INF:{_rates(iframe.rates)}"
            f',CODECS="{_quotable(iframe.codecs)}",RESOLUTION={iframe.width}x{iframe.height}'
            f',URI="{_quotable(iframe.uri)}"'
        )
    return "\n".join(lines) + "\n"


def _in_order(variants: Sequence[Variant]) -> list[Variant]:
    """Put the variant first that players begin with, and keep the order of the others."""
    first = min(variants, key=lambda variant: abs(variant.rates.average - _FIRST_RATE))
    return [first, *(variant for variant in variants if variant is not first)]


def _largest(rates: Iterable[Rates]) -> Rates:
    """Return the highest peak and the highest mean, of whichever track."""
    found = list(rates)
    return Rates(peak=max(r.peak for r in found), average=max(r.average for r in found))


def _rates(*together: Rates) -> str:
    peak, average = sum(r.peak for r in together), sum(r.average for r in together)
    return f"BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}"


def _audio_line(track: AudioTrack) -> str:
    return (
        f"{_media('AUDIO', AUDIO_GROUP, track.name, track.language)}"
        f",DEFAULT={_yes(track.default)},AUTOSELECT=YES"
        f',CHANNELS="{track.channels}",URI="{_quotable(track.uri)}"'
    )


def _subtitle_line(track: SubtitleTrack) -> str:
    return (
        f"{_media('SUBTITLES', SUBTITLES_GROUP, track.name, track.language)}"
        f",DEFAULT={_yes(track.default)},AUTOSELECT=YES,FORCED={_yes(track.forced)}"
        f',URI="{_quotable(track.uri)}"'
    )


def _media(kind: str, group: str, name: str, language: str | None) -> str:
    """Return the start of a rendition's line; Apple (8.10) wants a language, "und" is one."""
    return (
        f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="{_quotable(name)}"'
        f',LANGUAGE="{_quotable(language or "und")}"'
    )


def _yes(value: bool) -> str:
    return "YES" if value else "NO"


def _quotable(text: str) -> str:
    """Refuse what cannot stand in a quoted string (RFC 8216 4.2); it has no escapes."""
    if '"' in text or not text.isprintable():
        raise ValueError(f"{text!r} cannot stand in a playlist attribute")
    return text

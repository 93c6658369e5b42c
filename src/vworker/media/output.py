"""What an encode has left in its folder, checked and measured before anything of it is named.

FFmpeg's exit code 0 says little: it is 0 for a source of which only 59 % could be read, and for
output of which the disk took only a part. Every segment is read once, here; playlists, stills and
the checker work on what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.diagnosis import doubted
from vworker.media.fmp4 import read_fmp4, read_init
from vworker.media.hls import (
    IFrame,
    MediaPlaylist,
    Rates,
    Segment,
    measure_rates,
    parse_media_playlist,
    rates_of,
    target_duration,
)
from vworker.media.plan import PLAYLIST_NAME, SCRUB_NAME, EncodePlan
from vworker.media.segment import Kind, MalformedSegment, SegmentFacts
from vworker.media.segment_file import read_listing, read_output
from vworker.media.timeline import Span, Still, durations, spans, stills
from vworker.media.truncation import check_length
from vworker.media.ts import read_ts

IFRAMES_NAME = "iframes.m3u8"


@dataclass(frozen=True, kw_only=True, slots=True)
class RenditionFiles:
    """One rendition on disk: complete, and measured."""

    name: str
    #: Ours, to be published: durations from time stamps.
    playlist: MediaPlaylist
    #: What is in each segment, in order.
    segments: tuple[SegmentFacts, ...]
    segments_bytes: int
    rates: Rates
    #: RFC 6381 codec string.
    codec: str
    #: 0 for pictures.
    channels: int
    #: Pictures that can be decoded alone; empty for sound.
    stills: tuple[Still, ...]

    @property
    def iframes(self) -> tuple[IFrame, ...]:
        """The stills as an I-frame playlist lists them."""
        return tuple(
            IFrame(
                uri=self.playlist.segments[still.segment].uri,
                duration_s=round(still.duration_s, 6),
                offset=still.offset,
                length=still.length,
            )
            for still in self.stills
        )

    @property
    def iframe_rates(self) -> Rates:
        """Rates of the I-frame playlist."""
        durations_s = [still.duration_s for still in self.stills]
        sizes = [still.length for still in self.stills]
        return rates_of(durations_s, sizes, target_duration(durations_s))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A rendition as FFmpeg listed it, with what is in its segments."""

    listed: MediaPlaylist
    segments: tuple[SegmentFacts, ...]
    spans: tuple[Span, ...]


def measure_output(
    plan: EncodePlan, last_lines: Sequence[str], *, least_target_s: int = 1
) -> dict[str, RenditionFiles]:
    """Check and measure all renditions of a finished encode, by name. Blocks: reads files.

    `last_lines` are FFmpeg's, for the detail of a failure. `least_target_s` is a target duration
    that players were told already: it must stay, however short the segments have become.

    Raises `TranscodeError`: source_truncated, encode_failed, resource_limit (final);
    output_incomplete.
    """
    try:
        return _measured(plan, least_target_s)
    except TranscodeError as error:
        told = doubted(error, last_lines)
        raise TranscodeError(told.code, told.message, detail=last_lines) from error


def _measured(plan: EncodePlan, least_target_s: int) -> dict[str, RenditionFiles]:
    frame_s = float(1 / plan.frame_rate)
    found = {
        # For scrubbing there is a picture a second.
        name: _read(plan.output / name, 1.0 if name == SCRUB_NAME else frame_s)
        for name in plan.names
    }
    # One for all, as Apple wants it for sound and pictures (8.2).
    longest_s = target_duration(
        duration for rendition in found.values() for duration in durations(rendition.spans)
    )
    target = max(least_target_s, longest_s)
    measured = {name: _measure(name, rendition, target) for name, rendition in found.items()}
    scrub = measured[SCRUB_NAME]
    end_s = min(measured[rung.name].playlist.duration_s for rung in plan.rungs)
    measured[SCRUB_NAME] = replace(scrub, stills=_ending_at(end_s, scrub.stills))
    _check_durations(plan, [measured[rung.name] for rung in plan.rungs])
    return measured


def _read(folder: Path, frame_s: float) -> _Found:
    listed = _read_playlist(folder)
    init = None
    if listed.init_uri is not None:
        init = read_init(_read_file(folder, listed.init_uri))
    segments = []
    for segment in listed.segments:
        data = _read_file(folder, segment.uri)
        try:
            facts = read_ts(data) if init is None else read_fmp4(data, init)
        except MalformedSegment as error:
            raise _incomplete(f"{folder.name}/{segment.uri} is cut off: {error}") from error
        if facts.main_track is None or facts.main_track.codec is None:
            raise _incomplete(f"{folder.name}/{segment.uri} holds no picture and no sound")
        segments.append(facts)
    return _Found(listed=listed, segments=tuple(segments), spans=tuple(spans(segments, frame_s)))


def _read_playlist(folder: Path) -> MediaPlaylist:
    path = folder / PLAYLIST_NAME
    try:
        listed = parse_media_playlist(read_listing(path))
    except FileNotFoundError:
        raise TranscodeError(
            ErrorCode.ENCODE_FAILED,
            f"Nothing of the video could be decoded for the {folder.name} rendition.",
        ) from None
    except ValueError as error:
        raise _incomplete(f"{folder.name}/{path.name}: {error}") from error
    if not listed.ended or not listed.segments:
        raise _incomplete(f"{folder.name}/{path.name} does not list a whole video")
    return listed


def _read_file(folder: Path, name: str) -> bytes:
    """Read a file that FFmpeg's playlist names; it must lie in the rendition's own folder."""
    path = folder / name
    if path.name != name or not path.is_file():
        raise _incomplete(f"{folder.name}/{name} is missing")
    return read_output(path)


def _measure(name: str, found: _Found, target_duration_s: int) -> RenditionFiles:
    segments = tuple(
        Segment(uri=listed.uri, duration_s=round(duration, 6))
        for listed, duration in zip(found.listed.segments, durations(found.spans), strict=True)
    )
    playlist = replace(found.listed, target_duration_s=target_duration_s, segments=segments)
    sizes = [facts.size_bytes for facts in found.segments]
    track = found.segments[0].main_track
    if track is None or track.codec is None:
        raise _incomplete(f"{name} holds no picture and no sound")
    keys = tuple(stills(found.segments, found.spans))
    if track.kind is Kind.VIDEO and not keys:
        raise _incomplete(f"{name} has no picture that can be decoded alone")
    return RenditionFiles(
        name=name,
        playlist=playlist,
        segments=found.segments,
        segments_bytes=sum(sizes),
        rates=measure_rates(playlist, sizes),
        codec=track.codec,
        channels=track.audio.channels if track.audio else 0,
        stills=keys,
    )


def _ending_at(end_s: float, stills: Sequence[Still]) -> tuple[Still, ...]:
    """Let the last still end with the pictures: it need not stay for a whole second."""
    lasting = [
        replace(still, duration_s=min(still.duration_s, end_s - still.at_s))
        for still in stills
        if still.at_s < end_s
    ]
    return tuple(lasting)


def _check_durations(plan: EncodePlan, rungs: Sequence[RenditionFiles]) -> None:
    """Compare with the end of the source's pictures: the container's also counts longer sound.

    From the file's beginning on, since a picture that starts late is shown from there.
    """
    if plan.duration_s is not None:
        found_s = min(rung.playlist.duration_s for rung in rungs)
        check_length(announced_s=plan.duration_s, found_s=found_s)


def _incomplete(finding: str) -> TranscodeError:
    return TranscodeError(
        ErrorCode.OUTPUT_INCOMPLETE,
        f"The transcoded video is incomplete and was not published: {finding}.",
    )

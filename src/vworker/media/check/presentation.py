"""A published video as it was read: all playlists, and what is in all segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urljoin

from vworker.media.check.files import Absent, Files
from vworker.media.check.listing import (
    ListedVariant,
    MasterListing,
    MediaListing,
    read_master,
    read_media,
)
from vworker.media.check.rules import Finding, broken
from vworker.media.fmp4 import InitSection, read_fmp4, read_init
from vworker.media.hls import Rates, rates_of
from vworker.media.segment import MalformedSegment, SegmentFacts
from vworker.media.timeline import Span, durations, frame_seconds, spans
from vworker.media.ts import SYNC_BYTE, read_ts

_Listing = TypeVar("_Listing", MasterListing, MediaListing)
_SUBTITLES = "SUBTITLES"
_DEFAULT_FRAME_S = 1 / 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """One media playlist with its segments, all of which could be read."""

    uri: str
    listing: MediaListing
    segments: tuple[SegmentFacts, ...]
    spans: tuple[Span, ...]
    #: Seconds that a picture is shown; None when there are not two, or it is sound.
    frame_s: float | None

    @property
    def durations_s(self) -> list[float]:
        """Seconds that a player stays in each segment, as measured."""
        return durations(self.spans)

    @property
    def total_s(self) -> float:
        """Seconds from the first frame to the end of the last one."""
        return self.spans[-1].end_s - self.spans[0].start_s

    @property
    def rates(self) -> Rates:
        """Measured, over the target duration that the playlist names."""
        sizes = [segment.size_bytes for segment in self.segments]
        return rates_of(self.durations_s, sizes, round(self.listing.target_duration_s))


@dataclass(frozen=True, kw_only=True, slots=True)
class SubtitleRendition:
    """A media playlist of WebVTT."""

    uri: str
    listing: MediaListing
    texts: tuple[bytes, ...]

    @property
    def rates(self) -> Rates:
        """Measured, by the durations of the playlist."""
        durations_s = [segment.duration_s for segment in self.listing.segments]
        sizes = [len(text) for text in self.texts]
        return rates_of(durations_s, sizes, round(self.listing.target_duration_s))


@dataclass(kw_only=True, slots=True)
class Presentation:
    """Everything that could be read, and what was found wrong in reading."""

    master_uri: str
    master: MasterListing | None = None
    #: By the URI of the playlist, relative to the master playlist.
    renditions: dict[str, Rendition] = field(default_factory=dict)
    subtitles: dict[str, SubtitleRendition] = field(default_factory=dict)
    iframes: dict[str, MediaListing] = field(default_factory=dict)
    #: Every segment by its URI, I-frame playlists' included.
    segments: dict[str, SegmentFacts] = field(default_factory=dict)
    #: Every playlist that is text, by its URI.
    texts: dict[str, str] = field(default_factory=dict)
    #: URI → media type, where a server named one.
    content_types: dict[str, str] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)

    def variants(self) -> list[tuple[ListedVariant, Rendition]]:
        """Return the variants that could be read, with their renditions."""
        listed = self.master.variants if self.master else ()
        pairs = [(variant, self.renditions.get(resolve("", variant.uri))) for variant in listed]
        return [(variant, found) for variant, found in pairs if found is not None]

    def audio(self, group: str | None = None) -> list[Rendition]:
        """Return the sound renditions that could be read, of one group or of all."""
        return [
            self.renditions[resolve("", media.uri)]
            for media in (self.master.media if self.master else ())
            if media.kind == "AUDIO"
            and media.uri is not None
            and resolve("", media.uri) in self.renditions
            and group in {None, media.group}
        ]

    def subtitles_of(self, group: str | None) -> list[SubtitleRendition]:
        """Return the subtitle renditions of a group."""
        return [
            self.subtitles[resolve("", media.uri)]
            for media in (self.master.media if self.master else ())
            if media.kind == _SUBTITLES
            and media.uri is not None
            and media.group == group
            and resolve("", media.uri) in self.subtitles
        ]


def resolve(playlist_uri: str, uri: str) -> str:
    """Return a URI of a playlist as seen from the master playlist's folder."""
    return urljoin(playlist_uri, uri)


def load(
    files: Files, master_uri: str, known: Mapping[str, SegmentFacts] | None = None
) -> Presentation:
    """Read a video. Segments in `known`, by their URI, are not read again. Blocks.

    Raises Absent when there is no master playlist; everything else becomes a finding.
    """
    files.read(master_uri)
    return _Loader(files, Presentation(master_uri=master_uri), known or {}).load()


class _Loader:
    def __init__(
        self, files: Files, found: Presentation, known: Mapping[str, SegmentFacts]
    ) -> None:
        self._files = files
        self._found = found
        self._known = known

    def load(self) -> Presentation:
        master = self._playlist(self._found.master_uri, read_master)
        self._found.master = master
        if master is None:
            return self._found
        for variant in master.variants:
            self._rendition(resolve("", variant.uri), variant.frame_rate)
        for media in master.media:
            if media.uri is None:
                continue
            if media.kind == _SUBTITLES:
                self._subtitles(resolve("", media.uri))
            else:
                self._rendition(resolve("", media.uri), None)
        for variant in master.iframes:
            self._iframes(resolve("", variant.uri))
        return self._found

    def _rendition(self, uri: str, frame_rate: float | None) -> None:
        if uri in self._found.texts:
            return
        listing = self._media_playlist(uri)
        if listing is None:
            return
        facts = [self._segment(uri, listing, segment.uri) for segment in listing.segments]
        whole = [segment for segment in facts if segment is not None and segment.main_track]
        if not whole or len(whole) != len(facts):
            return
        frame_s = frame_seconds(whole)
        shown_s = frame_s or (1 / frame_rate if frame_rate else _DEFAULT_FRAME_S)
        self._found.renditions[uri] = Rendition(
            uri=uri,
            listing=listing,
            segments=tuple(whole),
            spans=tuple(spans(whole, shown_s)),
            frame_s=frame_s,
        )

    def _subtitles(self, uri: str) -> None:
        if uri in self._found.texts:
            return
        listing = self._media_playlist(uri)
        if listing is None:
            return
        texts = [self._read(resolve(uri, segment.uri), uri) for segment in listing.segments]
        self._found.subtitles[uri] = SubtitleRendition(
            uri=uri, listing=listing, texts=tuple(text for text in texts if text is not None)
        )

    def _iframes(self, uri: str) -> None:
        listing = None if uri in self._found.texts else self._media_playlist(uri)
        if listing is None:
            return
        self._found.iframes[uri] = listing
        for name in dict.fromkeys(segment.uri for segment in listing.segments):
            self._segment(uri, listing, name)

    def _media_playlist(self, uri: str) -> MediaListing | None:
        listing = self._playlist(uri, read_media)
        if listing is not None and not listing.segments:
            self._found.faults.append(broken("vqueue-3", uri, "it lists no segment"))
        return listing

    def _segment(self, playlist: str, listing: MediaListing, name: str) -> SegmentFacts | None:
        uri = resolve(playlist, name)
        if uri not in self._found.segments:
            facts = self._known.get(uri) or self._read_segment(uri, playlist, listing)
            if facts is None:
                return None
            self._found.segments[uri] = facts
            if facts.main_track is None:
                self._found.faults.append(
                    broken("vqueue-3", uri, "it holds neither pictures nor sound")
                )
        return self._found.segments[uri]

    def _read_segment(self, uri: str, playlist: str, listing: MediaListing) -> SegmentFacts | None:
        data = self._read(uri, playlist)
        init = self._init(playlist, listing)
        if data is None:
            return None
        try:
            return read_ts(data) if data[:1] == SYNC_BYTE else read_fmp4(data, init)
        except MalformedSegment as error:
            self._found.faults.append(broken("apple-1.2", uri, str(error)))
            return None

    def _init(self, playlist: str, listing: MediaListing) -> InitSection:
        if listing.init_uri is None:
            return {}
        uri = resolve(playlist, listing.init_uri)
        data = self._read(uri, playlist)
        try:
            return {} if data is None else read_init(data)
        except MalformedSegment as error:
            self._found.faults.append(broken("apple-8.20", uri, str(error)))
            return {}

    def _playlist(self, uri: str, parse: Callable[[str], _Listing]) -> _Listing | None:
        data = self._read(uri, self._found.master_uri)
        if data is None:
            return None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            self._found.faults.append(broken("rfc-4", uri, f"it is not UTF-8: {error}"))
            return None
        self._found.texts[uri] = text
        try:
            return parse(text.removeprefix("\ufeff"))
        except ValueError as error:
            self._found.faults.append(broken("rfc-4.3.1.1", uri, str(error)))
            return None

    def _read(self, uri: str, named_by: str) -> bytes | None:
        try:
            data = self._files.read(uri)
        except Absent as error:
            self._found.faults.append(broken("rfc-6.2.1", named_by, f"names {uri}: {error}"))
            return None
        if (content_type := self._files.content_type(uri)) is not None:
            self._found.content_types[uri] = content_type
        return data

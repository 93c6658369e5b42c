"""A published video as it was read: all playlists, and what is in all segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urljoin

from vworker.media.check.listing import (
    ListedVariant,
    MasterListing,
    MediaListing,
)
from vworker.media.check.rules import Finding
from vworker.media.hls import Rates, rates_of
from vworker.media.segment import SegmentFacts
from vworker.media.timeline import Span, durations

SUBTITLES = "SUBTITLES"


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
            if media.kind == SUBTITLES
            and media.uri is not None
            and media.group == group
            and resolve("", media.uri) in self.subtitles
        ]


def resolve(playlist_uri: str, uri: str) -> str:
    """Return a URI of a playlist as seen from the master playlist's folder."""
    return urljoin(playlist_uri, uri)

"""Reading a published video: every playlist, every segment, each once and within bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from vworker.media.check.files import Absent, ByteRange, Files
from vworker.media.check.listing import (
    ListedSegment,
    MasterListing,
    MediaListing,
    read_master,
    read_media,
)
from vworker.media.check.presentation import (
    SUBTITLES,
    Presentation,
    Rendition,
    SubtitleRendition,
    resolve,
)
from vworker.media.check.rules import broken
from vworker.media.fmp4 import InitSection, read_fmp4, read_init
from vworker.media.segment import MalformedSegment, SegmentFacts
from vworker.media.segment_file import PLAYLIST_BYTES, SEGMENT_BYTES
from vworker.media.timeline import frame_seconds, spans
from vworker.media.ts import SYNC_BYTE, read_ts

_Listing = TypeVar("_Listing", MasterListing, MediaListing)
_DEFAULT_FRAME_S = 1 / 30
#: Of all playlists together, which stay in memory, as does a record for each of their lines.
_TEXT_BYTES, _LINE_BYTES = 128 << 20, 64


def load(
    files: Files, master_uri: str, known: Mapping[str, SegmentFacts] | None = None
) -> Presentation:
    """Read a video. Segments in `known`, by their URI, are not read again. Blocks.

    Raises Absent when there is no master playlist; everything else becomes a finding.
    """
    files.read(master_uri, most_bytes=PLAYLIST_BYTES)
    return _Loader(files, Presentation(master_uri=master_uri), known or {}).load()


class _Loader:
    def __init__(
        self, files: Files, found: Presentation, known: Mapping[str, SegmentFacts]
    ) -> None:
        self._files = files
        self._found = found
        self._known = known
        self._text_bytes = 0

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
            if media.kind == SUBTITLES:
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
        facts = [self._listed(uri, listing, segment) for segment in listing.segments]
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
        texts = [
            self._read(resolve(uri, segment.uri), uri, SEGMENT_BYTES, segment.byte_range)
            for segment in listing.segments
        ]
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

    def _listed(
        self, playlist: str, listing: MediaListing, listed: ListedSegment
    ) -> SegmentFacts | None:
        """Read a segment that may be a part of a file."""
        if listed.byte_range is None:
            return self._segment(playlist, listing, listed.uri)
        return self._read_segment(playlist, listing, listed.uri, listed.byte_range)

    def _segment(self, playlist: str, listing: MediaListing, name: str) -> SegmentFacts | None:
        """Read a whole file, unless it is known."""
        uri = resolve(playlist, name)
        if uri not in self._found.segments:
            facts = self._known.get(uri) or self._read_segment(playlist, listing, name)
            if facts is None:
                return None
            self._found.segments[uri] = facts
        return self._found.segments[uri]

    def _read_segment(
        self, playlist: str, listing: MediaListing, name: str, part: ByteRange | None = None
    ) -> SegmentFacts | None:
        uri = resolve(playlist, name)
        data = self._read(uri, playlist, SEGMENT_BYTES, part)
        init = self._init(playlist, listing)
        if data is None:
            return None
        where = uri if part is None else f"{uri} ({part})"
        try:
            facts = read_ts(data) if data[:1] == SYNC_BYTE else read_fmp4(data, init)
        except MalformedSegment as error:
            self._found.faults.append(broken("apple-1.2", where, str(error)))
            return None
        if facts.main_track is None:
            fault = broken("vqueue-3", where, "it holds neither pictures nor sound")
            self._found.faults.append(fault)
        return facts

    def _init(self, playlist: str, listing: MediaListing) -> InitSection:
        if listing.init_uri is None:
            return {}
        uri = resolve(playlist, listing.init_uri)
        data = self._read(uri, playlist, SEGMENT_BYTES, listing.init_range)
        try:
            return {} if data is None else read_init(data)
        except MalformedSegment as error:
            self._found.faults.append(broken("apple-8.20", uri, str(error)))
            return {}

    def _playlist(self, uri: str, parse: Callable[[str], _Listing]) -> _Listing | None:
        data = self._read(uri, self._found.master_uri, PLAYLIST_BYTES)
        if data is None:
            return None
        self._text_bytes += len(data) + _LINE_BYTES * data.count(b"\n")
        if self._text_bytes > _TEXT_BYTES:
            fault = "the playlists before it have more lines than a video of some days"
            self._found.faults.append(broken("rfc-4.3.1.1", uri, f"it is not read: {fault}"))
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

    def _read(
        self, uri: str, named_by: str, most_bytes: int, part: ByteRange | None = None
    ) -> bytes | None:
        try:
            data = self._files.read(uri, most_bytes=most_bytes, part=part)
        except Absent as error:
            self._found.faults.append(broken("rfc-6.2.1", named_by, f"names {uri}: {error}"))
            return None
        if (content_type := self._files.content_type(uri)) is not None:
            self._found.content_types[uri] = content_type
        return data

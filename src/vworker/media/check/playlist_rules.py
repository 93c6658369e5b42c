"""Rules on the text of each playlist."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from vworker.media.check.listing import MediaListing
from vworker.media.check.presentation import Presentation
from vworker.media.check.rules import Finding, broken
from vworker.media.segment import Container

_PLAYLIST_TYPES = {"application/vnd.apple.mpegurl", "audio/mpegurl"}
_SEGMENT_TYPES = {".ts": "video/mp2t", ".vtt": "text/vtt", ".m4s": "video/mp4", ".mp4": "video/mp4"}
_URI = re.compile(r'URI="([^"]*)"')


def check_playlists(found: Presentation) -> Iterator[Finding]:
    """Test the texts, and what needs nothing but them."""
    for uri, text in found.texts.items():
        yield from _check_text(uri, text)
        yield from _check_uris(uri, text)
    yield from _check_version(found)
    yield from _check_groups(found)
    for uri, listing in _media_listings(found):
        yield from _check_media(uri, listing)
    yield from _check_maps(found)
    yield from _check_content_types(found)


def _media_listings(found: Presentation) -> Iterator[tuple[str, MediaListing]]:
    yield from ((uri, rendition.listing) for uri, rendition in found.renditions.items())
    yield from ((uri, rendition.listing) for uri, rendition in found.subtitles.items())
    yield from found.iframes.items()


def _check_text(uri: str, text: str) -> Iterator[Finding]:
    if text.startswith("\ufeff"):
        yield broken("rfc-4", uri, "it starts with a byte order mark")
    odd = sorted({char for char in text if not char.isprintable() and char not in "\r\n\ufeff"})
    if odd:
        yield broken("rfc-4", uri, f"it has the characters {odd!r}")
    first = text.removeprefix("\ufeff").partition("\n")[0].rstrip("\r")
    if first != "#EXTM3U":
        yield broken("rfc-4.3.1.1", uri, f"it starts with {first[:80]!r}")


def _check_uris(uri: str, text: str) -> Iterator[Finding]:
    lines = text.splitlines()
    names = [line for line in lines if line.strip() and not line.startswith("#")]
    names += [name for line in lines if line.startswith("#") for name in _URI.findall(line)]
    for name in dict.fromkeys(names):
        parts = urlsplit(name)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(uri), parts.path))
        if parts.scheme or parts.netloc or target.startswith(("/", "../")):
            yield broken("vqueue-2", uri, f"it names {name!r}")


def _check_version(found: Presentation) -> Iterator[Finding]:
    """RFC 8216, section 7."""
    for uri, listing in _media_listings(found):
        needed = {
            3: any(not segment.duration_s.is_integer() for segment in listing.segments),
            4: listing.iframes_only or any(segment.byte_range for segment in listing.segments),
            5: listing.init_uri is not None and listing.iframes_only,
            6: listing.init_uri is not None and not listing.iframes_only,
        }
        least = max((version for version, used in needed.items() if used), default=1)
        if listing.version < least:
            yield broken("rfc-4.3.1.2", uri, f"version {listing.version}, and it needs {least}")


def _check_groups(found: Presentation) -> Iterator[Finding]:
    if found.master is None:
        return
    names = Counter((media.kind, media.group, media.name) for media in found.master.media)
    for (kind, group, name), count in names.items():
        if count > 1:
            yield broken(
                "rfc-4.3.4.1",
                found.master_uri,
                f"{count} renditions of the {kind} group {group!r} have the name {name!r}",
            )
    defaults = Counter((m.kind, m.group) for m in found.master.media if m.default)
    for (kind, group), count in defaults.items():
        if count > 1:
            yield broken(
                "rfc-4.3.4.1", found.master_uri, f"{kind} group {group!r} has {count} defaults"
            )
    groups = {(media.kind, media.group) for media in found.master.media}
    for variant in found.master.variants:
        for kind, named in (("AUDIO", variant.audio), ("SUBTITLES", variant.subtitles)):
            if named and (kind, named) not in groups:
                yield broken("rfc-4.3.4.2", found.master_uri, f"there is no {kind} group {named!r}")


def _check_media(uri: str, listing: MediaListing) -> Iterator[Finding]:
    if not listing.ended:
        yield broken("rfc-4.3.3.4", uri, "it has no EXT-X-ENDLIST")
    if not listing.vod:
        yield broken("apple-8.6", uri, "it has no EXT-X-PLAYLIST-TYPE:VOD")
    for segment in listing.segments:
        if int(segment.duration_s + 0.5) > listing.target_duration_s:
            yield broken(
                "rfc-4.3.3.1",
                uri,
                f"{segment.uri} lasts {segment.duration_s:g} s, and the target duration is "
                f"{listing.target_duration_s:g} s",
            )


def _check_maps(found: Presentation) -> Iterator[Finding]:
    """Fragmented MP4 without EXT-X-MAP can hardly be read; the rule is then named beside 1.2."""
    for uri, text in found.texts.items():
        fragments = [
            line
            for line in text.splitlines()
            if not line.startswith("#") and line.partition("?")[0].endswith((".m4s", ".mp4"))
        ]
        if fragments and "#EXT-X-MAP:" not in text:
            yield broken("apple-8.20", uri, f"it names {fragments[0]} and has no EXT-X-MAP")
    for rendition in found.renditions.values():
        containers = {segment.container for segment in rendition.segments}
        if len(containers) > 1:
            yield broken(
                "apple-1.2",
                rendition.uri,
                f"it mixes {Container.TS} and {Container.FMP4}",
            )


def _check_content_types(found: Presentation) -> Iterator[Finding]:
    for uri, content_type in found.content_types.items():
        name = uri.partition("?")[0]
        if uri in found.texts:
            right = content_type in _PLAYLIST_TYPES
        else:
            suffix = name[name.rfind(".") :]
            right = _SEGMENT_TYPES.get(suffix, content_type) in {
                content_type,
                content_type.replace("audio/", "video/"),
            }
        if not right:
            yield broken("apple-10.4", uri, f"its content type is {content_type}")

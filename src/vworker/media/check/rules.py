"""The rules, as data: where each comes from, whether it must or should be kept, what it says.

Numbers "apple-…" are those of Apple's HLS Authoring Specification (text of 2025-06-26), numbers
"rfc-…" are sections of RFC 8216, "vqueue-…" are our own. The sentences are ours. Not here: loudness
(2.18), which takes decoded sound and nothing is decoded here; how fields were joined (1.14 is
tested on the coding only) and what a server sends for a live stream, which no output tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """What follows from a broken rule."""

    #: The video is not published.
    MUST = "must"
    #: It is told, no more.
    SHOULD = "should"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One thing that is tested."""

    number: str
    level: Level
    #: What holds when the rule is kept.
    says: str


def _rules(level: Level, texts: dict[str, str]) -> dict[str, Rule]:
    return {number: Rule(number=number, level=level, says=says) for number, says in texts.items()}


#: Number → rule, in the order in which reports list them.
RULES = _rules(
    Level.MUST,
    {
        "rfc-4": "playlists are UTF-8 without a byte order mark or control characters",
        "rfc-4.3.1.1": "playlists start with #EXTM3U and can be parsed",
        "rfc-4.3.1.2": "EXT-X-VERSION fits the tags that are used",
        "rfc-4.3.3.1": "every EXTINF, rounded, is at most EXT-X-TARGETDURATION",
        "rfc-4.3.3.4": "media playlists end with EXT-X-ENDLIST",
        "rfc-4.3.4.1": "names are unique in a group, and a group has at most one default",
        "rfc-4.3.4.2": "every group that a variant names exists",
        "rfc-6.2.1": "everything that a playlist names is there",
        "rfc-6.2.4": "all variants have the same segments, starting at the same times",
        "apple-1.2": "segments are transport streams or fragmented MP4",
        "apple-1.3b": "H.264 is at most High profile, level 5.2",
        "apple-1.14": "pictures are coded progressively",
        "apple-1.19": "there are at most 60 pictures a second",
        "apple-1.26": "the mean rate is within 10 % of AVERAGE-BANDWIDTH",
        "apple-1.27": "the peak rate is within 10 % of BANDWIDTH",
        "apple-2.3": "there is stereo AAC",
        "apple-2.17": "a segment has at most one stream of sound",
        "apple-5.3": "subtitles are WebVTT with X-TIMESTAMP-MAP",
        "apple-6.1": "there are I-frame playlists",
        "apple-6.8": "I-frame playlists have EXT-X-I-FRAMES-ONLY, and ranges that hold an I-frame",
        "apple-7.1": "time stamps go on from segment to segment",
        "apple-7.2": "continuity counters go on within and across segments",
        "apple-7.4": "every segment of pictures starts with an IDR picture and its parameter sets",
        "apple-7.7": "no segment is longer than the target duration and half a second",
        "apple-8.1": "EXTINF is the duration of the segment, and their sum that of the stream",
        "apple-8.2": "pictures, sound and subtitles have the same target duration",
        "apple-8.3": "pictures, sound and subtitles last equally long",
        "apple-8.6": "media playlists have EXT-X-PLAYLIST-TYPE:VOD",
        "apple-8.7": "pictures and sound begin at the same time",
        "apple-8.9": "sound of its own is listed with EXT-X-MEDIA",
        "apple-8.10": "EXT-X-MEDIA has LANGUAGE",
        "apple-8.20": "fragmented MP4 has EXT-X-MAP",
        "apple-9.1": "every variant has CODECS",
        "apple-9.2": "every variant with pictures has RESOLUTION",
        "apple-9.3": "CODECS names what the segments hold, sound included",
        "apple-9.4": "RESOLUTION is the size of the pictures",
        "apple-9.9": "there are several variants, unless the picture is small",
        "apple-9.13": "BANDWIDTH is not below the largest sum of the renditions' peaks",
        "apple-9.14": "every variant has AVERAGE-BANDWIDTH",
        "apple-9.15": "every variant with pictures has FRAME-RATE, and keeps it",
        "vqueue-1": "every rendition of pictures lasts as long as the source's pictures",
        "vqueue-2": "playlists name only what lies beside or below the master playlist",
        "vqueue-3": "every playlist lists segments, and these hold pictures or sound",
    },
) | _rules(
    Level.SHOULD,
    {
        "apple-1.3a": "H.264 is at most level 4.1",
        "apple-1.4": "H.264 is High profile",
        "apple-1.11": "the level is the lowest that suffices",
        "apple-1.13": "there is an IDR picture every two seconds",
        "apple-1.30": "the peak rate is at most twice the mean",
        "apple-1.32": "the first variant is the one nearest to 2000 kbit/s",
        "apple-1.33": "all variants have the same shape",
        "apple-6.2": "there is an I-frame playlist with a picture a second",
        "apple-7.5": "segments last about six seconds",
        "apple-8.22": "segments of sound begin where those of the pictures do",
        "apple-9.5": "sound is separate from the pictures",
        "apple-9.11": "the master playlist has EXT-X-INDEPENDENT-SEGMENTS",
        "apple-10.4": "a server names the right content types",
    },
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One place where a rule is broken."""

    rule: Rule
    #: The file, as its URI from the master playlist.
    where: str
    found: str

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.rule.number} ({self.rule.level}): {self.where}: {self.found}"


def broken(number: str, where: str, found: str) -> Finding:
    """Return a finding against the rule of that number."""
    return Finding(rule=RULES[number], where=where, found=found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a check has found; every rule that is not in a finding is kept."""

    findings: tuple[Finding, ...]

    def of_level(self, level: Level) -> tuple[Finding, ...]:
        """Return the findings against rules of one level."""
        return tuple(finding for finding in self.findings if finding.rule.level is level)

    @property
    def passed(self) -> bool:
        """Whether every rule is kept that must be."""
        return not self.of_level(Level.MUST)

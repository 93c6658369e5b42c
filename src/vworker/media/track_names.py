"""What sounds and subtitles are called in a player's menu. Pure.

A title of the source's track is text from outside. What comes out can stand in a quoted string of a
playlist, which has no escapes (RFC 8216 4.2), and in a menu: nothing in it is invisible or turns
the direction of what follows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from vworker.media.languages import language_name, language_tag
from vworker.media.source import AudioStream, SubtitleStream

_LONGEST_TITLE = 60
#: A reference to a variable begins so (RFC 8216bis 4.3), and one that is not defined is an error.
_REFERENCE = "{$"


def clean_title(title: str | None) -> str | None:
    """Return a title as it may be shown, at most 60 characters; None when nothing is left."""
    shown = unicodedata.normalize("NFC", title or "").replace('"', "'").replace(_REFERENCE, "($")
    printable = "".join(sign if sign.isprintable() else " " for sign in shown)
    return " ".join(printable.split())[:_LONGEST_TITLE].rstrip() or None


def name_tracks(streams: Sequence[AudioStream | SubtitleStream], unknown: str) -> list[str]:
    """Return a name for each track, all different: language and title, or what there is of both.

    Behind a name that is taken stands a number. A track without either is called `unknown`.
    """
    names: list[str] = []
    for stream in streams:
        name = _name(stream) or unknown
        numbered, number = name, 1
        while numbered in names:
            number += 1
            numbered = f"{name} {number}"
        names.append(numbered)
    return names


def _name(stream: AudioStream | SubtitleStream) -> str | None:
    tag, title = language_tag(stream.language), clean_title(stream.title)
    if tag is None:
        return title
    language = language_name(tag)
    if title is None:
        return language
    return title if language.casefold() in title.casefold() else f"{language}: {title}"

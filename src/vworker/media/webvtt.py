"""WebVTT: the cues that FFmpeg wrote of a text track, cut into segments beside the pictures'. Pure.

Each segment holds every cue that is shown within its time, so that a cue over a boundary is in
both, and says how its times relate to the pictures' clock (RFC 8216 3.5): players join segments of
different renditions by that clock alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TIME = r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+([^\n]*))?", re.ASCII)
_CLOCK = 90_000
_WRAP = 2**33


@dataclass(frozen=True, kw_only=True, slots=True)
class Cue:
    """A text and when it is shown, in seconds from the beginning of the video."""

    start_s: float
    end_s: float
    #: Where on the picture, in WebVTT's own words; empty for the usual place.
    settings: str
    #: One or more lines, none of them empty.
    text: str


def read_webvtt(text: str) -> list[Cue]:
    """Return the cues of a WebVTT file in the order of their start.

    What is no cue, or has no text or no duration, is passed over.
    """
    cues: list[Cue] = []
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        # An identifier may stand before the times.
        for number, line in enumerate(lines[:2]):
            if timing := _TIMING.fullmatch(line.strip()):
                cues += _cue(timing, lines[number + 1 :])
                break
    return sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))


def _cue(timing: re.Match[str], lines: Sequence[str]) -> Iterable[Cue]:
    start_s, end_s = _seconds(timing.groups()[:4]), _seconds(timing.groups()[4:8])
    # An arrow would be read as times.
    text = "\n".join(line for line in lines if line.strip()).replace("-->", "--&gt;")
    if text and end_s > start_s:
        yield Cue(start_s=start_s, end_s=end_s, settings=timing[9] or "", text=text)


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def cut(cues: Sequence[Cue], durations_s: Sequence[float], *, clock_s: float) -> list[str]:
    """Return the text of one WebVTT segment for each duration.

    `cues` are sorted by start. `clock_s` is what the pictures' time stamps show at the beginning of
    the video, in seconds. Cues after the end are left out.
    """
    stamp = round(clock_s * _CLOCK) % _WRAP
    head = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{stamp},LOCAL:00:00:00.000\n"
    segments = []
    start_s, waiting = 0.0, list(cues)
    for duration_s in durations_s:
        end_s = start_s + duration_s
        waiting = [cue for cue in waiting if cue.end_s > start_s]
        shown = (cue for cue in waiting if cue.start_s < end_s)
        segments.append(head + "".join(f"\n{_block(cue)}" for cue in shown))
        start_s = end_s
    return segments


def _block(cue: Cue) -> str:
    settings = f" {cue.settings}" if cue.settings else ""
    return f"{_clock(cue.start_s)} --> {_clock(cue.end_s)}{settings}\n{cue.text}\n"


def _clock(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"

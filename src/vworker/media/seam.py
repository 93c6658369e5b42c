"""Where an encode goes on behind segments that another one has made.

Pictures are encoded from the first one on that is missing; those before it are decoded, brought to
their rate and dropped, which costs a sixth of encoding them and is exact for any source. Segments
follow on in number, clock and counters, so that a player cannot tell: of transport streams the
continuity counters are put on (ISO/IEC 13818-1 2.4.3.3), of fragmented MP4 the clock, so that the
initialization section of the kept segments, with its edit list, holds for all. Sound is encoded
anew as a whole: an AAC frame reaches into the next one, and a cut could be heard; it costs about a
hundredth of the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vworker.media.fmp4 import read_init
from vworker.media.fmp4_clock import FragmentClock, first_clock, last_sequence, shift_clock
from vworker.media.hls import Segment, parse_media_playlist, write_media_playlist
from vworker.media.plan import PLAYLIST_NAME, EncodePlan, find_init, segment_name
from vworker.media.segment import MalformedSegment, SegmentFacts
from vworker.media.segment_file import read_listing, read_output, read_segment
from vworker.media.truncation import earliest_end_s
from vworker.media.ts import read_ts, shift_counters


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The first segments of every rung, made by an earlier encode of the same plan."""

    #: How many of each rung, and the pictures in them.
    segments: int
    frames: int
    #: When the first picture is shown, on the segments' clock, in seconds.
    clock_s: float
    #: Rung → packet id → its last continuity counter; of fragmented MP4 none.
    counters: Mapping[str, Mapping[int, int]]
    #: Rung → its initialization section's name, and the clock of its next fragment; of transport
    #: streams none.
    inits: Mapping[str, str]
    clocks: Mapping[str, FragmentClock]
    #: Of all rungs together, initialization sections included.
    size_bytes: int


def read_kept(plan: EncodePlan, count: int) -> Kept | None:
    """Look at the first `count` segments of every rung in the output folder. Blocks: reads files.

    Return those that can be gone on from: of full length, alike in all rungs, and certainly not the
    video's last ones, since then nothing would be left to encode. None when there are none.
    """
    rungs: dict[str, list[SegmentFacts]] = {
        rung.name: _read(plan, rung.name, count) for rung in plan.rungs
    }
    frames = [[_pictures(facts) for facts in found] for found in rungs.values()]
    segments, total = 0, 0
    for alike in zip(*frames, strict=False):
        after = total + alike[0]
        if len(set(alike)) > 1 or not _is_full(plan, segments + 1, after):
            break
        if not _is_early(plan, after):
            break
        segments, total = segments + 1, after
    if plan.duration_s is None:
        segments = min(segments, count - 1)
        total = sum(frames[0][:segments])
    if segments <= 0:
        return None
    first = rungs[plan.rungs[0].name][0].main_track
    inits = {name: init for name in rungs if (init := find_init(plan.output / name)) is not None}
    return Kept(
        segments=segments,
        frames=total,
        clock_s=0.0 if first is None else first.start_s,
        counters={
            name: {
                pid: last for facts in found[:segments] for pid, (_, last) in facts.counters.items()
            }
            for name, found in rungs.items()
        },
        inits={name: init.name for name, init in inits.items()},
        clocks={name: _next_clock(plan, init, segments, total) for name, init in inits.items()},
        size_bytes=sum(facts.size_bytes for found in rungs.values() for facts in found[:segments])
        + sum(init.stat().st_size for init in inits.values()),
    )


def _next_clock(plan: EncodePlan, init: Path, segments: int, frames: int) -> FragmentClock:
    """Return the clock of the fragment behind so many segments of a rung, of fragmented MP4."""
    [track] = read_init(read_output(init)).values()
    first = read_output(init.parent / _name(plan, 0))
    last = read_output(init.parent / _name(plan, segments - 1))
    # FFmpeg's ticks are whole fractions of a picture.
    ticks = round(frames * track.timescale / plan.frame_rate)
    return FragmentClock(ticks=first_clock(first).ticks + ticks, sequence=last_sequence(last) + 1)


def _name(plan: EncodePlan, number: int) -> str:
    return segment_name(number, plan.encoding.segments)


def _read(plan: EncodePlan, rung: str, count: int) -> list[SegmentFacts]:
    """Read segments up to the first one that is none."""
    found: list[SegmentFacts] = []
    folder = plan.output / rung
    for number in range(count):
        try:
            found.append(read_segment(folder / _name(plan, number), find_init(folder)))
        except (FileNotFoundError, MalformedSegment):
            break
    return found


def _pictures(facts: SegmentFacts) -> int:
    return 0 if facts.main_track is None else facts.main_track.count


def _is_full(plan: EncodePlan, segments: int, frames: int) -> bool:
    """Tell whether so many segments have their pictures: FFmpeg ends the one at hand on SIGTERM."""
    return frames >= segments * plan.encoding.segment_s * plan.frame_rate


def _is_early(plan: EncodePlan, frames: int) -> bool:
    wanted = plan.info.video.duration_s
    if wanted is None:
        return True
    return float(frames / plan.frame_rate) < earliest_end_s(wanted)


class Seam:
    """Lets new segments follow on to the kept ones, each before anybody else reads it."""

    def __init__(self, plan: EncodePlan, kept: Kept) -> None:
        self._plan = plan
        self._kept = kept
        #: Rung → packet id → what its counters are off by.
        self._offsets: dict[str, dict[int, int]] = {}
        #: Rung → what its fragments are off by.
        self._delays: dict[str, FragmentClock] = {}

    @property
    def kept(self) -> Kept:
        """What is in front of the new segments."""
        return self._kept

    def first_number(self, rendition: str) -> int:
        """Return the number of the first new segment."""
        return self._kept.segments if rendition in self._kept.counters else 0

    def join(self, rendition: str, name: str) -> None:
        """Change a finished segment in its place; once, in the segments' order. Blocks for 20 ms.

        Renditions that are encoded anew stay as they are.
        """
        last = self._kept.counters.get(rendition)
        if last is None:
            return
        path = self._plan.output / rendition / name
        data = read_output(path)
        if rendition in self._kept.clocks:
            path.write_bytes(shift_clock(data, self._delay(rendition, data)))
            return
        if rendition not in self._offsets:
            self._offsets[rendition] = {
                pid: (last[pid] + 1 - first) & 15
                for pid, (first, _) in read_ts(data).counters.items()
                if pid in last
            }
        path.write_bytes(shift_counters(data, self._offsets[rendition]))

    def _delay(self, rendition: str, data: bytes) -> FragmentClock:
        """Return what a rung's fragments are off by; `data` is the first of them when it asks."""
        if rendition not in self._delays:
            wanted, found = self._kept.clocks[rendition], first_clock(data)
            self._delays[rendition] = FragmentClock(
                ticks=wanted.ticks - found.ticks, sequence=wanted.sequence - found.sequence
            )
        return self._delays[rendition]


def list_kept(plan: EncodePlan, kept: Kept) -> None:
    """Put the kept segments into the playlists that FFmpeg has written of the later ones."""
    for rung in plan.rungs:
        path = plan.output / rung.name / PLAYLIST_NAME
        listed = parse_media_playlist(read_listing(path))
        earlier = [
            # Durations are measured later on.
            Segment(uri=_name(plan, number), duration_s=float(plan.encoding.segment_s))
            for number in range(kept.segments)
        ]
        init_uri = kept.inits.get(rung.name)
        whole = replace(listed, segments=(*earlier, *listed.segments), init_uri=init_uri)
        path.write_text(write_media_playlist(whole))

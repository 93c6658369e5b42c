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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vworker.media.command_line import TS_DELAY_S, later_pictures, sounds_alone
from vworker.media.ffmpeg import run_encoder
from vworker.media.fmp4 import read_init
from vworker.media.fmp4_clock import FragmentClock, first_clock, last_sequence, shift_clock
from vworker.media.hls import Segment, parse_media_playlist, write_media_playlist
from vworker.media.loudness import Loudness
from vworker.media.plan import PLAYLIST_NAME, EncodePlan, find_init, segment_name
from vworker.media.progress import Progress
from vworker.media.segment import MalformedSegment, SegmentFacts
from vworker.media.segment_file import read_listing, read_output, read_segment
from vworker.media.settings import MediaSettings
from vworker.media.ts import read_ts, shift_counters

#: How much sooner than announced the pictures may end (see `vworker.media.output`).
_MISSING_SECONDS, _MISSING_SHARE = 0.5, 0.01
#: How much of a sound a segment needs behind it to be the same wherever the sound ends: an AAC
#: encoder looks ahead by two frames (43 ms).
_CUT_S = 0.5


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
    if plan.info.video.duration_s is None:
        return True
    return float(frames / plan.frame_rate) < _earliest_end_s(plan)


def _earliest_end_s(plan: EncodePlan) -> float:
    """Return after how many seconds of pictures a video may end; 0 when it does not tell."""
    wanted = plan.info.video.duration_s or 0.0
    return wanted - max(_MISSING_SECONDS, wanted * _MISSING_SHARE)


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


async def encode_sounds_so_far(
    plan: EncodePlan,
    kept: Kept,
    settings: MediaSettings,
    on_progress: Callable[[Progress], None],
    *,
    loudness: tuple[Loudness | None, ...] = (),
) -> None:
    """Encode of the sounds what can be told before the pictures are there: `encode_rest` ends them.

    For a video that is played meanwhile; `encode_rest` makes the same segments once more. Where the
    pictures end at the earliest, the sounds are cut; the segment with the cut is removed. Nothing
    is made of a video that does not tell its duration. Safe to repeat. Raises what `run_encoder`
    does.
    """
    segments = int((_earliest_end_s(plan) - _CUT_S) // plan.encoding.segment_s)
    if not plan.sounds or segments < 1:
        return
    end_s = plan.begin_s + segments * plan.encoding.segment_s + _CUT_S
    argv = _sounds_until(end_s, plan, kept, settings, loudness)
    await run_encoder(argv, plan, settings, on_progress)
    for sound in plan.sounds:
        folder = plan.output / sound.folder
        listed = parse_media_playlist(read_listing(folder / PLAYLIST_NAME))
        (folder / listed.segments[-1].uri).unlink()


async def encode_rest(
    plan: EncodePlan,
    kept: Kept,
    settings: MediaSettings,
    on_progress: Callable[[Progress], None],
    *,
    loudness: tuple[Loudness | None, ...] = (),
) -> tuple[str, ...]:
    """Encode what is missing beside the kept segments; then all is as `ffmpeg.encode` leaves it.

    Not safe to repeat in the same folder. Raises what `run_encoder` does.
    """
    argv = later_pictures(
        plan, settings, segments=kept.segments, frames=kept.frames, clock_s=kept.clock_s
    )
    last_lines = await run_encoder(argv, plan, settings, on_progress)
    new = [_list_kept(plan, rung.name, kept) for rung in plan.rungs]
    if plan.sounds:
        frames = kept.frames + sum(
            _pictures(facts) for facts in _read_new(plan, plan.rungs[-1].name, new[-1])
        )
        end_s = plan.begin_s + float(frames / plan.frame_rate)
        argv = _sounds_until(end_s, plan, kept, settings, loudness)
        last_lines += await run_encoder(argv, plan, settings, on_progress)
    return last_lines


def _sounds_until(
    end_s: float,
    plan: EncodePlan,
    kept: Kept,
    settings: MediaSettings,
    loudness: tuple[Loudness | None, ...],
) -> list[str]:
    # The multiplexer of transport streams adds its own.
    shift_s = kept.clock_s - plan.begin_s - (0.0 if kept.clocks else TS_DELAY_S)
    return sounds_alone(plan, settings, loudness, end_s=end_s, shift_s=shift_s)


def _list_kept(plan: EncodePlan, rung: str, kept: Kept) -> Sequence[Segment]:
    """Put the kept segments into FFmpeg's playlist; return those that were in it."""
    path = plan.output / rung / PLAYLIST_NAME
    listed = parse_media_playlist(read_listing(path))
    earlier = [
        # Durations are measured later on.
        Segment(uri=_name(plan, number), duration_s=float(plan.encoding.segment_s))
        for number in range(kept.segments)
    ]
    whole = replace(listed, segments=(*earlier, *listed.segments), init_uri=kept.inits.get(rung))
    path.write_text(write_media_playlist(whole))
    return listed.segments


def _read_new(plan: EncodePlan, rung: str, listed: Sequence[Segment]) -> list[SegmentFacts]:
    folder = plan.output / rung
    return [read_segment(folder / segment.uri, find_init(folder)) for segment in listed]

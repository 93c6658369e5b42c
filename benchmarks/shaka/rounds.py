"""Rounds of the two programs in turn, the same bitrates in both."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import m3u8

from benchmarks.shaka.programs import Made, Programs
from benchmarks.shaka.quality import Quality, mean_rate, measure, picture_bytes
from benchmarks.shaka.shaka_config import nearer
from benchmarks.transcode.cost import Cost
from benchmarks.transcode.program import RunFailed

#: Bits per second by rung.
Rates = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One pair of runs, one straight after the other."""

    worker: Cost
    shaka: Cost
    #: What Shaka Streamer was asked for.
    asked: Rates
    #: Mean rates of the pictures that came out.
    worker_rates: Rates
    shaka_rates: Rates


@dataclass(kw_only=True, slots=True)
class Found:
    """What was measured so far; a run that is cut short leaves whole rounds."""

    rounds: list[Round] = field(default_factory=list)
    #: By rung, of the last round's outputs.
    worker_quality: dict[str, Quality] = field(default_factory=dict)
    shaka_quality: dict[str, Quality] = field(default_factory=dict)


async def measure_rounds(programs: Programs, rounds: int, found: Found) -> None:
    """Run both `rounds` times, then measure the quality of what the last round made.

    The worker's rates follow from its constant quality. Shaka Streamer is asked for them; what
    x264 misses by is made good in the next round. Who runs first changes from round to round.
    Raises RunFailed.
    """
    pictures = len(await picture_bytes(programs.tools, programs.source, programs.folder))
    worker = shaka = None
    asked: Rates = {}
    for number in range(rounds):
        if worker is None or number % 2 == 0:
            worker = await programs.run_worker()
            wanted = await _rates(programs, worker, pictures)
            shaka = await programs.run_shaka(worker.sizes, asked or wanted)
        else:
            shaka = await programs.run_shaka(worker.sizes, asked)
            worker = await programs.run_worker()
            wanted = await _rates(programs, worker, pictures)
        if shaka.sizes != worker.sizes:
            raise RunFailed(f"the ladders differ: {worker.sizes} and {shaka.sizes}")
        made = await _rates(programs, shaka, pictures)
        done = Round(
            worker=worker.cost,
            shaka=shaka.cost,
            asked=asked or wanted,
            worker_rates=wanted,
            shaka_rates=made,
        )
        found.rounds.append(done)
        print(f"round {number + 1}  {done}", file=sys.stderr)
        asked = nearer(done.asked, made, wanted)
    if worker and shaka:
        await _qualities(programs, worker, pictures, found.worker_quality)
        await _qualities(programs, shaka, pictures, found.shaka_quality)


async def _rates(programs: Programs, made: Made, pictures: int) -> Rates:
    """Mean rates by rung; raises RunFailed unless every rung has all pictures."""
    rates = {}
    for rung, playlist in made.playlists.items():
        sizes = await picture_bytes(programs.tools, playlist, programs.folder)
        if len(sizes) != pictures:
            raise RunFailed(f"{playlist} has {len(sizes)} of {pictures} pictures")
        rates[rung] = mean_rate(sizes, _seconds(playlist))
    return rates


async def _qualities(
    programs: Programs, made: Made, pictures: int, found: dict[str, Quality]
) -> None:
    for rung, playlist in made.playlists.items():
        found[rung] = await measure(
            programs.tools, playlist, programs.source, programs.folder, pictures=pictures
        )
        print(f"{playlist}  {found[rung]}", file=sys.stderr)


def _seconds(playlist: Path) -> float:
    return math.fsum(segment.duration for segment in m3u8.load(str(playlist)).segments)

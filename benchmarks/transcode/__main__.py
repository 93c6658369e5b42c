"""Measure, keep the result, print the figures beside their bounds.

    python -m benchmarks.transcode [--seconds 60] [--rounds 5] [--jobs 200] [--minutes 45]

Each round runs the three ways of `ways.py` one after another, and each round begins with another
one; ratios are taken within a round. When the minutes are over, the rounds that were complete by
then are told. The embedded servers run on the same cores: their work counts against whole jobs.
Exits with 1 when a bound is missed or there was no time to look.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import host
from benchmarks.results import FOLDER
from benchmarks.transcode.figures import Round, figures_of, table
from benchmarks.transcode.memory import Sample, worker_memory
from benchmarks.transcode.program import RunFailed
from benchmarks.transcode.setting import make_short_clip, make_source, opened_ways
from benchmarks.transcode.ways import NAMES, Outcome, Ways
from devstack import Stack
from vworker.media.encoding import Encoding

#: Of the shape of a result file.
FORMAT = 1


@dataclass(kw_only=True, slots=True)
class Found:
    """What was measured so far; a run that is cut short leaves whole rounds and samples."""

    rounds: list[Round] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


async def run_rounds(ways: Ways, rounds: int, found: Found) -> None:
    """Run every way in each round, beginning with another one each time."""
    for number in range(rounds):
        order = [NAMES[(number + place) % len(NAMES)] for place in range(len(NAMES))]
        outcomes: dict[str, Outcome] = {}
        for name in order:
            outcomes[name] = await ways.run(name)
            print(f"round {number + 1}  {name:8}  {outcomes[name]}", file=sys.stderr)
        if len({tuple(outcome.segments.items()) for outcome in outcomes.values()}) > 1:
            raise RunFailed(f"the ways made different segments: {outcomes}")
        found.rounds.append(outcomes)


async def measure(
    arguments: argparse.Namespace, env: Mapping[str, str], folder: Path, found: Found
) -> None:
    """Measure everything into `found`."""
    source, short = folder / "source.mp4", folder / "short.mp4"
    if arguments.source is None:
        await make_source(env["FFMPEG"], source, arguments.seconds)
    else:
        source = arguments.source.resolve()
    await make_short_clip(env["FFMPEG"], short)
    async with opened_ways(env, folder, source=source, encoding=Encoding()) as ways:
        await run_rounds(ways, arguments.rounds, found)
        if arguments.jobs:
            sampled = worker_memory(
                short, jobs=arguments.jobs, environ=env, storage=ways.storage, folder=folder
            )
            async for sample in sampled:
                found.samples.append(sample)


async def measure_in_time(
    arguments: argparse.Namespace, env: Mapping[str, str], folder: Path
) -> Found:
    """Measure for at most the minutes that were given."""
    found = Found()
    try:
        async with asyncio.timeout(arguments.minutes * 60):
            await measure(arguments, env, folder, found)
    except TimeoutError:
        print(f"stopped after {arguments.minutes:g} minutes", file=sys.stderr)
    return found


def write_result(found: Found, machine: Mapping[str, object], folder: Path) -> Path:
    """Write the result file; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    content = {
        "format": FORMAT,
        "machine": machine,
        "rounds": [{name: asdict(one[name]) for name in NAMES} for one in found.rounds],
        "memory": [asdict(sample) for sample in found.samples],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transcode", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="length of the source (60)")
    parser.add_argument("--source", type=Path, help="a video of your own instead")
    parser.add_argument("--rounds", type=int, default=5, help="of all three ways (5)")
    parser.add_argument("--jobs", type=int, default=200, help="short ones, for the memory (200)")
    parser.add_argument("--minutes", type=float, default=45, help="bound on it all (45)")
    parser.add_argument("--folder", type=Path, default=FOLDER / "transcode", help="of results")
    arguments = parser.parse_args()
    machine = host("benchmarks.transcode")
    with tempfile.TemporaryDirectory() as folder, Stack(folder=Path(folder) / "stack") as stack:
        env = stack.start()
        os.environ.update({name: env[name] for name in env if name.startswith("AWS_")})
        found = asyncio.run(measure_in_time(arguments, env, Path(folder)))
    figures = figures_of(found.rounds, found.samples)
    print(table(figures))
    print(f"\n{write_result(found, machine, arguments.folder)}")
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

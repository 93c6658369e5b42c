"""Runs scenarios with contenders, interleaved, so that what the machine does hits all alike."""

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench, NotCarriedOut
from benchmarks.machine import fingerprint
from benchmarks.peers.catalogue import LIMIT, REFERENCE, Contender
from benchmarks.peers.protocol import UNSUPPORTED, PeerFailed, ProtocolError
from benchmarks.placement import Placement
from benchmarks.program import ProgramGone
from benchmarks.results import Results, Run
from benchmarks.scenarios import Scenario
from benchmarks.server import BenchValkey, RedisProbe
from benchmarks.targets import OURS
from devstack import Mongod

logger = logging.getLogger(__name__)

#: Failures of one contender in one scenario after which it is not asked again.
_MOST_FAILURES = 2

#: Scenarios that the physical limit is measured with.
LIMIT_SCENARIOS = frozenset({"add-one", "add-bulk", "consume-500"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One run that is to be done."""

    scenario: Scenario
    contender: Contender
    repeat: int


def plan(
    scenarios: Sequence[Scenario], contenders: Sequence[Contender], *, repeats: int, quick: bool
) -> Iterator[Planned]:
    """Give the runs in their order: repeat by repeat, scenario by scenario.

    The contenders of one scenario and repeat follow each other, and each repeat begins with
    another one, so that none always runs first. vqueue and the one that it is compared to are
    neighbours, now this one first, now that one.
    """
    names = (OURS, REFERENCE)
    pair = [chosen for chosen in contenders if chosen.label in names]
    others = [chosen for chosen in contenders if chosen.label not in names]
    for repeat in range(repeats):
        first = repeat % (len(others) + 1)
        turn = [
            *others[len(others) - first :],
            *pair[:: (-1) ** repeat],
            *others[: len(others) - first],
        ]
        for scenario in scenarios:
            if quick and scenario.quick_repeats is not None and repeat >= scenario.quick_repeats:
                continue
            for contender in turn:
                if _takes_part(contender, scenario, quick=quick):
                    yield Planned(scenario=scenario, contender=contender, repeat=repeat)


def _takes_part(contender: Contender, scenario: Scenario, *, quick: bool) -> bool:
    if contender.peer.name == LIMIT.name:
        return scenario.name in LIMIT_SCENARIOS
    return scenario.is_for(contender.peer.name, quick=quick)


def run_all(
    planned: Sequence[Planned], *, quick: bool, report: Callable[[int, Run], None]
) -> Results:
    """Do the runs on servers of our own; `report` hears of each with its number.

    A run that fails is a run with a failure in the results, not the end; after two of them the
    rest of its kind is left out, as failed. When it is interrupted from the keyboard, it ends with
    what it has. Raises ServerError, ProgramMissing, TooFewCores.
    """
    placement = Placement.of_this_machine()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vqueue-bench-")))
        probes: dict[bool, RedisProbe] = {}
        for aof in sorted({item.scenario.aof for item in planned}):
            server = BenchValkey(folder / f"aof-{aof}", placement=placement, aof=aof)
            stack.enter_context(server)
            probes[aof] = RedisProbe(server.settings()["REDIS_URL"])
            stack.callback(probes[aof].close)
        mongo_uri = ""
        if any(item.scenario.mongo for item in planned):
            mongo_uri = stack.enter_context(Mongod(folder / "mongo")).settings()["MONGODB_URI"]
        version = next(iter(probes.values())).version()
        results = Results(
            machine=fingerprint(placement, redis_version=version),
            quick=quick,
            planned=len(planned),
        )
        try:
            for number, item in enumerate(planned):
                if is_hopeless(item, results):
                    run = _left_out(item)
                    results.runs.append(run)
                    report(number, run)
                    continue
                bench = Bench(
                    contender=item.contender,
                    placement=placement,
                    redis=probes[item.scenario.aof],
                    quick=quick,
                    log=folder / f"{item.contender.peer.name}.log",
                    queue_name=f"bench-{number}",
                    mongo_uri=mongo_uri,
                )
                run = asyncio.run(_run(item, bench))
                results.runs.append(run)
                if bench.versions:
                    results.versions[item.contender.label] = bench.versions
                    results.guarantees[item.contender.label] = bench.guarantees
                report(number, run)
        except KeyboardInterrupt:
            logger.warning("interrupted: %d of %d runs are kept", len(results.runs), len(planned))
    return results


def is_hopeless(item: Planned, results: Results) -> bool:
    """Whether what is planned has failed so often that a further try would take time only."""
    failed = [
        run
        for run in results.failures()
        if (run.scenario, run.contender) == (item.scenario.name, item.contender.label)
    ]
    return len(failed) >= _MOST_FAILURES


def _left_out(item: Planned) -> Run:
    return Run(
        scenario=item.scenario.name,
        contender=item.contender.label,
        repeat=item.repeat,
        failure=f"left out: it has failed {_MOST_FAILURES} times before",
    )


async def _run(item: Planned, bench: Bench) -> Run:
    """Empty Redis, measure, and say what came of it."""
    bench.redis.empty()
    started = time.monotonic()
    figures: dict[str, float] = {}
    failure, unsupported = None, False
    try:
        async with asyncio.timeout(item.scenario.limit_s):
            figures = await item.scenario.measure(bench)
    except TimeoutError:
        failure = f"given up after {item.scenario.limit_s:g} s"
    except PeerFailed as error:
        failure = str(error)
        unsupported = failure.startswith(UNSUPPORTED)
    except (NotCarriedOut, ProgramGone, ProtocolError) as error:
        failure = str(error)
    if failure and not unsupported:
        logger.warning(
            "%s with %s: %s\n%s",
            item.scenario.name,
            item.contender.label,
            failure,
            _tail(bench.log),
            extra={"action": "bench_run_failed"},
        )
    wrong = bench.tally.describe() if bench.tally is not None else ""
    return Run(
        scenario=item.scenario.name,
        contender=item.contender.label,
        repeat=item.repeat,
        figures=figures,
        failure=failure,
        unsupported=unsupported,
        not_exactly_once=wrong or None,
        wall_s=round(time.monotonic() - started, 2),
    )


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in lines[-15:])

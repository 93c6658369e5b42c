"""`python -m benchmarks setup | run | report`; each has --help."""

import argparse
import logging
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CalledProcessError

from benchmarks import environments, results
from benchmarks.peers.catalogue import LIMIT, PEERS, REFERENCE, Contender, Peer, contender
from benchmarks.placement import Placement, TooFewCores
from benchmarks.report import choice, pages
from benchmarks.report.tables import EMPTY_SHARES, guarantee_table, limit_table, target_table
from benchmarks.results import NotAResult, Results, Run
from benchmarks.runner import plan, run_all
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.targets import OURS, Verdict, judge
from devstack.binaries import ProgramMissing
from devstack.server import ServerError

#: The contenders of `--quick`: ours, the strongest peer, two in Python.
QUICK_PEERS = (OURS, REFERENCE, "saq", "taskiq-redis")
#: Those of a full run: all, and ours without the setting that is not everybody's.
ALL_PEERS = (*PEERS, f"{OURS}:no-busy-poll")
REPEATS, QUICK_REPEATS = 5, 3


class InstallFailed(Exception):
    """A peer's environment could not be made: pip or npm failed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do one command; 0 when all is well, 1 when a target is missed, or runs or an installer
    failed, 2 when nothing could be done."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        if options.command == "setup":
            return _setup(options.peers)
        if options.command == "run":
            return _run(options)
        return _report(options)
    except InstallFailed as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except (
        NotAResult,
        ProgramMissing,
        ServerError,
        TooFewCores,
        environments.NotSetUp,
        pages.NoMarkers,
    ) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    setup = commands.add_parser("setup", help="make the environments of peers")
    run = commands.add_parser("run", help="measure, and keep the result")
    for command in (setup, run):
        command.add_argument(
            "--peers",
            nargs="+",
            type=_contender,
            metavar="PEER[:SETTING]",
            help=f"of {', '.join(PEERS)} (default: all; for --quick {', '.join(QUICK_PEERS)})",
        )
    run.add_argument(
        "--scenarios",
        nargs="+",
        choices=SCENARIOS,
        metavar="SCENARIO",
        help=f"of {', '.join(SCENARIOS)} (default: all that fit)",
    )
    run.add_argument("--repeats", type=_repeats, help=f"{REPEATS}, for --quick {QUICK_REPEATS}")
    run.add_argument(
        "--quick", action="store_true", help="fewer jobs, peers and scenarios: under 5 minutes"
    )
    run.add_argument("--no-setup", action="store_true", help="fail rather than install anything")
    report = commands.add_parser("report", help="write docs/benchmarks.md and its plots")
    report.add_argument("result", nargs="?", type=Path, help="default: the newest complete one")
    report.add_argument("--readme", action="store_true", help="rewrite the README's block, too")
    return parser


def _contender(label: str) -> Contender:
    try:
        return contender(label)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _repeats(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _setup(peers: list[Contender] | None) -> int:
    for chosen in peers or [contender(name) for name in PEERS]:
        _make(chosen.peer)
        print(f"{chosen.peer.name} is set up", flush=True)
    return 0


def _make(peer: Peer) -> None:
    """Make its environment unless it is current; raises InstallFailed, NotSetUp."""
    if environments.is_current(peer):
        return
    print(f"setting up {peer.name}", flush=True)
    try:
        environments.make(peer)
    except CalledProcessError as error:
        raise InstallFailed(
            f"{peer.name} is not set up: `{shlex.join(error.cmd)}` ended with {error.returncode}. "
            "When the index of packages can be reached, repeat it with "
            f"`python -m benchmarks setup --peers {peer.name}`, or choose others with --peers"
        ) from error


def _run(options: argparse.Namespace) -> int:
    contenders: list[Contender] = options.peers or [
        contender(name) for name in (QUICK_PEERS if options.quick else ALL_PEERS)
    ]
    if any(chosen.peer.name == OURS for chosen in contenders):
        contenders = [*contenders, contender(LIMIT.name)]
    for chosen in contenders:
        if not options.no_setup:
            _make(chosen.peer)
        environments.require(chosen.peer)
    scenarios: list[Scenario] = [
        SCENARIOS[name] for name in options.scenarios or scenarios_that_fit()
    ]
    planned = list(
        plan(
            scenarios,
            contenders,
            repeats=options.repeats or (QUICK_REPEATS if options.quick else REPEATS),
            quick=options.quick and not options.scenarios,
        )
    )

    def tell(number: int, run: Run) -> None:
        headline = SCENARIOS[run.scenario].headline
        found = f"{run.figures[headline]:,.2f} {headline}" if run.figures else run.failure
        remark = f"  NOT EXACTLY ONCE: {run.not_exactly_once}" if run.not_exactly_once else ""
        print(
            f"[{number + 1}/{len(planned)}] {run.scenario:16} {run.contender:16} {found}{remark}",
            flush=True,
        )

    found = run_all(planned, quick=options.quick, report=tell)
    path = results.FOLDER / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(found.to_json())
    print(f"\n{pages.headlines(found)}\n")
    if share := limit_table(found):
        print(f"{share}\n\n{EMPTY_SHARES}\n")
    print(f"{guarantee_table(found)}\n\nkept as {path}\n")
    return verdict(found)


def scenarios_that_fit() -> list[str]:
    """Name the scenarios that this machine has cores for, and tell of the others."""
    cores = len(Placement.of_this_machine().all_clients)
    for scenario in SCENARIOS.values():
        if scenario.client_cores > cores:
            print(
                f"left out: {scenario.name}, which needs {scenario.client_cores} cores for clients "
                f"and has {cores} (--scenarios {scenario.name} runs it)"
            )
    return [scenario.name for scenario in SCENARIOS.values() if scenario.client_cores <= cores]


def verdict(found: Results) -> int:
    """Print the table of targets; 1 when one is missed, runs were left undone, or what a target
    rests on failed or is inexact, with any setting.

    What goes wrong with other peers is in the tables above.
    """
    rows = judge(found)
    print(target_table(rows))
    missed = [row.target.title for row in rows if row.verdict is Verdict.MISSED]
    failed = [
        f"{run.scenario} with {run.contender}"
        for run in found.failures()
        if _peer(run) in (OURS, REFERENCE, LIMIT.name)
    ]
    inexact = [
        f"{run.scenario} with {run.contender}"
        for runs in found.inexact().values()
        for run in runs
        if _peer(run) in (OURS, REFERENCE)
    ]
    undone = [f"{found.planned - len(found.runs)} of {found.planned} runs"]
    wrong = {
        "missed": missed,
        "failed": failed,
        "not exactly once": inexact,
        "not done": undone if len(found.runs) < found.planned else [],
    }
    for what, names in wrong.items():
        if names:
            print(f"{what}: {'; '.join(dict.fromkeys(names))}")
    return int(any(wrong.values()))


def _peer(run: Run) -> str:
    """The name of its queue, without the setting."""
    return run.contender.partition(":")[0]


def _report(options: argparse.Namespace) -> int:
    source: Path = options.result or choice.newest_complete()
    found = results.load(source)
    print(f"from {source}")
    if lacks := choice.lacking(found):
        print(f"benchmarks: {lacks}", file=sys.stderr)
    for path in pages.write_page(found, source):
        print(path)
    if options.readme:
        pages.write_readme(found, source)
        print(pages.README)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command `python -m vworker check`: a published video against the rules, from anywhere."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

from vworker.media.check.checker import check
from vworker.media.check.deadline import TooSlow
from vworker.media.check.files import Absent, Files, Folder, Site
from vworker.media.check.rules import RULES, Finding, Level, Report
from vworker.result import MASTER_NAME

EXIT_OK = 0
EXIT_BROKEN = 1
#: sysexits' EX_NOINPUT.
EXIT_NO_INPUT = 66
#: sysexits' EX_TEMPFAIL.
EXIT_TOO_SLOW = 75
#: Findings that are printed per rule; --json has all.
_MOST_SHOWN = 3


def build_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m vworker check",
        description="Test a published HLS video against the rules of Apple and RFC 8216.",
        epilog=(
            "Exit codes: 0 every rule is kept that must be, 1 one is broken, 2 wrong arguments, "
            "66 there is no master playlist, 75 the server was too slow."
        ),
    )
    parser.add_argument(
        "target", help=f"a folder with {MASTER_NAME}, or path or URL of a master playlist"
    )
    parser.add_argument(
        "--source-seconds",
        type=float,
        metavar="S",
        help="duration of the source's pictures, to test that nothing is missing",
    )
    parser.add_argument(
        "--strict", action="store_true", help="rules that should be kept count as well"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=3600.0,
        metavar="S",
        help="seconds that a server may take for all that is loaded from it (3600)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: list[str]) -> int:
    """Check, print the report, return the exit code."""
    arguments = build_parser().parse_args(argv)
    files, master_uri = _open(arguments.target, arguments.timeout)
    try:
        report = check(files, master_uri, source_s=arguments.source_seconds)
    except Absent as error:
        print(f"vworker check: {arguments.target}: {error}", file=sys.stderr)  # noqa: T201 - its use
        return EXIT_NO_INPUT
    except TooSlow as error:
        print(  # noqa: T201 - its use
            f"vworker check: {arguments.target}: {error}; --timeout sets another time",
            file=sys.stderr,
        )
        return EXIT_TOO_SLOW
    print(_as_json(report) if arguments.json else _as_text(report))  # noqa: T201 - its use
    counted = report.findings if arguments.strict else report.of_level(Level.MUST)
    return EXIT_BROKEN if counted else EXIT_OK


def _open(target: str, within_s: float) -> tuple[Files, str]:
    """Return where to read from, and the master playlist's name there."""
    if urlsplit(target).scheme in {"http", "https"}:
        return Site(target, within_s=within_s), urlsplit(target).path.rpartition("/")[2]
    path = Path(target)
    if path.is_dir():
        return Folder(path), MASTER_NAME
    return Folder(path.parent), path.name


def _as_json(report: Report) -> str:
    return json.dumps(
        {
            "passed": report.passed,
            "findings": [
                {
                    "rule": finding.rule.number,
                    "level": finding.rule.level,
                    "where": finding.where,
                    "found": finding.found,
                }
                for finding in report.findings
            ],
        },
        indent=2,
    )


def _as_text(report: Report) -> str:
    """Return a line for every rule, those that are broken with what was found."""
    found: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        found[finding.rule.number].append(finding)
    lines = []
    for number, rule in RULES.items():
        verdict = "ok" if number not in found else "BROKEN" if rule.level is Level.MUST else "no"
        lines.append(f"{verdict:<7}{number:<13}{rule.level:<7}{rule.says}")
        lines += [f"         {item.where}: {item.found}" for item in found[number][:_MOST_SHOWN]]
        if (more := len(found[number]) - _MOST_SHOWN) > 0:
            lines.append(f"         and {more} more")
    kept = len(RULES) - len({finding.rule.number for finding in report.findings})
    broken = len({finding.rule.number for finding in report.of_level(Level.MUST)})
    lines.append(f"{kept} of {len(RULES)} rules are kept; {broken} are broken that must not be")
    return "\n".join(lines)

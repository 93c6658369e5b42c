"""Markdown tables of a result. Every number is a median with its lowest and highest repeat."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.peers.catalogue import LIMIT
from benchmarks.results import Results
from benchmarks.scenarios import SCENARIOS
from benchmarks.spread import Spread
from benchmarks.targets import OURS, Row, Target, best_slots

#: Columns of figure tables: figure → title.
COSTS = {
    "redis_us_per_job": "Redis µs",
    "redis_commands_per_job": "commands",
    "redis_bytes_per_job": "bytes",
    "client_us_per_job": "client µs",
    "redis_busy": "Redis busy",
    "client_busy": "client busy",
}
MEMORY = {
    "waiting_bytes": "bytes waiting",
    "kept_bytes": "bytes kept",
    "redis_us_per_job": "Redis µs",
    "redis_commands_per_job": "commands",
    "redis_bytes_per_job": "bytes sent",
}
LATENCY = {"p50_ms": "p50, ms", "p99_ms": "p99, ms"}

#: Under tables with contenders in their columns.
EMPTY_CELLS = (
    "`-`: not measured. The scenario leaves this queue out, or its adapter makes no such call: "
    "the queue has none, or none that fits the scenario."
)
#: Under the table of the limit.
EMPTY_SHARES = "`-`: no share, the commands of a job differ by more than 20 %."

#: How many times as many commands a job may cost where a share of the limit is still one.
_ALIKE = 1.2


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    size = abs(value)
    if size >= 1000:
        digits = len(str(int(size)))
        return f"{round(value, 3 - digits):,.0f}"
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{decimals}f}"


def spread_text(spread: Spread | None) -> str:
    """`median (low-high)`, the median alone for one repeat, `-` for none."""
    if spread is None:
        return "-"
    if spread.repeats == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)}–{number(spread.high)})"  # noqa: RUF001


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """A Markdown table; the first column is text, the others are numbers or text, too."""
    rule = ["---", *("---:" if numbers else "---" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def target_table(rows: Sequence[Row]) -> str:
    """The ratios and bounds with what was found."""
    return table(
        ["target", "bound", "found", "verdict"],
        ((row.target.title, _bound(row.target), _found(row), row.verdict.value) for row in rows),
    )


def _bound(target: Target) -> str:
    sign = "≥" if target.at_least else "≤"
    unit = "× BullMQ Node" if target.is_ratio else target.unit  # noqa: RUF001
    return f"{sign} {target.bound:g} {unit}".rstrip()


def _found(row: Row) -> str:
    return spread_text(row.found)


def headline_table(results: Results) -> str:
    """Scenarios in rows, contenders in columns, each scenario's headline in the cells."""
    contenders = [label for label in results.contenders if label != LIMIT.name]
    rows = []
    for name in results.scenarios:
        scenario = SCENARIOS[name]
        cells = (_cell(results, name, label, scenario.headline) for label in contenders)
        rows.append((f"{scenario.title}, {scenario.headline}", *cells))
    return table(["scenario", *contenders], rows)


def _cell(results: Results, scenario: str, contender: str, figure: str) -> str:
    runs = [r for r in results.runs if r.scenario == scenario and r.contender == contender]
    spread = results.spread(scenario, contender, figure)
    if spread is None and any(run.failure and not run.unsupported for run in runs):
        return "failed"
    mark = " †" if any(run.not_exactly_once for run in runs) else ""
    return spread_text(spread) + mark


def figure_table(results: Results, scenario: str, columns: Mapping[str, str]) -> str:
    """Several figures of one scenario, by contender."""
    rows = [
        (label, *(spread_text(spread) for spread in spreads))
        for label in results.contenders
        if any(spreads := [results.spread(scenario, label, figure) for figure in columns])
    ]
    return table(["", *columns.values()], rows)


def limit_table(results: Results) -> str:
    """Our share of what one Redis core does with the same commands pipelined; may be empty.

    The commands of a job stand beside both: where they differ by more than a fifth, the batches are
    of other sizes, or the scripts have changed and limit_peer.py has not, and there is no share.
    """
    rows = []
    pairs = [(name, name) for name in ("add-one", "add-bulk", "consume-500")]
    if (best := best_slots(results, OURS)) not in (None, "consume-500"):
        pairs.append(("consume-500", best))
    for scenario, ours in pairs:
        limit = results.spread(scenario, LIMIT.name, "jobs_per_s")
        reached = results.spread(ours, OURS, "jobs_per_s")
        if limit is None or reached is None:
            continue
        commands = [
            results.spread(name, label, "redis_commands_per_job")
            for name, label in ((scenario, LIMIT.name), (ours, OURS))
        ]
        share = f"{reached.median / limit.median:.0%}" if _alike(*commands) else "-"
        rows.append(
            (
                ours,
                spread_text(limit),
                spread_text(reached),
                share,
                *(spread_text(spread) for spread in commands),
                spread_text(results.spread(ours, OURS, "redis_busy")),
                spread_text(results.spread(ours, OURS, "client_busy")),
            )
        )
    if not rows:
        return ""
    head = ["", "limit, jobs/s", "vqueue, jobs/s", "share"]
    head += ["its commands a job", "ours", "Redis busy", "client busy"]
    return table(head, rows)


def _alike(one: Spread | None, other: Spread | None) -> bool:
    """Whether the medians differ by a fifth of the lower one at most."""
    if one is None or other is None:
        return False
    low, high = sorted((one.median, other.median))
    return high <= _ALIKE * low


def short_guarantee_table(results: Results) -> str:
    """What each queue promises at its speed."""
    return table(
        ["queue", "guarantees at that speed"],
        (
            (label, results.guarantees.get(label, "-"))
            for label in results.contenders
            if label != LIMIT.name
        ),
        numbers=False,
    )


def guarantee_table(results: Results) -> str:
    """What each contender promises at its speed, and the versions measured."""
    return table(
        ["contender", "guarantees at that speed", "versions"],
        (
            (
                label,
                results.guarantees.get(label, "-"),
                ", ".join(f"{k} {v}" for k, v in results.versions.get(label, {}).items()),
            )
            for label in results.contenders
        ),
        numbers=False,
    )

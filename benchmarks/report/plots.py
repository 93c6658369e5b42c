"""Bar charts as SVG text, readable on a light and on a dark page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.peers.catalogue import LIMIT
from benchmarks.report.tables import number
from benchmarks.results import Results
from benchmarks.scenarios import SCENARIOS
from benchmarks.spread import Spread
from benchmarks.targets import OURS

_WIDTH = 720
_LABELS = 150
_VALUES = 150
_BAR = 22
_GAP = 8
_TOP = 44
_SPAN = _WIDTH - _LABELS - _VALUES

_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600}"
    ".ours{fill:#1f77b4}.other{fill:#9aa5b1}.spread{stroke:#333;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.spread{stroke:#ddd}}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One contender's figure."""

    label: str
    value: Spread
    is_ours: bool


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars with whiskers from the lowest to the highest repeat, in the order given."""
    scale = _SPAN / (max((bar.value.high for bar in bars), default=0.0) or 1.0)
    height = _TOP + len(bars) * (_BAR + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="8" y="24">{escape(title)}</text>',
    ]
    for place, bar in enumerate(bars):
        parts += _bar(bar, top=_TOP + place * (_BAR + _GAP), scale=scale)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(bar: Bar, *, top: int, scale: float) -> list[str]:
    middle = top + _BAR / 2
    spread = bar.value
    low, median, high = (
        _LABELS + value * scale for value in (spread.low, spread.median, spread.high)
    )
    kind = "ours" if bar.is_ours else "other"
    return [
        f'<text x="{_LABELS - 8}" y="{middle + 4:g}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{median - _LABELS:.1f}" '
        f'height="{_BAR}"/>',
        f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:g}" y2="{middle:g}"/>',
        f'<text x="{high + 8:.1f}" y="{middle + 4:g}">{number(spread.median)}</text>',
    ]


def scenario_chart(results: Results, scenario: str) -> str | None:
    """The chart of a scenario's headline, the best first; None with fewer than two contenders."""
    described = SCENARIOS[scenario]
    bars = [
        Bar(label=label, value=spread, is_ours=label.partition(":")[0] == OURS)
        for label in results.contenders
        if label != LIMIT.name
        if (spread := results.spread(scenario, label, described.headline)) is not None
    ]
    if len(bars) < 2:
        return None
    bars.sort(key=lambda bar: bar.value.median, reverse=described.more_is_better)
    direction = "more" if described.more_is_better else "less"
    return bar_chart(f"{described.title} ({described.headline}, {direction} is better)", bars)

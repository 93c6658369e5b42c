"""The figures of a run beside their bounds."""

from collections.abc import Sequence

from benchmarks.shaka.rounds import Found
from benchmarks.spread import Spread
from benchmarks.transcode.figures import Figure

#: The worker may have this much more bitrate in a comparison of quality.
_SAME_RATE = 1.02


def figures_of(found: Found) -> list[Figure]:
    """Judge what was measured; pure. Qualities are those of the last round, at its rates."""
    rounds = found.rounds
    figures = [
        Figure(
            name="worker ÷ Shaka Streamer, wall time",
            bound=1.0,
            found=_spread([one.worker.wall_s / one.shaka.wall_s for one in rounds]),
        ),
        Figure(
            name="worker ÷ Shaka Streamer, CPU time",
            found=_spread([one.worker.children_cpu_s / one.shaka.children_cpu_s for one in rounds]),
        ),
    ]
    if not (rounds and found.shaka_quality):
        unknown = Figure(
            name="VMAF, worker minus Shaka Streamer", bound=0, at_most=False, found=None
        )
        return [*figures, unknown]
    last = rounds[-1]
    for rung, theirs in found.shaka_quality.items():
        ours = found.worker_quality[rung]
        figures += [
            Figure(
                name=f"{rung}: bitrate, worker ÷ Shaka Streamer",
                bound=_SAME_RATE,
                found=_spread([last.worker_rates[rung] / last.shaka_rates[rung]]),
            ),
            Figure(
                name=f"{rung}: VMAF, worker minus Shaka Streamer",
                bound=0,
                at_most=False,
                found=_spread([ours.vmaf - theirs.vmaf]),
            ),
            Figure(
                name=f"{rung}: PSNR in dB, worker minus Shaka Streamer",
                found=_spread([ours.psnr - theirs.psnr]),
            ),
        ]
    return figures


def rates_table(found: Found) -> str:
    """Return bitrate and VMAF of each rung of the last round as a Markdown table; pure."""
    lines = [
        "| rung | worker: kbit/s | VMAF | PSNR | Shaka Streamer: kbit/s | VMAF | PSNR |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for rung, theirs in found.shaka_quality.items():
        ours, last = found.worker_quality[rung], found.rounds[-1]
        lines.append(
            f"| {rung} | {last.worker_rates[rung] / 1000:.0f} | {ours.vmaf:.2f} | {ours.psnr:.2f} "
            f"| {last.shaka_rates[rung] / 1000:.0f} | {theirs.vmaf:.2f} | {theirs.psnr:.2f} |"
        )
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread.of(values) if values else None

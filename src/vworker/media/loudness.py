"""Loudness of sound tracks (EBU R 128): measured in a run of its own, brought to a target in the
encode.

Two passes, since one pass has to guess what comes: it pumps. With what the first one measured,
`loudnorm` is a plain gain wherever the true peak allows that. Costs a decoding of the sound alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from vworker.media.json_values import mapping, number
from vworker.media.plan import SOURCE_NAME, EncodePlan, Sound
from vworker.media.probe import input_limits
from vworker.media.process import run_child
from vworker.media.settings import MediaSettings
from vworker.sandbox import Access

logger = logging.getLogger(__name__)

#: dBTP that no sample may exceed after the encoder: AAC overshoots by up to one.
_TRUE_PEAK = -1.5
#: LU between loud and quiet that is left as it is; 20 lets every film through.
_RANGE = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Loudness:
    """What one track measures."""

    integrated_lufs: float
    true_peak_dbtp: float
    range_lu: float
    threshold_lufs: float

    def filter(self, target_lufs: float | None) -> str:
        """Return the filter that brings such a track to the target."""
        return (
            f"loudnorm=I={target_lufs}:TP={_TRUE_PEAK}:LRA={_RANGE}:linear=true"
            f":measured_I={self.integrated_lufs}:measured_TP={self.true_peak_dbtp}"
            f":measured_LRA={self.range_lu}:measured_thresh={self.threshold_lufs}"
        )


async def measure_loudness(
    plan: EncodePlan, settings: MediaSettings
) -> tuple[Loudness | None, ...]:
    """Measure every sound of a plan; None for one that is silent or cannot be measured.

    Empty when the plan's encoding asks for no loudness. Safe to repeat. Raises `TranscodeError`
    when FFmpeg cannot be run; a run that takes longer than `stall_timeout_s` per ten minutes of
    sound is given up, and its track left as it is.
    """
    if plan.encoding.loudness_lufs is None:
        return ()
    return tuple([await _measure(plan, sound, settings) for sound in plan.sounds])


async def _measure(plan: EncodePlan, sound: Sound, settings: MediaSettings) -> Loudness | None:
    argv = [
        settings.ffmpeg,
        *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"),
        *input_limits(settings.source_limits),
        *("-i", f"file:{SOURCE_NAME}"),
        *("-map", f"0:{sound.stream.index}", "-vn", "-sn", "-dn", "-ac", "2"),
        *("-af", f"loudnorm=TP={_TRUE_PEAK}:LRA={_RANGE}:print_format=json", "-f", "null", "-"),
    ]
    allowed_s = settings.stall_timeout_s * (1 + (plan.duration_s or 0) / 600)
    try:
        ended = await run_child(
            argv,
            access=Access(folder=plan.scratch, reads=(SOURCE_NAME,)),
            timeout_s=allowed_s,
            on_output=lambda _: None,
            settings=settings,
        )
    except TimeoutError:
        logger.warning(
            "the loudness of %s was not measured within %g s",
            sound.folder,
            allowed_s,
            extra={"action": "measure_loudness"},
        )
        return None
    return read_loudness(ended.last_lines)


def read_loudness(lines: Sequence[str]) -> Loudness | None:
    """Read `loudnorm`'s JSON among FFmpeg's last lines; None for silence and without it; pure."""
    try:
        start = len(lines) - 1 - lines[::-1].index("{")
        end = lines.index("}", start)
        told = mapping(json.loads("".join(lines[start : end + 1])))
    except ValueError:
        return None
    values = [number(told.get(f"input_{name}")) for name in ("i", "tp", "lra", "thresh")]
    integrated, peak, spread, threshold = values
    if integrated is None or peak is None or spread is None or threshold is None:
        return None
    return Loudness(
        # Its own bounds for what it takes back.
        integrated_lufs=max(integrated, -99.0),
        true_peak_dbtp=min(max(peak, -99.0), 99.0),
        range_lu=min(spread, 99.0),
        threshold_lufs=max(threshold, -99.0),
    )

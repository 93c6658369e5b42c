"""The check of one attempt's output, between the encode and the master playlist."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.check.rules import Level
from vworker.media.output import RenditionFiles
from vworker.media.plan import EncodePlan
from vworker.result import MASTER_NAME

logger = logging.getLogger(__name__)

_MOST_TOLD = 10


def verify(plan: EncodePlan, measured: Mapping[str, RenditionFiles]) -> None:
    """Refuse an output that breaks a rule that must be kept. Blocks; safe to repeat.

    Playlists are read from the disk, as a player would get them; segments were read when they were
    measured. Raises `TranscodeError` (output_invalid), whose detail names every rule.
    """
    known = {
        f"{name}/{listed.uri}": facts
        for name, files in measured.items()
        for listed, facts in zip(files.playlist.segments, files.segments, strict=True)
    }
    report = check(Folder(plan.output), MASTER_NAME, source_s=plan.duration_s, known=known)
    for finding in report.of_level(Level.SHOULD):
        logger.debug("output: %s", finding, extra={"action": "check"})
    if report.passed:
        return
    broken = report.of_level(Level.MUST)
    rules = ", ".join(dict.fromkeys(finding.rule.number for finding in broken))
    raise TranscodeError(
        ErrorCode.OUTPUT_INVALID,
        f"The transcoded video breaks rules that players rely on, and was not published: {rules}.",
        detail=[str(finding) for finding in broken[:_MOST_TOLD]],
    )

"""One check of one video, with all rules."""

from __future__ import annotations

from collections.abc import Mapping

from vworker.media.check.files import Files
from vworker.media.check.iframe_rules import check_iframes
from vworker.media.check.loader import load
from vworker.media.check.master_rules import check_master
from vworker.media.check.playlist_rules import check_playlists
from vworker.media.check.rules import RULES, Report
from vworker.media.check.segment_rules import check_segments
from vworker.media.check.timing_rules import check_timing
from vworker.media.segment import SegmentFacts

_ORDER = list(RULES)


def check(
    files: Files,
    master_uri: str,
    *,
    source_s: float | None = None,
    known: Mapping[str, SegmentFacts] | None = None,
) -> Report:
    """Test everything that a master playlist names against all rules. Blocks; safe to repeat.

    `source_s` is the duration of the source's pictures in seconds, if it is known. `known` holds
    segments that were read already, by their URI from the master playlist. Raises `files.Absent`
    when there is no master playlist.
    """
    found = load(files, master_uri, known)
    findings = [
        *found.faults,
        *check_playlists(found),
        *check_master(found),
        *check_segments(found),
        *check_timing(found, source_s),
        *check_iframes(found),
    ]
    findings.sort(key=lambda finding: _ORDER.index(finding.rule.number))
    return Report(findings=tuple(findings))

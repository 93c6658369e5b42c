"""The table of failures is complete, and docs/errors.md shows it as it is."""

import re
from pathlib import Path

from vworker.errors import ERRORS, ErrorCode

PAGE = Path(__file__).parents[3] / "docs/errors.md"


def test_every_code_has_a_cause_and_a_remedy() -> None:
    assert set(ERRORS) == set(ErrorCode)
    for info in ERRORS.values():
        assert re.fullmatch(r"[A-Z][^|\n]+\.", info.cause)
        assert re.fullmatch(r"[A-Z][^|\n]+\.", info.remedy)


def test_a_failure_that_another_attempt_may_not_meet_costs_no_upload() -> None:
    assert not any(info.retryable and info.file_is_lost for info in ERRORS.values())


def test_the_page_shows_the_table() -> None:
    rows = [
        f"| `{code}` | {'yes' if info.retryable else 'no'} "
        f"| {'deleted' if info.file_is_lost else 'kept'} | {info.cause} | {info.remedy} |"
        for code, info in ERRORS.items()
    ]
    shown = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "` | " in line]
    assert [line for line in shown if line.count("|") == 6] == rows

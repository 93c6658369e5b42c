from pathlib import Path

from vworker.media.check.rules import RULES

PAGE = Path(__file__).parents[3] / "docs" / "checker.md"


def test_the_page_lists_every_rule_as_it_is() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert rows == [f"| {rule.number} | {rule.level} | {rule.says} |" for rule in RULES.values()]

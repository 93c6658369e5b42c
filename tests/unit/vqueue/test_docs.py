"""The docs name tests, guides and differences that are there."""

import re
from pathlib import Path

import pytest

from tests.differential.intended import INTENDED

DOCS = Path(__file__).parents[3] / "docs"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(?:#([^)\s]+))?\)")
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)

#: Page, text, target, anchor.
LINKS = [
    pytest.param(page, text, target, anchor, id=f"{page.stem}-{text}")
    for page in sorted(DOCS.rglob("*.md"))
    for text, target, anchor in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8")))
    if not target.startswith(("http:", "https:"))
]


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.replace(" ", "-") for text in plain}


@pytest.mark.parametrize(("page", "text", "target", "anchor"), LINKS)
def test_a_link_leads_somewhere(page: Path, text: str, target: str, anchor: str) -> None:
    path = page.parent / target
    assert path.exists(), f"{page.name} links to {target}"
    if text.startswith("test_"):
        source = path.read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {text}\(", source, re.MULTILINE), f"no {text}"
    if anchor:
        assert anchor in _anchors(path), f"{target} has no heading for #{anchor}"


def test_all_behaviours_are_listed_once_and_in_order() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| (\d+)\b", page, re.MULTILINE)]
    assert numbers == list(range(1, 64))


def test_the_intended_differences_are_those_that_the_comparison_allows() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    table = page.partition("| difference | why |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|-][^|]*) \|", table, re.MULTILINE)
    assert rows == [difference.name for difference in INTENDED]


def test_every_feature_that_is_claimed_names_its_guide_and_its_test() -> None:
    page = (DOCS / "features.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| \*\*([YPN])\*\* \| .* \| ([^|]*) \|$", page, re.MULTILINE)
    assert len(rows) > 100
    unproved = [name for name, mark, shown in rows if mark != "N" and len(_LINK.findall(shown)) < 2]
    assert unproved == []

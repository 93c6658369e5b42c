"""Languages of tracks: the file's ISO 639 code as a BCP 47 tag (RFC 5646), with an English name.

Files name languages by ISO 639-2 codes of three letters, of which some exist twice ("ger" and
"deu"). RFC 5646 wants the shortest code: two letters where ISO 639-1 has them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def language_tag(code: str | None) -> str | None:
    """Return the tag for an ISO 639 code: "de" for "deu", "ger" and "de"; pure.

    What follows the code of a tag stays: "pt-BR" for "por-BR". A code without a shorter form is its
    own tag. None for None and for what says nothing ("und", "mis", "zxx", "mul", and "qaa" to
    "qtz", which are private).
    """
    language, dash, rest = (code or "und").partition("-")
    if language in {"und", "mis", "zxx", "mul"} or "qaa" <= language <= "qtz":
        return None
    return _tags().get(language, language) + dash + rest


def language_name(tag: str) -> str:
    """Return the English name of a tag, or the tag itself when it is a rare one; pure.

    Script and region stand behind it: "Portuguese (BR)".
    """
    language, _, rest = tag.partition("-")
    name = _names().get(language)
    if name is None:
        return tag
    return f"{name} ({rest})" if rest else name


@cache
def _rows() -> list[tuple[str, list[str], str]]:
    """Return rows of a tag, the ISO 639-2 codes that mean the same, and the name."""
    text = files("vworker.media").joinpath("languages.txt").read_text(encoding="utf-8")
    rows = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            tag, codes, name = line.split(maxsplit=2)
            rows.append((tag, codes.split("/"), name))
    return rows


@cache
def _tags() -> dict[str, str]:
    return {code: tag for tag, codes, _ in _rows() for code in codes}


@cache
def _names() -> dict[str, str]:
    return {tag: name for tag, _, name in _rows()}

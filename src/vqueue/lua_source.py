"""The text of a script: its file with its includes merged, and no more of them than it needs.

Redis runs a script from its first line each time, and a function costs it some 2,000 instructions
to make, called or not: of a finish with all that the library can do that was a third. So a
function of an include that nothing refers to is left out, and an include that a script names as
``--- @lazy`` is made when one of its functions is called for the first time.
"""

from __future__ import annotations

import re
from importlib.resources import files

_DIRECTIVE = re.compile(r"^--- @(include|lazy) (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
#: A function at the top of a file: on one line, or to the first ``end`` at a line's start.
_FUNCTION = re.compile(
    r"^local function (\w+)\([^\n]* end\n|^local function (\w+)\(.*?^end\n",
    re.MULTILINE | re.DOTALL,
)
#: Constants on one line: they stay outside of what is made when it is needed.
_CONSTANTS = re.compile(r"^local [A-Z_]+(?:, [A-Z_]+)* = [^\n{]*\n", re.MULTILINE)


def script_text(name: str) -> str:
    """Return lua/<name>.lua as it is sent to Redis; an unknown name raises FileNotFoundError."""
    text = _read(f"{name}.lua")
    parts: list[tuple[str, str, str]] = []  # kind, name, text, in their order
    head, *rest = _DIRECTIVE.split(text)
    for kind, include, following in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        parts.append((kind, include, _read(f"include/{include}.lua")))
        body = following
    if not parts:
        return head
    merged = body
    # from the last include to the first: each can be used by what comes after it
    for kind, include, content in reversed(parts):
        content = _without_unused(_COMMENT.sub("", content), merged)
        merged = _made_when_needed(include, content, merged) if kind == "lazy" else content + merged
    return head + merged


def _read(path: str) -> str:
    return (files("vqueue") / "lua").joinpath(path).read_text(encoding="utf-8")


def _names(content: str) -> list[str]:
    return [one_line or many for one_line, many in _FUNCTION.findall(content)]


def _uses(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def _without_unused(content: str, following: str) -> str:
    """Leave functions out that neither the rest of the include nor what follows refers to."""
    while True:
        for found in _FUNCTION.finditer(content):
            rest = content[: found.start()] + content[found.end() :]
            if not _uses(found[1] or found[2], rest + following):
                content = rest
                break
        else:
            return content


def _made_when_needed(include: str, content: str, following: str) -> str:
    """Wrap an include into a function, and have each call from outside run that first."""
    exported = [name for name in _names(content) if _uses(name, following)]
    if not exported:
        return following
    for name in exported:
        following = re.sub(rf"(?<![\w.:]){name}\(", f"lazy_{include}().{name}(", following)
    constants = "".join(_CONSTANTS.findall(content))
    content = _CONSTANTS.sub("", content)
    table = ", ".join(f"{name} = {name}" for name in exported)
    return (
        f"{constants}local made_{include}\nlocal function lazy_{include}()\n"
        f"if made_{include} then return made_{include} end\n{content}"
        f"made_{include} = {{{table}}}\nreturn made_{include}\nend\n{following}"
    )

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
_WORD = re.compile(r"\w+")
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
    head, *parts = _DIRECTIVE.split(_read(f"{name}.lua"))
    if not parts:
        return head
    merged = parts[-1]  # what follows the last directive
    used = _words(merged)
    # from the last include to the first: each can be used by what comes after it
    for kind, include in reversed(list(zip(parts[::3], parts[1::3], strict=True))):
        content = _COMMENT.sub("", _read(f"include/{include}.lua"))
        content = _without_unused(content, used)
        if kind == "lazy":
            merged = _made_when_needed(include, content, used, merged)
        else:
            merged = content + merged
        used |= _words(content)
    return head + merged


def _read(path: str) -> str:
    return (files("vqueue") / "lua").joinpath(path).read_text(encoding="utf-8")


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))


def _without_unused(content: str, used: set[str]) -> str:
    """Leave functions out that neither the rest of the include nor what follows refers to."""
    functions = {found[1] or found[2]: found for found in _FUNCTION.finditer(content)}
    wanted = used | _words(_FUNCTION.sub("", content))
    kept: set[str] = set()
    while reached := functions.keys() & wanted - kept:
        kept |= reached
        for name in reached:
            wanted |= _words(functions[name][0])
    return _FUNCTION.sub(lambda found: found[0] if (found[1] or found[2]) in kept else "", content)


def _made_when_needed(include: str, content: str, used: set[str], following: str) -> str:
    """Wrap an include into a function, and have each call from outside run that first."""
    names = [one_line or many for one_line, many in _FUNCTION.findall(content)]
    exported = [name for name in names if name in used]
    if not exported:
        return following
    calls = re.compile(rf"(?<![\w.:])({'|'.join(exported)})\(")
    following = calls.sub(rf"lazy_{include}().\1(", following)
    constants = "".join(_CONSTANTS.findall(content))
    content = _CONSTANTS.sub("", content)
    table = ", ".join(f"{name} = {name}" for name in exported)
    return (
        f"{constants}local made_{include}\nlocal function lazy_{include}()\n"
        f"if made_{include} then return made_{include} end\n{content}"
        f"made_{include} = {{{table}}}\nreturn made_{include}\nend\n{following}"
    )

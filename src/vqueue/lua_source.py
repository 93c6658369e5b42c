"""The text of a script: its file with its includes merged, and no more of them than it needs.

Redis runs a script from its first line each time. What the library can do is a hundred functions,
and each costs time to be made, called or not: of a finish of one job that was a quarter. So a
function of an include that nothing refers to is left out, and what only some jobs need is made
when one of its functions is called for the first time: an include that a script names as
``--- @lazy``, and what follows ``--- @later`` in an include. What a script names as ``--- @first``
is put before all of it, as it is: the straight way of the commonest call, which mostly returns.

Functions are fields of one table `F`, since Lua looks for each local that functions share among
all that they share. So a function at the top of an include is used by calling it: as a value it
has no name. State that includes share stays in locals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_DIRECTIVE = re.compile(r"^--- @(first|include|lazy) (\w+)\n", re.MULTILINE)
_LATER = "--- @later\n"
_WORD = re.compile(r"\w+")
_COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
#: A function at the top of a file: on one line, or to the first ``end`` at a line's start.
_FUNCTION = re.compile(
    r"^local function (\w+)(\([^\n]* end\n)|^local function (\w+)(\(.*?^end\n)",
    re.MULTILINE | re.DOTALL,
)
_CALL = re.compile(r"(?<![\w.:])(\w++)\(")
#: Constants on one line: they stay outside of what is made when it is needed.
_CONSTANTS = re.compile(r"^local [A-Z_]+(?:, [A-Z_]+)* = [^\n{]*\n", re.MULTILINE)


class _Part(NamedTuple):
    """A function of an include, from its parameters on; or, without a name, other code."""

    function: str
    text: str
    words: frozenset[str]
    is_late: bool


def script_text(name: str) -> str:
    """Return lua/<name>.lua as it is sent to Redis; an unknown name raises FileNotFoundError."""
    head, *directives = _DIRECTIVE.split(_read(f"{name}.lua"))
    if not directives:
        return head
    body = directives.pop()  # what follows the last directive
    used = set(_WORD.findall(body))
    named = list(zip(directives[::3], directives[1::3], strict=True))
    firsts = (_read(f"include/{include}.lua") for kind, include in named if kind == "first")
    now: list[_Part] = []
    later: dict[str, list[_Part]] = {}
    # from the last include to the first: each can be used by what comes after it
    for kind, include in reversed([pair for pair in named if pair[0] != "first"]):
        parts = _needed(_include(include), used)
        is_lazy = kind == "lazy"
        if is_lazy and not any(part.function in used for part in parts):
            continue
        used = used.union(*(part.words for part in parts))
        late = [part for part in parts if is_lazy or part.is_late]
        constants = "".join(line for part in late for line in _CONSTANTS.findall(part.text))
        now[:0] = [
            _Part("", constants, frozenset(), is_late=False),
            *(part for part in parts if part not in late),
        ]
        if any(part.function for part in late):
            later[include] = late
    straight = _COMMENT.sub("", "".join(firsts))
    return head + straight + _merge(now, later, body)


def _merge(now: Iterable[_Part], later: dict[str, list[_Part]], body: str) -> str:
    """Write the code that is run each time, that which is made when it is needed, the script."""
    calls = {part.function: f"F.{part.function}(" for part in now if part.function}
    # a table that has its fields from the start does not grow
    fields = ", ".join(f"{name} = 0" for name in (*calls, *(["later_"] if later else [])))
    late_calls = {
        part.function: f"F.{include}_().{part.function}("
        for include, parts in later.items()
        for part in parts
        if part.function
    }
    from_outside = calls | {name: f"F.later_().{call[2:]}" for name, call in late_calls.items()}
    text = [f"local F = {{{fields}}}\n", *(_written(part, from_outside) for part in now)]
    if later:
        text.append("function F.later_()\nif F.is_later then return F end\nF.is_later = true\n")
        for include, parts in later.items():
            own = {part.function: f"F.{part.function}(" for part in parts}
            made = "".join(_written(part, calls | late_calls | own) for part in parts)
            text.append(
                f"function F.{include}_()\nif F.has_{include} then return F end\n"
                f"F.has_{include} = true\n{_CONSTANTS.sub('', made)}return F\nend\n"
            )
        text.append("return F\nend\n")
    return "".join([*text, _with_calls(body, from_outside)])


def _written(part: _Part, calls: dict[str, str]) -> str:
    start = f"function F.{part.function}" if part.function else ""
    return start + _with_calls(part.text, calls)


def _with_calls(text: str, calls: dict[str, str]) -> str:
    return _CALL.sub(lambda found: calls.get(found[1], found[0]), text)


def _needed(parts: Sequence[_Part], used: set[str]) -> list[_Part]:
    """Leave out the functions that neither `used` names nor a part that is needed."""
    functions = {part.function: part for part in parts if part.function}
    wanted = used.union(*(part.words for part in parts if not part.function))
    kept: set[str] = set()
    while reached := functions.keys() & wanted - kept:
        kept |= reached
        wanted = wanted.union(*(functions[name].words for name in reached))
    return [part for part in parts if not part.function or part.function in kept]


@cache
def _include(name: str) -> tuple[_Part, ...]:
    return _parts(_read(f"include/{name}.lua"))


def _parts(text: str) -> tuple[_Part, ...]:
    """Cut an include into its functions, without comments."""
    parts: list[_Part] = []

    def add(function: str, text: str, *, is_late: bool) -> None:
        parts.append(_Part(function, text, frozenset(_WORD.findall(text)), is_late))

    for half in text.partition(_LATER)[::2]:
        code, at, is_late = _COMMENT.sub("", half), 0, bool(parts)
        for found in _FUNCTION.finditer(code):
            add("", code[at : found.start()], is_late=is_late)
            add(found[1] or found[3], found[2] or found[4], is_late=is_late)
            at = found.end()
        add("", code[at:], is_late=is_late)
    return tuple(parts)


def _read(path: str) -> str:
    return (files("vqueue") / "lua").joinpath(path).read_text(encoding="utf-8")

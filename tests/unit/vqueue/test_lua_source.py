"""The text of a script: what it does not need is left out, what it rarely needs is made late."""

import re
from importlib.resources import files

import pytest

from vqueue import lua_source
from vqueue.lua_source import script_text

LUA = files("vqueue") / "lua"
SCRIPTS = sorted(
    entry.name.removesuffix(".lua") for entry in LUA.iterdir() if entry.name.endswith(".lua")
)


def merge(monkeypatch: pytest.MonkeyPatch, **sources: str) -> str:
    """The text of the script named main, of these files."""
    monkeypatch.setattr(
        lua_source,
        "_read",
        lambda path: sources[path.removesuffix(".lua").removeprefix("include/")],
    )
    return script_text("main")


PART = """-- a comment that says unused()
local LIMIT = 5
local function helper(x)
  return x + LIMIT
end
local function used(x) return helper(x) end
local function unused(x) return helper(x) end
"""


def test_functions_that_nobody_refers_to_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = merge(monkeypatch, main="#!lua\n--- @include part\nreturn used(1)\n", part=PART)
    assert text.startswith("#!lua\n")
    assert "function used" in text
    assert "function helper" in text
    assert "unused" not in text


def test_a_lazy_include_is_one_function_until_it_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main = "#!lua\n--- @lazy part\nif LIMIT > 9 then\n  used(1)\nend\n"
    text = merge(monkeypatch, main=main, part=PART)
    assert "lazy_part().used(1)" in text
    # constants are there for whoever compares with them
    assert text.index("local LIMIT") < text.index("local function lazy_part")
    assert re.findall(r"^local function (\w+)", text, re.MULTILINE)[0] == "lazy_part"


def test_a_lazy_include_that_is_not_used_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = merge(monkeypatch, main="#!lua\n--- @lazy part\nreturn 1\n", part=PART)
    assert text == "#!lua\nreturn 1\n"


def test_an_include_may_use_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    main = "#!lua\n--- @lazy part\n--- @include later\nreturn later(1)\n"
    later = "local function later(x) return used(x) end\n"
    text = merge(monkeypatch, main=main, part=PART, later=later)
    assert "local function later(x) return lazy_part().used(x) end" in text


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_lazy_is_only_called(name: str) -> None:
    source = (LUA / f"{name}.lua").read_text(encoding="utf-8")
    text = script_text(name)
    for include in re.findall(r"^--- @lazy (\w+)$", source, re.MULTILINE):
        made = re.search(rf"^made_{include} = {{(.*)}}$", text, re.MULTILINE)
        _, _, following = text.partition(f"return made_{include}\nend\n")
        following = re.sub(r"--[^\n]*", "", following)
        for function in re.findall(r"(\w+) =", made[1]) if made else ():
            left = re.findall(rf"(?<![\w.:']){function}\b(?![\w'])[^\n]*", following)
            uses = [use for use in left if not use.startswith(f"{function} =")]
            assert not uses, f"{function} of {include} is more than called: {uses[0]}"


def test_no_two_includes_define_the_same_function() -> None:
    includes = (LUA / "include").iterdir()
    names = [
        name
        for include in includes
        for name in re.findall(
            r"^local function (\w+)", include.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert sorted(names) == sorted(set(names))

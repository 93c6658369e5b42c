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
    monkeypatch.setattr(lua_source, "_include", lua_source._include.__wrapped__)  # not cached
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
    assert "function F.used(x) return F.helper(x) end\n" in text
    assert "function F.helper(x)\n" in text
    assert "unused" not in text
    assert text.endswith("\nreturn F.used(1)\n")


def test_a_lazy_include_is_made_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    main = "#!lua\n--- @lazy part\nif LIMIT > 9 then\n  used(1)\nend\n"
    text = merge(monkeypatch, main=main, part=PART)
    assert "\n  F.later_().part_().used(1)\n" in text
    # constants are there for whoever compares with them
    assert text.index("local LIMIT") < text.index("function F.later_()")
    assert text.index("function F.part_()") < text.index("function F.used")
    assert text.index("function F.used") < text.index("if LIMIT > 9")


def test_what_follows_the_mark_is_made_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    part = PART.replace("local function used", "--- @later\nlocal function used")
    text = merge(monkeypatch, main="#!lua\n--- @include part\nreturn used(1)\n", part=part)
    assert text.index("function F.helper") < text.index("function F.later_()")
    assert text.index("function F.later_()") < text.index("function F.used(x) return F.helper(x)")
    assert text.endswith("\nreturn F.later_().part_().used(1)\n")


def test_a_lazy_include_that_is_not_used_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = merge(monkeypatch, main="#!lua\n--- @lazy part\nreturn 1\n", part=PART)
    assert "LIMIT" not in text
    assert "later_" not in text


def test_an_include_may_use_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    main = "#!lua\n--- @lazy part\n--- @include next\nreturn following(1)\n"
    following = "local function following(x) return used(x) end\n"
    text = merge(monkeypatch, main=main, part=PART, next=following)
    assert "function F.following(x) return F.later_().part_().used(x) end" in text


def test_one_lazy_include_may_use_another(monkeypatch: pytest.MonkeyPatch) -> None:
    main = "#!lua\n--- @lazy part\n--- @lazy next\nreturn following(1)\n"
    following = "local function following(x) return used(x) end\n"
    text = merge(monkeypatch, main=main, part=PART, next=following)
    assert "function F.following(x) return F.part_().used(x) end" in text


def test_a_straight_way_comes_first_and_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    main = "#!lua\n--- @first straight\n--- @include part\nreturn used(1)\n"
    straight = "-- a comment\nlocal function used(x) return x end\nif used(1) then return 2 end\n"
    text = merge(monkeypatch, main=main, part=PART, straight=straight)
    assert text.startswith(
        "#!lua\n\nlocal function used(x) return x end\nif used(1) then return 2 end\nlocal F = {"
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_functions_of_includes_are_only_called(name: str) -> None:
    text = re.sub(r"--\[\[.*?\]\]|--[^\n]*|'[^'\n]*'", "", script_text(name), flags=re.DOTALL)
    for function in re.findall(r"^function F\.(\w+)", text, re.MULTILINE):
        # a local or a parameter may have the same name
        own = rf"(?:local|for) [^=\n]*\b{function}\b|function[^(\n]*\([^)]*\b{function}\b"
        if not re.search(own, text):
            uses = re.findall(rf"(?<![\w.:]){function}\b(?! =)[^\n]*", text)
            assert not uses, f"{function} is more than called: {uses[0]}"


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

"""No script is forgotten when it is measured how long scripts hold Redis."""

from importlib.resources import files

from benchmarks.script_cases import CASES, SMALL


def test_each_script_has_a_case_or_a_reason_for_none() -> None:
    scripts = {
        path.name.removesuffix(".lua")
        for path in (files("vqueue") / "lua").iterdir()
        if path.name.endswith(".lua")
    }
    measured = {case.script for case in CASES}
    assert measured | SMALL.keys() == scripts
    assert not measured & SMALL.keys()

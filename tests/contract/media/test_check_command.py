"""`python -m vworker check`, as an operator calls it."""

import json
from typing import Any

import pytest

from devstack.checks import OutputWrong, check_rules
from tests.support.checking import Handler, run_check, served
from tests.support.published import MASTER, Published
from vworker.contract import CONTENT_TYPES


class _NamelessTypes(Handler):
    extensions_map = dict.fromkeys(CONTENT_TYPES, "text/plain")


class _LeadsAway(Handler):
    def send_head(self) -> Any:
        if not self.path.endswith("seg_00001.ts"):
            return super().send_head()
        # The same server, under a name that is not the one that was given.
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.server.server_port}{self.path}")  # type: ignore[attr-defined]
        self.end_headers()
        return None


class _BreaksOff(Handler):
    def copyfile(self, source: Any, outputfile: Any) -> None:
        outputfile.write(source.read(1))


def test_a_folder_that_is_right_is_told_rule_by_rule(published: Published) -> None:
    ended = run_check(str(published.folder), "--source-seconds", "14.5")
    assert ended.returncode == 0, ended.stderr
    assert "ok     apple-7.4    must   every segment of pictures starts with an IDR" in ended.stdout
    assert "0 are broken that must not be" in ended.stdout
    assert "BROKEN" not in ended.stdout


def test_a_broken_rule_is_named_with_its_place(published: Published) -> None:
    published.edit(MASTER, "RESOLUTION=854x480", "RESOLUTION=856x480")
    ended = run_check(str(published.folder / MASTER))
    assert ended.returncode == 1
    assert (
        "BROKEN apple-9.4    must   RESOLUTION is the size of the pictures\n"
        "         480p/index.m3u8: RESOLUTION is 856x480, the pictures have 854x480\n"
    ) in ended.stdout


def test_rules_that_should_be_kept_count_when_asked_for(published: Published) -> None:
    published.edit(MASTER, "^#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    assert run_check(str(published.folder)).returncode == 0
    assert run_check(str(published.folder), "--strict").returncode == 1


def test_make_run_asks_for_every_rule_of_its_own_clip_only(published: Published) -> None:
    published.edit(MASTER, "^#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    target = str(published.folder / MASTER)
    assert "rules are kept; 0 are broken" in check_rules(target, strict=False)
    with pytest.raises(OutputWrong, match=r"(?s)no     apple-9.11"):
        check_rules(target, strict=True)


def test_a_report_for_programs(published: Published) -> None:
    published.edit(MASTER, "^#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    report = json.loads(run_check(str(published.folder), "--json").stdout)
    assert report["passed"] is True
    assert {
        "rule": "apple-9.11",
        "level": "should",
        "where": MASTER,
        "found": "it has no EXT-X-INDEPENDENT-SEGMENTS",
    } in report["findings"]


def test_a_video_is_checked_over_http(published: Published) -> None:
    with served(published.folder, Handler) as url:
        ended = run_check(url, "--json")
    assert ended.returncode == 0, ended.stderr
    assert "apple-10.4" not in ended.stdout


def test_content_types_that_players_do_not_know_are_told(published: Published) -> None:
    with served(published.folder, _NamelessTypes) as url:
        found = json.loads(run_check(url, "--json").stdout)["findings"]
    wrong = {item["where"] for item in found if item["rule"] == "apple-10.4"}
    assert wrong >= {MASTER, "480p/index.m3u8", "480p/seg_00000.ts", "audio/seg_00000.ts"}


@pytest.mark.parametrize("target", ["nowhere", "http://127.0.0.1:9/master.m3u8"])
def test_what_is_not_there_has_an_exit_code_of_its_own(target: str) -> None:
    ended = run_check(target)
    assert ended.returncode == 66
    assert target in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_web_server_is_not_left_for_another(published: Published) -> None:
    published.edit("480p/index.m3u8", "^seg_00001.ts", "http://127.0.0.1:9/seg_00001.ts")
    with served(published.folder, Handler) as url:
        ended = run_check(url)
    assert ended.returncode == 1
    assert "names http://127.0.0.1:9/seg_00001.ts: it lies on another server" in ended.stdout


def test_a_redirect_to_another_server_is_not_followed(published: Published) -> None:
    with served(published.folder, _LeadsAway) as url:
        ended = run_check(url)
    assert ended.returncode == 1
    assert "480p/seg_00001.ts: it leads to http://localhost:" in ended.stdout


def test_a_server_that_breaks_off_is_told(published: Published) -> None:
    with served(published.folder, _BreaksOff) as url:
        ended = run_check(url)
    assert ended.returncode == 66
    assert "it cannot be loaded: IncompleteRead" in ended.stderr

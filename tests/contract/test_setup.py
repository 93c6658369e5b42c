"""What `devstack/setup.sh` says of a machine that lacks something; it installs nothing here."""

import subprocess
from pathlib import Path

SETUP = Path(__file__).parents[2] / "devstack/setup.sh"


def chromium(program: Path | str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SETUP, "chromium"],
        env={"CHROMIUM": str(program), "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_browser_that_lacks_a_library_is_told_with_its_own_words(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        "#!/bin/sh\necho 'libnss3.so: cannot open shared object file' >&2\nexit 127\n"
    )
    browser.chmod(0o755)
    ended = chromium(browser)
    assert ended.returncode == 1
    assert f"{browser} does not start: libnss3.so: cannot open shared object file" in ended.stderr


def test_a_named_browser_that_is_not_there_is_told_and_nothing_is_installed() -> None:
    ended = chromium("/opt/browser-of-nowhere")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "CHROMIUM=/opt/browser-of-nowhere is no program" in ended.stderr


def test_without_root_and_a_browser_the_command_to_run_is_named(tmp_path: Path) -> None:
    # A system of three programs, whose user is nobody in particular.
    programs = {"dirname": 'exec /usr/bin/dirname "$@"', "apt-get": "exit 1", "id": "echo 1000"}
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    ended = chromium("", str(tmp_path))
    assert ended.returncode == 1
    assert "sudo apt-get install" in ended.stderr
    assert "chromium-headless-shell" in ended.stderr

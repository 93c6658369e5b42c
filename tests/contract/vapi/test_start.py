"""The start and the end of `python -m vapi` and of `uvicorn vapi.app:app`."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api import Api

DEADLINE_S = 30


def ended(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_missing_setting_is_one_line_and_exit_code_78() -> None:
    api = ended("vapi")
    assert api.returncode == 78
    assert api.stderr.startswith("vapi: REDIS_URL is not set")
    assert len(api.stderr.splitlines()) == 1


def test_under_uvicorn_a_missing_setting_is_one_line_and_ends_the_start() -> None:
    server = ended("uvicorn", "vapi.app:app", "--port", "0")
    assert server.returncode != 0
    assert "vapi: REDIS_URL is not set" in server.stderr
    assert "Traceback" not in server.stderr


def test_a_port_that_is_taken_ends_the_start(api_environ: dict[str, str], api: Api) -> None:
    second = ended("vapi", "--port", str(api.port), **api_environ)
    assert second.returncode != 0
    assert "address already in use" in second.stderr


def test_help_names_the_settings() -> None:
    shown = ended("vapi", "--help")
    assert shown.returncode == 0
    for name in ("VAPI_HOST", "VAPI_PORT", "VAPI_MAX_UPLOAD_BYTES", "REDIS_URL", "MONGODB_URI"):
        assert name in shown.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(
    api_environ: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    api = Api(api_environ, tmp_path)
    try:
        api.wait_for("/livez")
        api.process.signal(number)
        assert api.process.wait(DEADLINE_S) == 0, api.log
        assert "Traceback" not in api.log
    finally:
        api.process.kill()

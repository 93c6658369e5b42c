"""Every example of the guides runs as it stands, and prints what the guide says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
_EXAMPLE = re.compile(r"```python\n(.*?)```(?:\n\nprints\n\n```text\n(.*?)```)?", re.DOTALL)

EXAMPLES = [
    pytest.param(program, printed, id=f"{guide.stem}-{number}")
    for guide in sorted(GUIDES.glob("*.md"))
    for number, (program, printed) in enumerate(
        _EXAMPLE.findall(guide.read_text(encoding="utf-8")), 1
    )
]


@pytest.mark.parametrize(("program", "printed"), EXAMPLES)
def test_an_example_runs_and_prints_what_the_guide_says(
    request: pytest.FixtureRequest, redis_url: str, tmp_path: Path, program: str, printed: str
) -> None:
    path = tmp_path / "example.py"
    path.write_text(program, encoding="utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    servers = {"REDIS_URL": redis_url}
    if "MONGODB_URI" in program:
        servers["MONGODB_URI"] = request.getfixturevalue("mongodb_uri")
    done = subprocess.run(
        [sys.executable, str(path)],
        env={**kept, **servers},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed or not printed

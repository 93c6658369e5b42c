"""`python -m tests.corpus FOLDER`: make every file of the corpus, for a look at them."""

import sys
from pathlib import Path

from devstack import Stack
from tests.corpus.case import Maker
from tests.corpus.cases import CASES


def main() -> None:
    """Make the files in the folder that the command line names, which may exist."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with Stack() as stack:
        maker = Maker(stack.ffmpeg["FFMPEG"], folder)
        for case in CASES:
            sys.stdout.write(f"{case.name}: {case.make(maker).name}\n")


if __name__ == "__main__":
    main()

"""`python -m vqueue`: the operator's tool; see `--help` and docs/guides/cli.md."""

from __future__ import annotations

import sys

from vqueue.cli.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

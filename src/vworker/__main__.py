"""`python -m vworker`: see `--help` and docs/configuration.md."""

from __future__ import annotations

import sys

from vworker.signals import hold_stop_signals

if __name__ == "__main__":
    hold_stop_signals()
    from vworker.command import main

    sys.exit(main(sys.argv[1:]))

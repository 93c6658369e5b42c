"""`python -m vworker`: see `--help` and docs/configuration.md."""

from __future__ import annotations

import sys

from vworker.signals import hold_stop_signals

if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        from vworker.check_command import main as check

        sys.exit(check(sys.argv[2:]))
    hold_stop_signals()
    if sys.argv[1:2] == ["transcode"]:
        from vworker.transcode_command import main as transcode

        sys.exit(transcode(sys.argv[2:]))
    from vworker.command import main

    sys.exit(main(sys.argv[1:]))

"""`python -m devstack`: the embedded servers from a shell."""

import argparse
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from devstack.binaries import ProgramMissing
from devstack.folder import FolderInUse
from devstack.server import ServerError
from devstack.stack import Stack


def main() -> int:
    """Run the command of the command line and give the exit code."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        return print_variables(arguments.data)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (FolderInUse, ProgramMissing, ServerError) as error:
        print(f"devstack: {error}", file=sys.stderr)
        return 1


def print_variables(data_folder: Path | None) -> int:
    """Start the stack, print its variables for a shell, and stay until a signal."""
    with Stack(folder=data_folder) as stack:
        for name, value in stack.start().items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        print("# ready; Ctrl-C stops the servers", flush=True)
        signal.pause()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    env = commands.add_parser(
        "env",
        help="start the servers, print the variables that name them, stay until Ctrl-C",
        description="A variable that is already set wins: that server is not started.",
    )
    env.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="keep the servers' data and ports here (default: a temporary folder)",
    )
    return parser


def _exit_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends the program as Ctrl-C does: through the blocks that stop the servers."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

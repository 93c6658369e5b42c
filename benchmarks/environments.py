"""The environments of the peers: made once, from hash-pinned locks, and kept in .devstack/bench."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.peers.catalogue import NODE_PEER, ROOT, Peer

#: In an environment: the digest of the locks that it was made from.
_STAMP = ".made-from"


class NotSetUp(Exception):
    """A peer's environment is not there, or is of an older lock."""


def locks(peer: Peer) -> list[Path]:
    """The files that say what its environment holds."""
    if peer.module is None:
        return [ROOT / NODE_PEER / name for name in ("package.json", "package-lock.json")]
    return [ROOT / "requirements" / f"bench-{peer.environment or peer.name}.txt"]


def is_current(peer: Peer) -> bool:
    """Whether its environment was made from the locks as they are now."""
    return _is_made(peer.home, locks(peer))


def require(peer: Peer) -> None:
    """Raises NotSetUp, saying how to make it, unless the peer can be run."""
    if not is_current(peer):
        raise NotSetUp(
            f"{peer.name} is not set up as {locks(peer)[0].name} says (looked in {peer.home}): "
            f"run python -m benchmarks setup --peers {peer.name}"
        )


def make(peer: Peer) -> None:
    """Make or renew its environment. Safe to repeat; nothing happens when it is current.

    Raises CalledProcessError when the installer fails, NotSetUp without npm.
    """
    if peer.module is None:
        make_once(peer.home, locks(peer), lambda: _make_node(peer))
    else:
        make_python(peer.home, locks(peer)[0])


def make_python(home: Path, lock: Path) -> None:
    """Make or renew an environment of what `lock` pins. Safe to repeat, as `make`.

    Raises CalledProcessError when the installer fails.
    """

    def install() -> None:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip"]
        subprocess.run(
            [*pip, "install", "--quiet", "--require-hashes", "--requirement", str(lock)],
            check=True,
            env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0"},
        )

    make_once(home, [lock], install)


def make_once(home: Path, made_from: Sequence[Path], fill: Callable[[], None]) -> None:
    """Have `fill` fill the folder `home`, unless it was filled from these files already."""
    if _is_made(home, made_from):
        return
    home.mkdir(parents=True, exist_ok=True)
    (home / _STAMP).unlink(missing_ok=True)
    fill()
    (home / _STAMP).write_text(_digest(made_from))


def _make_node(peer: Peer) -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise NotSetUp(f"{peer.name} needs node and npm on the PATH: install Node 20 or later")
    for lock in locks(peer):
        shutil.copy(lock, peer.home)
    # its dependencies' install scripts only build what their packages bring ready-made
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(command, check=True, cwd=peer.home)


def _is_made(home: Path, made_from: Sequence[Path]) -> bool:
    stamp = home / _STAMP
    return stamp.exists() and stamp.read_text() == _digest(made_from)


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()

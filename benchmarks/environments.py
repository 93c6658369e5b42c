"""The environments of the peers: made once, from hash-pinned locks, and kept in .devstack/bench."""

import hashlib
import os
import shutil
import subprocess
import sys
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
    stamp = peer.home / _STAMP
    return stamp.exists() and stamp.read_text() == _digest(peer)


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
    if is_current(peer):
        return
    peer.home.mkdir(parents=True, exist_ok=True)
    (peer.home / _STAMP).unlink(missing_ok=True)
    if peer.module is None:
        _make_node(peer)
    else:
        _make_python(peer)
    (peer.home / _STAMP).write_text(_digest(peer))


def _make_python(peer: Peer) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(peer.home)], check=True)
    install = [str(peer.interpreter), "-m", "pip", "install", "--quiet", "--require-hashes"]
    subprocess.run(
        [*install, "--requirement", str(locks(peer)[0])],
        check=True,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0"},
    )


def _make_node(peer: Peer) -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise NotSetUp(f"{peer.name} needs node and npm on the PATH: install Node 20 or later")
    for lock in locks(peer):
        shutil.copy(lock, peer.home)
    # its dependencies' install scripts only build what their packages bring ready-made
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(command, check=True, cwd=peer.home)


def _digest(peer: Peer) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for lock in locks(peer):
        digest.update(lock.read_bytes())
    return digest.hexdigest()

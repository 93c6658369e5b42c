"""Free TCP ports on the loopback interface."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below Linux's range for outgoing connections (32768 up), so that no client of the machine takes
# a chosen port in the moment between this check and the server's own bind.
_CANDIDATES = range(20_000, 32_000)
_ATTEMPTS = 1_000

_random = random.SystemRandom()


def loopback_address(port: int) -> str:
    """`127.0.0.1:<port>`."""
    return f"{LOOPBACK}:{port}"


def is_free(port: int) -> bool:
    """Whether a server could bind the loopback port now.

    Ports that linger in TIME_WAIT count as free, as they do for the servers (SO_REUSEADDR).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_ports(count: int, *, twin_offset: int = 0) -> list[int]:
    """Choose `count` distinct free ports at random; raises OSError when the range is taken.

    With a `twin_offset`, the port that much above each one is free, too. Another process may
    still take one before it is bound: the caller tries again then.
    """
    candidates = range(_CANDIDATES.start, _CANDIDATES.stop - twin_offset)
    chosen: set[int] = set()
    for _ in range(_ATTEMPTS):
        if len(chosen) == count:
            return sorted(chosen)
        port = _random.choice(candidates)
        if is_free(port) and is_free(port + twin_offset):
            chosen.add(port)
    raise OSError(
        f"found {len(chosen)} of {count} free ports on {LOOPBACK} between {candidates.start} "
        f"and {candidates.stop - 1} in {_ATTEMPTS} tries; end some servers of this machine"
    )

"""Embedded real servers for `make run`, the tests and the benchmarks (Linux x86-64).

Starts Valkey, MongoDB and SeaweedFS from installed wheels on free loopback ports, knows an
FFmpeg, and gives out the same variables that an operator would set. It does not configure
production servers and is not part of the wheel: nothing under `src/` imports it.
"""

from devstack.mongod import Mongod
from devstack.seaweedfs import SeaweedFS
from devstack.server import Server, ServerError
from devstack.stack import Stack
from devstack.valkey import Valkey

__all__ = ["Mongod", "SeaweedFS", "Server", "ServerError", "Stack", "Valkey"]

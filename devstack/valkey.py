"""The Redis of the embedded stack: valkey-server with its append-only file on."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from devstack import binaries
from devstack.ports import LOOPBACK, loopback_address
from devstack.server import Server


class Valkey(Server):
    """valkey-server; with `appendfsync everysec`, all acknowledged writes survive `kill()`."""

    name = "valkey-server"
    variables = ("REDIS_URL",)
    port_names = ("redis",)

    def settings(self) -> dict[str, str]:
        """REDIS_URL of database 0."""
        return {"REDIS_URL": f"redis://{loopback_address(self.port('redis'))}/0"}

    def _command(self) -> list[str]:
        options = {
            "bind": LOOPBACK,
            "port": str(self.port("redis")),
            "dir": str(self.data_folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # A queue that evicts loses jobs; the same setting as for production.
            "maxmemory-policy": "noeviction",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(binaries.valkey_server()), *flags]

    def _not_ready_because(self) -> str | None:
        client = redis.Redis(
            host=LOOPBACK,
            port=self.port("redis"),
            socket_timeout=1.0,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            client.ping()  # refused with LOADING until the append-only file has been read
        except redis.RedisError as error:
            return f"PING: {error}"
        finally:
            client.close()
        return None

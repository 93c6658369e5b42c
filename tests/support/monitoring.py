"""What scripts ask the server for, as MONITOR tells it."""

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

from tests.support.driver import Driver

_END = "the end of what is watched"


async def commands_of_scripts(driver: Driver, call: Callable[[], Awaitable[Any]]) -> list[str]:
    """Return the commands on the driver's queue that the scripts of a call have sent."""
    commands: list[str] = []
    async with Redis.from_url(driver.redis_url) as redis, redis.monitor() as monitor:
        await call()
        await redis.echo(_END)
        while (seen := await monitor.next_command())["command"] != f"ECHO {_END}":
            if seen["client_type"] == "lua" and driver.keys.prefix in seen["command"]:
                commands.append(seen["command"])
    return commands

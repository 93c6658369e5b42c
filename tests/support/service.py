"""The service as an operator runs it: API and workers as processes of their own."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from motor.motor_asyncio import AsyncIOMotorClient

from devstack.ports import free_ports
from devstack.process import ChildProcess
from tests.support.waiting import until
from vworker.contract import QUEUE_NAME
from vworker.storage import Storage, StorageSettings

FINAL = ("completed", "failed")


class Service:
    """Processes over one set of backends, stopped when the context ends."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.environ = {
            "PATH": os.environ["PATH"],
            "WORKER_TEMP_DIR": str(folder / "scratch"),
            "WORKER_PRESET": "ultrafast",
            "WORKER_SANDBOX": "prefer",
            # the leases of a killed host run out within a test
            "WORKER_LOCK_DURATION": "2",
            **environ,
        }
        self.folder = folder
        self.scratch = folder / "scratch"
        self.queue_name = QUEUE_NAME
        self._processes: list[ChildProcess] = []
        self._client: httpx.AsyncClient | None = None
        self.mongo: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(environ["MONGODB_URI"])

    @property
    def videos(self) -> Any:
        """The collection of the videos' documents."""
        return self.mongo.get_default_database()["videos"]

    @property
    def http(self) -> httpx.AsyncClient:
        """A client of the API that was started."""
        assert self._client is not None
        return self._client

    def log(self, name: str) -> str:
        """What a process has written."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, name: str, *argv: str, **environ: str) -> ChildProcess:
        """Start `python -m …` with output in `<name>.log`."""
        process = ChildProcess(
            [sys.executable, "-m", *argv],
            log_path=self.folder / f"{name}.log",
            environ=self.environ | environ,
        )
        self._processes.append(process)
        return process

    async def start_api(self) -> ChildProcess:
        """Start the API and wait until it is ready."""
        (port,) = free_ports(1)
        process = self.start("api", "vapi", VAPI_PORT=str(port))
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)

        async def ready() -> bool:
            assert process.exit_code is None, self.log("api")
            with contextlib.suppress(httpx.TransportError):
                return (await self.http.get("/readyz")).status_code == 200
            return False

        await until(ready, deadline=30, what=lambda: f"the API to be ready\n{self.log('api')}")
        return process

    async def start_worker(self, name: str = "worker", **environ: str) -> ChildProcess:
        """Start a worker and wait until it takes jobs."""
        ready_before = self.log(name).count(" takes up to ")
        process = self.start(name, "vworker", **environ)

        def ready() -> bool:
            assert process.exit_code is None, self.log(name)
            return self.log(name).count(" takes up to ") > ready_before

        await until(ready, deadline=30, what=lambda: f"{name} to be ready\n{self.log(name)}")
        return process

    async def submit(self, clip: Path) -> str:
        """Upload a video; return its id."""
        answer = await self.http.post(
            "/v1/videos", content=clip.read_bytes(), headers={"Content-Type": "video/mp4"}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def video(self, video_id: str) -> dict[str, Any]:
        """What the API says of a video."""
        answer = await self.http.get(f"/v1/videos/{video_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def video_when(
        self, video_id: str, condition: Callable[[dict[str, Any]], bool], *, deadline: float = 60
    ) -> dict[str, Any]:
        """Wait until what the API says of a video fulfils a condition."""
        seen: dict[str, Any] = {}

        async def fulfilled() -> bool:
            seen.clear()
            seen.update(await self.video(video_id))
            return condition(seen)

        await until(fulfilled, deadline=deadline, what=lambda: f"the video to change: {seen}")
        return seen

    async def finished(self, video_id: str, *, deadline: float = 90) -> dict[str, Any]:
        """Wait for the final state of a video."""
        return await self.video_when(
            video_id, lambda video: video["status"] in FINAL, deadline=deadline
        )

    @contextlib.asynccontextmanager
    async def storage(self) -> AsyncIterator[Storage]:
        """The bucket."""
        async with Storage(
            StorageSettings(
                endpoint_url=self.environ["S3_ENDPOINT_URL"],
                bucket=self.environ["S3_BUCKET"],
                region=self.environ["AWS_DEFAULT_REGION"],
            )
        ) as storage:
            yield storage

    async def keys(self, prefix: str) -> list[str]:
        """The keys of the objects under a prefix."""
        async with self.storage() as storage:
            return [found.key async for found in storage.list(prefix)]

    def scratch_files(self) -> list[Path]:
        """Files in the scratch folders, lock files of living workers aside."""
        return [path for path in self.scratch.glob("*/**/*") if path.is_file()]

    async def close(self) -> None:
        """Stop every process that was started."""
        if self._client is not None:
            await self._client.aclose()
        self.mongo.close()
        for process in reversed(self._processes):
            await asyncio.to_thread(process.stop, 20)


def process_tree(pid: int) -> list[int]:
    """Pids of a process and all its descendants, the process first."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            for child in (task / "children").read_text().split():
                found += process_tree(int(child))
    return found


def command_of(pid: int) -> str:
    """The command line of a process, empty when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def kill_host(process: ChildProcess) -> None:
    """SIGKILL a worker with its supervisor and FFmpeg at once, as when a host dies."""
    for pid in process_tree(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)

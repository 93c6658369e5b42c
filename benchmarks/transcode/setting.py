"""What all runs share: the source, the worker's settings, its storage and its scratch space."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.transcode.program import run_program
from benchmarks.transcode.ways import Ways
from devstack.clip import make_clip
from vworker.media.encoding import Encoding
from vworker.media.settings import MediaSettings
from vworker.sandbox import open_sandbox
from vworker.storage import Storage, StorageSettings
from vworker.workspace import Workspace

#: As cameras and phones record: High profile, CABAC, two B-frames, 17 Mbit/s. An ultrafast source
#: would decode for half of that, and four runs that decode four times would look better.
RECORDED = (
    *("-c:v", "libx264", "-preset", "fast", "-bf", "2"),
    *("-b:v", "17M", "-maxrate", "20M", "-bufsize", "40M"),
)
#: The job itself shall be next to nothing.
_SHORT_PICTURE = "testsrc2=size=322x182:rate=25:duration=1"


async def make_source(ffmpeg: str, path: Path, seconds: int) -> None:
    """Write `seconds` of 1080p30 with sound: the clip of `make run`, over and over.

    Takes about 30 s of CPU time. Raises RunFailed, ClipFailed.
    """
    quiet = (ffmpeg, "-v", "error", "-nostdin", "-y")
    made, once = path.with_name("made.mp4"), path.with_name("once.mp4")
    await asyncio.to_thread(make_clip, ffmpeg, made)
    recorded = [*RECORDED, "-c:a", "copy", str(once)]
    await run_program([*quiet, "-i", str(made), *recorded], path.parent)
    repeated = ["-stream_loop", "-1", "-i", str(once), "-t", str(seconds), "-c", "copy"]
    await run_program([*quiet, *repeated, str(path)], path.parent)


async def make_short_clip(ffmpeg: str, path: Path) -> None:
    """Write a video of one second and few pixels. Raises RunFailed."""
    argv = [ffmpeg, "-v", "error", "-nostdin", "-f", "lavfi", "-i", _SHORT_PICTURE, str(path)]
    await run_program(argv, path.parent)


@asynccontextmanager
async def opened_ways(
    env: Mapping[str, str], folder: Path, *, source: Path, encoding: Encoding
) -> AsyncIterator[Ways]:
    """Give the ways over a source, which lies in S3 too; nothing of it stays there.

    `env` is `Stack.env`; the AWS_* of it must be in the environment.
    """
    ffmpeg, ffprobe = env["FFMPEG"], env["FFPROBE"]
    settings = MediaSettings(
        ffmpeg=ffmpeg,
        ffprobe=ffprobe,
        sandbox=open_sandbox("prefer", ffmpeg=ffmpeg, ffprobe=ffprobe),
        encoding=encoding,
        encoder_threads=0,
    )
    storage_settings = StorageSettings(
        endpoint_url=env["S3_ENDPOINT_URL"],
        bucket=env["S3_BUCKET"],
        region=env["AWS_DEFAULT_REGION"],
    )
    async with Storage(storage_settings) as storage:
        with Workspace(folder / "scratch") as workspace:
            ways = Ways(
                source=source,
                scratch=folder,
                settings=settings,
                storage=storage,
                workspace=workspace,
            )
            try:
                await ways.prepare()
                yield ways
            finally:
                await ways.clean_up()

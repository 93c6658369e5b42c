"""How much memory the worker's S3 streams need: 2 GB down, then 500 MB of segments up.

    python -m benchmarks.storage_memory [--source-mb 2048] [--segments-mb 500]

Starts the embedded S3 unless S3_ENDPOINT_URL is set. Prints one JSON object; exits with 1 when
the resident set grew by 150 MB or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from devstack import Stack
from vworker.media.encoding import SegmentType
from vworker.media.plan import segment_name
from vworker.publisher import Publisher
from vworker.storage import Storage, StorageSettings

MB = 1_000_000
LIMIT_MB = 150
PREFIX = "bench/storage-memory/"
SOURCE = PREFIX + "source"
#: Sizes of one 6 s segment per rung and of the sound, at the ladder's caps.
SEGMENT_BYTES = {"1080p": 4 * MB, "720p": 2 * MB, "480p": MB, "360p": MB // 2, "audio": MB // 10}


def resident_mb(field: str) -> float:
    """VmRSS or VmHWM of this process."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / MB


async def noise(size_bytes: int) -> AsyncIterator[bytes]:
    block = os.urandom(MB)
    for start in range(0, size_bytes, MB):
        yield block[: min(MB, size_bytes - start)]


def write_segments(folder: Path, total_bytes: int) -> int:
    """Fill one folder per rendition as FFmpeg would; return the bytes written."""
    written, number = 0, 0
    for name in SEGMENT_BYTES:
        (folder / name).mkdir(parents=True)
    while written < total_bytes:
        for name, size in SEGMENT_BYTES.items():
            (folder / name / segment_name(number)).write_bytes(os.urandom(size))
            written += size
        number += 1
    return written


async def upload_segments(storage: Storage, folder: Path) -> None:
    async with asyncio.TaskGroup() as group:
        publisher = Publisher(
            storage=storage,
            prefix=PREFIX,
            folder=folder,
            renditions=dict.fromkeys(SEGMENT_BYTES, SegmentType.TS),
            group=group,
            uploads_at_once=4,
        )
        publisher.collect()


async def put_source(settings: StorageSettings, size_bytes: int) -> None:
    async with Storage(settings) as storage:
        await storage.upload_stream(noise(size_bytes), SOURCE, "video/mp4")


async def stream_both_ways(settings: StorageSettings, scratch: Path) -> dict[str, float]:
    async with Storage(settings) as storage:
        found = await storage.head(SOURCE)
        before = resident_mb("VmRSS")
        started = time.perf_counter()
        await storage.download(found, scratch / "source.bin")
        downloaded = time.perf_counter()
        peak_download = resident_mb("VmHWM")
        await upload_segments(storage, scratch / "hls")
        uploaded = time.perf_counter()
        peak = resident_mb("VmHWM")
        await storage.delete_prefix(PREFIX)
    return {
        "rss_before_mb": round(before),
        "rss_peak_download_mb": round(peak_download),
        "rss_peak_mb": round(peak),
        "growth_mb": round(peak - before),
        "download_s": round(downloaded - started, 2),
        "upload_s": round(uploaded - downloaded, 2),
    }


def measured(settings: StorageSettings, scratch: Path) -> dict[str, float]:
    return asyncio.run(stream_both_ways(settings, scratch))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--source-mb", type=int, default=2048)
    parser.add_argument("--segments-mb", type=int, default=500)
    options = parser.parse_args()
    with Stack() as stack:
        given = stack.use(stack.s3)
        os.environ.update(given)
        settings = StorageSettings(
            endpoint_url=given["S3_ENDPOINT_URL"],
            bucket=given["S3_BUCKET"],
            region=given["AWS_DEFAULT_REGION"],
        )
        with tempfile.TemporaryDirectory(prefix="vworker-bench-") as name:
            scratch = Path(name)
            written = write_segments(scratch / "hls", options.segments_mb * MB)
            asyncio.run(put_source(settings, options.source_mb * MB))
            # In a process of its own: what the preparation allocated is no part of the figure.
            fresh = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
                figures = pool.submit(measured, settings, scratch).result()
    sizes = {"source_mb": options.source_mb, "segments_mb": written // MB}
    print(json.dumps(sizes | figures, indent=1))
    return 0 if figures["growth_mb"] < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())

"""Checks a published video the way a player would use it, from nothing but what is in S3.

Reads playlists with its own few lines, not with the worker's parser: the two shall not share a
mistake.
"""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session

# EXTINF is rounded, and a picture may be repeated at an end to make a constant frame rate.
_TOLERANCE_S = 0.25

MASTER_NAME = "master.m3u8"
_QUOTED_URI = re.compile(r'URI="([^"]+)"')
_EXTINF = re.compile(r"#EXTINF:([0-9.]+)")
#: Renditions that are not decoded from the first byte to the last.
_ONLY_IFRAMES = "#EXT-X-I-FRAME-STREAM-INF"


class OutputWrong(Exception):
    """The published video is not what it says it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """One rendition as it was found and decoded."""

    #: Folder under the video's prefix: `1080p`, `audio` …
    name: str
    #: `1920x1080`; empty for sound.
    resolution: str
    segments: int
    #: All segments together.
    size_bytes: int
    #: Sum of the playlist's durations.
    duration_s: float


def download(env: Mapping[str, str], prefix: str, folder: Path) -> Path:
    """Copy all objects under an S3 prefix, and give the folder that holds the master playlist.

    Raises OutputWrong unless there is exactly one `master.m3u8`. `env` is `Stack.env`.
    """
    client: Any = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=env["S3_ENDPOINT_URL"],
        region_name=env.get("AWS_DEFAULT_REGION"),
        # An operator's own S3 may have its keys elsewhere: None leaves the search to the driver.
        aws_access_key_id=env.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=env.get("AWS_SECRET_ACCESS_KEY"),
    )
    with contextlib.closing(client):
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=env["S3_BUCKET"], Prefix=prefix
        )
        for entry in (entry for page in pages for entry in page.get("Contents", [])):
            path = folder / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            body = client.get_object(Bucket=env["S3_BUCKET"], Key=entry["Key"])["Body"]
            with path.open("wb") as file:
                for block in body.iter_chunks(1 << 20):
                    file.write(block)
    masters = list(folder.rglob(MASTER_NAME))
    if len(masters) != 1:
        raise OutputWrong(f"{len(masters)} objects under {prefix} are named {MASTER_NAME}, not one")
    return masters[0].parent


def check_output(folder: Path, *, source: Path, env: Mapping[str, str]) -> list[Rendition]:
    """Try all that a downloaded master playlist names, and give its renditions.

    Every playlist must be readable and end, every file that it names must be there, every
    rendition must decode completely, and a picture must last as long as that of `source`.
    `env` names FFMPEG and FFPROBE. Raises OutputWrong.
    """
    lines = _playlist(folder / MASTER_NAME)
    uris = _uris([line for line in lines if not line.startswith(_ONLY_IFRAMES)])
    renditions = [_check_rendition(folder, uri, env) for uri in uris]
    pictures = [rendition for rendition in renditions if rendition.resolution]
    if not pictures:
        raise OutputWrong(f"{MASTER_NAME} names no picture")
    expected_s = _picture_duration_s(env["FFPROBE"], source)
    for rendition in pictures:
        if abs(rendition.duration_s - expected_s) > _TOLERANCE_S:
            raise OutputWrong(
                f"{rendition.name} lasts {rendition.duration_s:.2f} s, "
                f"the source's picture {expected_s:.2f} s"
            )
    return renditions


def check_rules(master_url: str, *, strict: bool) -> str:
    """Test a video over HTTP against the rules of HLS, and give the verdict in a line.

    Raises OutputWrong with the whole report when a rule is broken that must be kept; if `strict`,
    also one that should be.
    """
    command = [sys.executable, "-m", "vworker", "check", master_url]
    if strict:
        command.append("--strict")
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise OutputWrong(f"{master_url} breaks a rule:\n{ended.stdout}{ended.stderr}")
    return ended.stdout.splitlines()[-1]


def _playlist(path: Path) -> list[str]:
    if not path.is_file():
        raise OutputWrong(f"{path.name} is named but not in S3")
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != "#EXTM3U":
        raise OutputWrong(f"{path.name} is no playlist: it does not start with #EXTM3U")
    return lines


def _uris(lines: list[str]) -> list[str]:
    """All files that a playlist names, in its order, each once."""
    plain = [line for line in lines if line and not line.startswith("#")]
    quoted = [uri for line in lines if line.startswith("#") for uri in _QUOTED_URI.findall(line)]
    return list(dict.fromkeys(plain + quoted))


def _check_rendition(folder: Path, uri: str, env: Mapping[str, str]) -> Rendition:
    path = folder / uri
    lines = _playlist(path)
    if "#EXT-X-ENDLIST" not in lines:
        raise OutputWrong(f"{uri} has no end")
    segments = [path.parent / name for name in _uris(lines)]
    if missing := [segment.name for segment in segments if not segment.is_file()]:
        raise OutputWrong(f"{uri} names what is not in S3: {', '.join(missing)}")
    _decode(env["FFMPEG"], path)
    [stream] = _probe(env["FFPROBE"], path, "-show_entries", "stream=width,height")["streams"]
    resolution = f"{stream['width']}x{stream['height']}" if "width" in stream else ""
    return Rendition(
        name=path.parent.name,
        resolution=resolution,
        segments=len(segments),
        size_bytes=sum(segment.stat().st_size for segment in segments),
        duration_s=sum(float(value) for line in lines for value in _EXTINF.findall(line)),
    )


def _picture_duration_s(ffprobe: str, source: Path) -> float:
    """From the first picture to the end of the last one; containers may tell another story."""
    options = ("-select_streams", "V:0", "-show_entries", "packet=pts_time,duration_time")
    packets = [
        (float(packet["pts_time"]), float(packet.get("duration_time", 0)))
        for packet in _probe(ffprobe, source, *options)["packets"]
        if "pts_time" in packet
    ]
    return max(start + duration for start, duration in packets) - min(packets)[0]


def _probe(ffprobe: str, path: Path, *options: str) -> dict[str, Any]:
    command = [ffprobe, "-v", "error", *options, "-of", "json", f"file:{path}"]
    report: dict[str, Any] = json.loads(_run(command, path))
    return report


def _decode(ffmpeg: str, path: Path) -> None:
    """Decode all of a rendition, strictly.

    Without `explode`, packets that are damaged are dropped in silence; ffprobe drops them, too.
    """
    strictly = ("-xerror", "-err_detect", "explode", "-i", f"file:{path}")
    _run([ffmpeg, "-nostdin", "-v", "error", *strictly, "-map", "0", "-f", "null", "-"], path)


def _run(command: list[str], path: Path) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise OutputWrong(f"{path} does not decode: {ended.stderr.strip()[-1000:]}")
    return ended.stdout

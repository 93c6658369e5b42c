"""Pictures for people: a poster, and a storyboard for scrubbing.

Made from the I-frames of the finished renditions, so they cost no second decoding of the source
(0.2 s for a minute of 1080p) and show what is published: turned, with square pixels, in SDR.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media import fmp4, ts
from vworker.media.diagnosis import diagnose
from vworker.media.output import RenditionFiles
from vworker.media.plan import OUTPUT_NAME, SCRUB_NAME, EncodePlan
from vworker.media.process import run_child
from vworker.media.segment import Container
from vworker.media.segment_file import read_output
from vworker.media.settings import MediaSettings
from vworker.media.timeline import Still
from vworker.sandbox import Access

POSTER_NAME = "poster.jpg"
STORYBOARD_FOLDER = "storyboard"
#: WebVTT whose cues name a rectangle of a sprite.
STORYBOARD_NAME = f"{STORYBOARD_FOLDER}/index.vtt"
_POSTER_INPUT, _STORYBOARD_INPUT = "poster.h264", "storyboard.h264"
_SPRITE_PATTERN = "sprite_%03d.jpg"
_TILE_LONG_SIDE = 160
_COLUMNS = _ROWS = 10
#: Seconds between tiles: about a hundred for the whole video, but none too far apart.
_MOST_BETWEEN_S = 10.0
_TILES = 100
#: The poster comes from this part of the video; later ones tell how it ends.
_POSTER_SHARE = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """How tiles lie in a sprite."""

    width: int
    height: int
    columns: int
    rows: int


async def make_stills(
    plan: EncodePlan, measured: Mapping[str, RenditionFiles], settings: MediaSettings
) -> tuple[str, ...]:
    """Make poster and storyboard in the output folder; return the files' names in it.

    Safe to repeat. Raises `TranscodeError`: output_incomplete when FFmpeg cannot read them, so that
    the segments are at fault; stalled, and what `diagnose` finds, when they can be kept.
    """
    largest, smallest = measured[plan.rungs[0].name], measured[SCRUB_NAME]
    tiles = choose_tiles(smallest.stills)
    grid = _grid(plan.rungs[-1].width, plan.rungs[-1].height, len(tiles))
    (plan.output / STORYBOARD_FOLDER).mkdir(exist_ok=True)
    await asyncio.to_thread(
        _write_pictures, plan, _POSTER_INPUT, largest, [choose_poster(largest.stills)]
    )
    await asyncio.to_thread(_write_pictures, plan, _STORYBOARD_INPUT, smallest, tiles)
    (plan.output / STORYBOARD_NAME).write_text(write_storyboard(tiles, grid))
    try:
        ended = await run_child(
            command_line(settings.ffmpeg, grid),
            access=Access(
                folder=plan.scratch,
                reads=(_POSTER_INPUT, _STORYBOARD_INPUT),
                writes=(OUTPUT_NAME,),
            ),
            timeout_s=settings.stall_timeout_s,
            on_output=lambda _: None,
            settings=settings,
        )
    except TimeoutError:
        raise TranscodeError(
            ErrorCode.STALLED,
            f"The poster took more than {settings.stall_timeout_s:g} seconds.",
        ) from None
    sprites = [_SPRITE_PATTERN % number for number in range(_sprite_count(grid, len(tiles)))]
    names = (POSTER_NAME, STORYBOARD_NAME, *(f"{STORYBOARD_FOLDER}/{name}" for name in sprites))
    missing = [name for name in names if not (plan.output / name).is_file()]
    message = "The transcoded video was not published: its poster could not be made."
    if ended.code != 0:
        raise diagnose(ended, otherwise=ErrorCode.OUTPUT_INCOMPLETE, message=message)
    if missing:
        raise TranscodeError(
            ErrorCode.OUTPUT_INCOMPLETE, message, detail=(*ended.last_lines, f"missing: {missing}")
        )
    return names


def choose_poster(stills: Sequence[Still]) -> Still:
    """Return the still with the most bytes of the first half: a black or flat one has few."""
    end_s = stills[-1].at_s + stills[-1].duration_s
    early = [still for still in stills if still.at_s <= _POSTER_SHARE * end_s]
    return max(early, key=lambda still: still.length)


def choose_tiles(stills: Sequence[Still]) -> list[Still]:
    """Return the stills of a storyboard: about a hundred, at most 10 s apart."""
    end_s = stills[-1].at_s + stills[-1].duration_s
    between_s = min(end_s / _TILES, _MOST_BETWEEN_S)
    return list(stills[:: max(1, round(between_s * len(stills) / end_s))])


def _grid(width: int, height: int, tiles: int) -> Grid:
    shrink = min(1.0, _TILE_LONG_SIDE / max(width, height))
    columns = min(_COLUMNS, tiles)
    return Grid(
        width=max(2, round(width * shrink / 2) * 2),
        height=max(2, round(height * shrink / 2) * 2),
        columns=columns,
        rows=min(_ROWS, math.ceil(tiles / columns)),
    )


def _sprite_count(grid: Grid, tiles: int) -> int:
    return math.ceil(tiles / (grid.columns * grid.rows))


def write_storyboard(tiles: Sequence[Still], grid: Grid) -> str:
    """Return the WebVTT: a cue for each tile, up to the next one's time; pure."""
    per_sprite = grid.columns * grid.rows
    ends = [tile.at_s for tile in tiles[1:]] + [tiles[-1].at_s + tiles[-1].duration_s]
    cues = ["WEBVTT"]
    for number, (tile, end_s) in enumerate(zip(tiles, ends, strict=True)):
        row, column = divmod(number % per_sprite, grid.columns)
        area = f"{column * grid.width},{row * grid.height},{grid.width},{grid.height}"
        cues.append(
            f"{_clock(tile.at_s)} --> {_clock(end_s)}\n"
            f"{_SPRITE_PATTERN % (number // per_sprite)}#xywh={area}"
        )
    return "\n\n".join(cues) + "\n"


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def command_line(ffmpeg: str, grid: Grid) -> list[str]:
    """Return FFmpeg's argument list; pure."""
    # JPEG has full range and the matrix of BT.601.
    jpeg = "out_color_matrix=bt601:out_range=full,format=yuvj420p"
    tiles = f"scale={grid.width}:{grid.height}:flags=area:{jpeg},tile={grid.columns}x{grid.rows}"
    return [
        ffmpeg,
        *("-hide_banner", "-nostdin", "-y", "-loglevel", "error"),
        *("-protocol_whitelist", "file", "-f", "h264", "-i", f"file:{_POSTER_INPUT}"),
        *("-protocol_whitelist", "file", "-f", "h264", "-i", f"file:{_STORYBOARD_INPUT}"),
        *("-map", "0:v", "-frames:v", "1", "-vf", f"scale={jpeg}", "-q:v", "3"),
        *("-f", "image2", "-update", "1", f"{OUTPUT_NAME}/{POSTER_NAME}"),
        # passthrough: no picture is repeated or dropped to keep a rate.
        *("-map", "1:v", "-fps_mode", "passthrough", "-vf", tiles, "-q:v", "5"),
        *("-f", "image2", "-start_number", "0"),
        f"{OUTPUT_NAME}/{STORYBOARD_FOLDER}/{_SPRITE_PATTERN}",
    ]


def _write_pictures(
    plan: EncodePlan, name: str, rendition: RenditionFiles, chosen: Sequence[Still]
) -> None:
    """Write pictures one after another as a raw H.264 stream."""
    with (plan.scratch / name).open("wb") as file:
        file.writelines(_pictures(plan.output / rendition.name, rendition, chosen))


def _pictures(folder: Path, rendition: RenditionFiles, chosen: Sequence[Still]) -> Iterator[bytes]:
    init: fmp4.InitSection = {}
    if rendition.playlist.init_uri is not None:
        init = fmp4.read_init(read_output(folder / rendition.playlist.init_uri))
    number, data = -1, b""
    for still in chosen:
        if still.segment != number:
            number = still.segment
            data = read_output(folder / rendition.playlist.segments[number].uri)
        if rendition.segments[number].container is Container.TS:
            yield ts.picture_of(data, still.frame)
        else:
            yield fmp4.picture_of(data, still.frame, init)

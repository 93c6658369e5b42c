"""What an encode has left in its folder, checked and measured before anything of it is named.

FFmpeg's exit code 0 says little: it is 0 for a source of which only 59 % could be read, and for
output of which the disk took only a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.hls import (
    AAC_CODEC,
    MediaPlaylist,
    Rates,
    avc_codec,
    measure_rates,
    parse_media_playlist,
)
from vworker.media.plan import PLAYLIST_NAME, EncodePlan, segment_name

#: How much shorter than the source's video the output may be: the larger of the two.
_MISSING_SECONDS = 0.5
_MISSING_SHARE = 0.01
_SPS_WITHIN_BYTES = 64 * 1024
_TS_PACKET_BYTES = 188


@dataclass(frozen=True, kw_only=True, slots=True)
class RenditionFiles:
    """One rendition on disk: complete, and measured."""

    name: str
    playlist: MediaPlaylist
    segments_bytes: int
    #: Segments and playlist.
    size_bytes: int
    rates: Rates
    #: RFC 6381 codec string.
    codec: str


def measure_output(plan: EncodePlan, last_lines: Sequence[str]) -> dict[str, RenditionFiles]:
    """Check and measure all renditions of a finished encode, by name. Blocks: reads files.

    `last_lines` are FFmpeg's, for the detail of a truncated source.

    Raises `TranscodeError`: source_truncated, encode_failed (final); output_incomplete.
    """
    sounds = {sound.folder for sound in plan.sounds}
    measured = {
        name: _measure(plan.output / name, AAC_CODEC if name in sounds else None)
        for name in plan.names
    }
    _check_durations(plan, [measured[rung.name] for rung in plan.rungs], last_lines)
    return measured


def _measure(folder: Path, codec: str | None) -> RenditionFiles:
    """Check and measure one rendition; without a `codec` it is read from the first segment."""
    path = folder / PLAYLIST_NAME
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise TranscodeError(
            ErrorCode.ENCODE_FAILED,
            f"Nothing of the video could be decoded for the {folder.name} rendition.",
        ) from None
    try:
        playlist = parse_media_playlist(text)
    except ValueError as error:
        raise _incomplete(f"{folder.name}/{path.name}: {error}") from error
    if not playlist.ended or not playlist.segments:
        raise _incomplete(f"{folder.name}/{path.name} does not list a whole video")
    sizes = []
    for number, segment in enumerate(playlist.segments):
        file = folder / segment_name(number)
        size = file.stat().st_size if file.is_file() else 0
        if segment.uri != file.name or size == 0 or size % _TS_PACKET_BYTES:
            raise _incomplete(f"{folder.name}/{segment.uri} is missing, empty or cut off")
        sizes.append(size)
    return RenditionFiles(
        name=folder.name,
        playlist=playlist,
        segments_bytes=sum(sizes),
        size_bytes=sum(sizes) + path.stat().st_size,
        rates=measure_rates(playlist, sizes),
        codec=codec or _video_codec(folder / segment_name(0)),
    )


def _video_codec(segment: Path) -> str:
    with segment.open("rb") as file:
        start = file.read(_SPS_WITHIN_BYTES)
    try:
        return avc_codec(start)
    except ValueError as error:
        raise _incomplete(f"{segment.parent.name}/{segment.name}: {error}") from error


def _check_durations(
    plan: EncodePlan, rungs: Sequence[RenditionFiles], last_lines: Sequence[str]
) -> None:
    """Compare with the video stream's own duration: the container's also counts longer sound."""
    wanted = plan.info.video.duration_s
    if wanted is None:
        return
    found = min(rung.playlist.duration_s for rung in rungs)
    if found < wanted - max(_MISSING_SECONDS, wanted * _MISSING_SHARE):
        raise TranscodeError(
            ErrorCode.SOURCE_TRUNCATED,
            f"The video file is incomplete or damaged: it announces {wanted:.1f} seconds, but only "
            f"{found:.1f} seconds can be read.",
            detail=last_lines,
        )


def _incomplete(finding: str) -> TranscodeError:
    return TranscodeError(
        ErrorCode.OUTPUT_INCOMPLETE,
        f"The transcoded video is incomplete and was not published: {finding}.",
    )

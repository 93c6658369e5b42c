"""Subtitle renditions: FFmpeg's WebVTT of each text track, cut beside the pictures' segments."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from vworker.media.command_line import whole_subtitles
from vworker.media.hls import MediaPlaylist, Rates, Segment, measure_rates, write_media_playlist
from vworker.media.output import RenditionFiles
from vworker.media.plan import PLAYLIST_NAME, EncodePlan, Subtitles
from vworker.media.webvtt import Cue, cut, read_webvtt

logger = logging.getLogger(__name__)

#: More text than this is none that anybody reads: a day of dense subtitles is 2 MB.
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class SubtitleFiles:
    """One subtitle rendition on disk, with its playlist."""

    track: Subtitles
    playlist: MediaPlaylist
    size_bytes: int
    rates: Rates

    @property
    def names(self) -> list[str]:
        """Names of the segments in the output folder."""
        return [f"{self.track.folder}/{segment.uri}" for segment in self.playlist.segments]


def write_subtitles(plan: EncodePlan, pictures: RenditionFiles) -> list[SubtitleFiles]:
    """Write a rendition for each text track that has a cue. Blocks: reads and writes files.

    The segments last as long as those of `pictures` and follow their clock. Safe to repeat.
    """
    if plan.info.bitmap_subtitles:
        logger.info(
            "subtitles that are pictures are left out: %s",
            ", ".join(plan.info.bitmap_subtitles),
            extra={"action": "skip_subtitles"},
        )
    written = []
    for track in plan.subtitles:
        if cues := _read(plan, track):
            written.append(_write(plan, track, cues, pictures))
        else:
            logger.info(
                "%s has no cue and is left out", track.folder, extra={"action": "skip_subtitles"}
            )
    return written


def _read(plan: EncodePlan, track: Subtitles) -> list[Cue]:
    path = plan.scratch / whole_subtitles(track)
    # FFmpeg writes no file for a track without packets.
    if not path.is_file() or path.stat().st_size > _MAX_BYTES:
        return []
    return read_webvtt(path.read_text(encoding="utf-8", errors="replace"))


def _write(
    plan: EncodePlan, track: Subtitles, cues: Sequence[Cue], pictures: RenditionFiles
) -> SubtitleFiles:
    folder = plan.output / track.folder
    folder.mkdir(exist_ok=True)
    durations = [segment.duration_s for segment in pictures.playlist.segments]
    first = pictures.segments[0].main_track
    texts = cut(cues, durations, clock_s=0.0 if first is None else first.start_s)
    segments, sizes = [], []
    for number, (text, duration_s) in enumerate(zip(texts, durations, strict=True)):
        path = folder / f"seg_{number:05d}.vtt"
        sizes.append(path.write_bytes(text.encode()))
        segments.append(Segment(uri=path.name, duration_s=duration_s))
    playlist = MediaPlaylist(
        target_duration_s=pictures.playlist.target_duration_s,
        segments=tuple(segments),
        ended=True,
    )
    (folder / PLAYLIST_NAME).write_text(write_media_playlist(playlist))
    return SubtitleFiles(
        track=track,
        playlist=playlist,
        size_bytes=sum(sizes),
        rates=measure_rates(playlist, sizes),
    )

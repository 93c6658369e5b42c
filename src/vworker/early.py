"""Playback of a video while it is still encoded: EVENT playlists that grow (RFC 8216 4.3.3.5).

A playlist is stored when the segments that it lists are, and only ever gets longer. In the end the
finished playlists, measured and checked as ever, take their places under the same names, so that a
player which has begun reads on. Until then rates are the ladder's caps, and there are no subtitles
and no I-frame playlists. What is played early is not checked yet: when the check fails,
`vworker.pipeline` deletes it and `vworker.handler` takes its name back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from vworker.contract import PLAYLIST_CONTENT_TYPE
from vworker.media.hls import MediaPlaylist, Rates, Segment, write_event_playlist
from vworker.media.master import AudioTrack, Variant, write_master
from vworker.media.plan import PLAYLIST_NAME, EncodePlan, find_init, segment_name
from vworker.media.segment import SegmentFacts
from vworker.media.segment_file import read_segment
from vworker.media.timeline import durations, spans
from vworker.object_store import ObjectStore
from vworker.result import MASTER_NAME

#: Told the S3 key of a master playlist that can be played from now on.
Tell = Callable[[str], Awaitable[None]]

#: Playlists that are being written, outside of what is published in the end.
_FOLDER = "early"


class EarlyPlayback:
    """Stores playlists for the segments that are in S3 so far."""

    def __init__(self, plan: EncodePlan, storage: ObjectStore, prefix: str, tell: Tell) -> None:
        self._plan = plan
        self._storage = storage
        self._prefix = prefix
        self._tell = tell
        self._names = [
            *(rung.name for rung in plan.rungs),
            *(sound.folder for sound in plan.sounds),
        ]
        #: Rendition → numbers of the segments in S3 that no playlist lists yet.
        self._stored: dict[str, set[int]] = {name: set() for name in self._names}
        #: Rendition → what is in the segments that its playlist lists, in their order.
        self._listed: dict[str, list[SegmentFacts]] = {name: [] for name in self._names}
        self._news = asyncio.Event()
        self._begun = False

    def stored(self, name: str, number: int) -> None:
        """Note that a segment is in S3; renditions that are not played early are passed over."""
        if name in self._stored:
            self._stored[name].add(number)
            self._news.set()

    async def run(self) -> None:
        """Write playlists whenever there is something new, until cancelled.

        Raises `StorageError`, and what telling raises.
        """
        (self._plan.scratch / _FOLDER).mkdir()
        while True:
            await self._news.wait()
            self._news.clear()
            for name in self._names:
                if await asyncio.to_thread(self._take_new, name):
                    await self._store(f"{name}/{PLAYLIST_NAME}", self._playlist(name))
            if not self._begun and all(self._listed.values()):
                await self._store(MASTER_NAME, self._master())
                await self._tell(self._prefix + MASTER_NAME)
                self._begun = True

    def _take_new(self, name: str) -> bool:
        """Read the segments that follow on to the listed ones; tell whether there are any."""
        listed = self._listed[name]
        before = len(listed)
        folder = self._plan.output / name
        init = find_init(folder)
        while len(listed) in self._stored[name]:
            path = folder / segment_name(len(listed), self._plan.encoding.segments)
            self._stored[name].discard(len(listed))
            listed.append(read_segment(path, init))
        return len(listed) > before

    def _playlist(self, name: str) -> str:
        found = self._listed[name]
        init = find_init(self._plan.output / name)
        lasting = durations(spans(found, float(1 / self._plan.frame_rate)))
        return write_event_playlist(
            MediaPlaylist(
                # It may not change, and so is the finished playlist's too.
                target_duration_s=self._plan.target_duration_s,
                segments=tuple(
                    Segment(
                        uri=segment_name(number, self._plan.encoding.segments),
                        duration_s=round(duration_s, 6),
                    )
                    for number, duration_s in enumerate(lasting)
                ),
                ended=False,
                init_uri=None if init is None else init.name,
            )
        )

    def _master(self) -> str:
        codecs = {name: _codec(found[0]) for name, found in self._listed.items()}
        variants = [
            Variant(
                uri=f"{rung.name}/{PLAYLIST_NAME}",
                width=rung.width,
                height=rung.height,
                frame_rate=float(self._plan.frame_rate),
                codecs=codecs[rung.name],
                rates=Rates(peak=rung.max_bitrate, average=rung.max_bitrate),
            )
            for rung in self._plan.rungs
        ]
        return write_master(variants, (), self._tracks(codecs))

    def _tracks(self, codecs: Mapping[str, str]) -> list[AudioTrack]:
        rate = self._plan.encoding.audio_bitrate
        return [
            AudioTrack(
                uri=f"{sound.folder}/{PLAYLIST_NAME}",
                name=sound.name,
                language=sound.language,
                default=sound.default,
                channels=2,
                codecs=codecs[sound.folder],
                rates=Rates(peak=rate, average=rate),
            )
            for sound in self._plan.sounds
        ]

    async def _store(self, name: str, text: str) -> None:
        path = self._plan.scratch / _FOLDER / "playlist.m3u8"
        await asyncio.to_thread(path.write_text, text)
        await self._storage.upload(path, self._prefix + name, PLAYLIST_CONTENT_TYPE)


def _codec(facts: SegmentFacts) -> str:
    track = facts.main_track
    if track is None or track.codec is None:
        raise ValueError("the first segment of a rendition tells no codec")
    return track.codec

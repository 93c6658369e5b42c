"""A published video on disk that a test may break in one place, and check."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.check.rules import Report
from vworker.media.segment import Frame, Kind, SegmentFacts, Track
from vworker.media.ts import PACKET_BYTES, read_ts

MASTER = "master.m3u8"


@dataclass(kw_only=True)
class Published:
    """The folder, and what the checker shall believe of segments instead of reading them."""

    folder: Path
    source_s: float | None = None
    believed: dict[str, SegmentFacts] = field(default_factory=dict)

    def report(self) -> Report:
        return check(Folder(self.folder), MASTER, source_s=self.source_s, known=self.believed)

    def broken_rules(self) -> set[str]:
        return {finding.rule.number for finding in self.report().findings}

    def edit(self, name: str, pattern: str, text: str, *, count: int = 0) -> None:
        """Replace what a pattern finds in a playlist; it must find something."""
        path = self.folder / name
        edited, hits = re.subn(pattern, text, path.read_text(), count=count, flags=re.MULTILINE)
        assert hits, f"{name} has no {pattern}"
        path.write_text(edited)

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)

    def swap(self, first: str, second: str) -> None:
        """Exchange two files."""
        one, two = self.folder / first, self.folder / second
        data = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(data)

    def change_packets(self, name: str, change: Callable[[list[bytearray]], None]) -> None:
        """Change the packets of a transport stream."""
        data = (self.folder / name).read_bytes()
        starts = range(0, len(data), PACKET_BYTES)
        packets = [bytearray(data[at : at + PACKET_BYTES]) for at in starts]
        change(packets)
        (self.folder / name).write_bytes(b"".join(packets))

    def drop_first_frame(self, name: str) -> None:
        """Take the first picture out of a segment, and count the others' packets anew."""
        (track,) = read_ts((self.folder / name).read_bytes()).tracks
        first, last = (at // PACKET_BYTES for at in (track.keys[0].start, track.keys[0].end))

        def drop(packets: list[bytearray]) -> None:
            pid = packets[first][1:3]
            counter = packets[first][3] & 15
            del packets[first:last]
            for packet in packets:
                if packet[2] == pid[1] and packet[1] & 31 == pid[0] & 31:
                    packet[3] = packet[3] & 0xF0 | counter
                    counter = (counter + 1) & 15

        self.change_packets(name, drop)

    def believe(self, folder: str, change: Callable[[Track], Track]) -> None:
        """Have the checker see changed tracks in all segments of a rendition."""
        for path in sorted((self.folder / folder).glob("*.ts")):
            facts = read_ts(path.read_bytes())
            tracks = tuple(change(track) for track in facts.tracks)
            self.believed[f"{folder}/{path.name}"] = replace(facts, tracks=tracks)

    def believe_times(self, folder: str, change: Callable[[float], float]) -> None:
        """Have the checker see changed time stamps in all segments of a rendition."""
        self.believe(folder, lambda track: _with_times(track, change))

    def believe_video(self, **changed: object) -> None:
        """Have the checker see another format of the pictures, in all rungs."""
        for folder in ("480p", "360p"):
            self.believe(folder, lambda track: _with_video(track, changed))

    def believe_audio(self, **changed: object) -> None:
        """Have the checker see another format of the sound."""
        self.believe("audio", lambda track: _with_audio(track, changed))


def _with_times(track: Track, change: Callable[[float], float]) -> Track:
    def changed(frame: Frame) -> Frame:
        return replace(frame, pts_s=change(frame.pts_s), dts_s=change(frame.dts_s))

    frame_s = track.frame_s and change(track.frame_s) - change(0.0)
    return replace(
        track,
        start_s=change(track.start_s),
        last_s=change(track.last_s),
        frame_s=frame_s,
        keys=tuple(changed(frame) for frame in track.keys),
    )


def _with_video(track: Track, changed: dict[str, object]) -> Track:
    assert track.kind is Kind.VIDEO
    assert track.video is not None
    return replace(track, video=replace(track.video, **changed))  # type: ignore[arg-type]


def _with_audio(track: Track, changed: dict[str, object]) -> Track:
    assert track.audio is not None
    return replace(track, audio=replace(track.audio, **changed))  # type: ignore[arg-type]

"""A published video on disk that a test may break in one place, and check.

Every damage is one to files: playlists are edited, segments cut, or made anew by FFmpeg.
"""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.check.rules import Report
from vworker.media.ts import PACKET_BYTES, read_ts

MASTER = "master.m3u8"


@dataclass(kw_only=True)
class Published:
    """The folder, and the duration of what it was made from."""

    folder: Path
    source_s: float
    #: The path of ffmpeg, for `remake` and `split`.
    ffmpeg: str

    def report(self) -> Report:
        return check(Folder(self.folder), MASTER, source_s=self.source_s)

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

    def remake(self, folder: str, *options: str, beside: str | None = None) -> None:
        """Put every segment of a rendition through FFmpeg, time stamps kept.

        `beside` is a rendition whose segment of the same name is a second input.
        """
        for path in sorted((self.folder / folder).glob("*.ts")):
            inputs = ["-i", str(path)]
            if beside is not None:
                inputs += ["-i", str(self.folder / beside / path.name)]
            self._run("-copyts", *inputs, *options, *_AS_IT_IS, "-f", "mpegts", f"{path}.new")
            Path(f"{path}.new").replace(path)

    def cut(self, uri: str, *, pictures: int) -> None:
        """Leave the first pictures of a segment."""
        path = self.folder / uri
        kept = ("-c", "copy", "-frames:v", str(pictures), *_AS_IT_IS, "-f", "mpegts")
        self._run("-copyts", "-i", str(path), *kept, f"{path}.new")
        Path(f"{path}.new").replace(path)

    def split(self, folder: str, seconds: int) -> None:
        """Cut a rendition into shorter segments, with a playlist that is right."""
        path = self.folder / folder / "index.m3u8"
        hls = ("-f", "hls", "-hls_time", str(seconds), "-hls_playlist_type", "vod")
        named = ("-hls_segment_filename", str(self.folder / folder / "short_%05d.ts"))
        self._run("-copyts", "-i", str(path), "-c", "copy", *_AS_IT_IS, *hls, *named, f"{path}.new")
        Path(f"{path}.new").replace(path)

    def into_fragments(self, uri: str) -> None:
        """Make a segment one of fragmented MP4, with an EXT-X-MAP in its playlist."""
        path = self.folder / uri
        fragmented = ("-movflags", "+empty_moov+default_base_moof+frag_keyframe")
        self._run("-copyts", "-i", str(path), "-c", "copy", *fragmented, "-f", "mp4", f"{path}.new")
        data = Path(f"{path}.new").read_bytes()
        start = data.index(b"moof") - 4
        self.write(str(Path(uri).with_name("init.mp4")), data[:start])
        self.write(str(Path(uri).with_suffix(".m4s")), data[start:])
        playlist = str(Path(uri).with_name("index.m3u8"))
        self.edit(playlist, path.name, Path(uri).with_suffix(".m4s").name)
        self.edit(playlist, "^#EXTINF", '#EXT-X-MAP:URI="init.mp4"\n#EXTINF', count=1)

    def _run(self, *arguments: str) -> None:
        command = [self.ffmpeg, "-v", "error", "-nostdin", "-y", *arguments]
        subprocess.run(command, check=True, capture_output=True)


#: Without these FFmpeg moves time stamps by 1.4 s.
_AS_IT_IS = ("-muxdelay", "0", "-muxpreload", "0")

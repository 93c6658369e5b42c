"""What the checker reads of videos that are not ours: parts of files, and more than it takes."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.checking import Handler, run_check, served
from tests.support.encoded import Encoded
from tests.support.published import MASTER, Published

MEDIA, IFRAMES, JOINED = "480p/index.m3u8", "480p/iframes.m3u8", "480p/all.ts"
#: One byte more than is read of a playlist, and of a segment.
TOO_LONG_TEXT, TOO_LONG = 8 * 2**20 + 1, 256 * 2**20 + 1


def join(published: Published, folder: str, suffix: str, *, with_init: bool = False) -> None:
    """Put all segments of a rendition into one file, of which its playlist names ranges."""
    base = published.folder / folder
    whole = bytearray()

    def add(name: str) -> str:
        data = (base / name).read_bytes()
        whole.extend(data)
        return f"{len(data)}@{len(whole) - len(data)}"

    def segment(found: re.Match[str]) -> str:
        return f"#EXT-X-BYTERANGE:{add(found[1])}\n{joined}"

    joined = f"all{suffix}"
    text = (base / "index.m3u8").read_text()
    if with_init:
        text = re.sub('URI="(.*)"', lambda m: f'URI="{joined}",BYTERANGE="{add(m[1])}"', text)
    (base / "index.m3u8").write_text(re.sub(r"(?m)^(seg_\d+.*)$", segment, text))
    (base / joined).write_bytes(whole)


def faults(published: Published, rule: str) -> str:
    return "\n".join(map(str, (f for f in published.report().findings if f.rule.number == rule)))


def test_segments_that_are_parts_of_one_file_are_read(published: Published) -> None:
    for folder in ("480p", "360p", "audio"):
        join(published, folder, ".ts")
    assert published.broken_rules() == set()


async def test_fragments_in_one_file_with_their_header_are_read(fmp4: Encoded, ffmpeg: str) -> None:
    published = Published(folder=await fmp4.finished(), source_s=14.5, ffmpeg=ffmpeg)
    for folder in ("480p", "360p", "audio"):
        join(published, folder, ".m4s", with_init=True)
    assert published.broken_rules() == set()
    published.edit(MEDIA, r'BYTERANGE="\d+@0"', 'BYTERANGE="24@0"')
    assert "apple-8.20" in published.broken_rules()


def test_a_range_without_an_offset_goes_on_behind_the_one_before(published: Published) -> None:
    join(published, "480p", ".ts")
    published.edit(MEDIA, r"(BYTERANGE:\d+)@[1-9]\d*", r"\1")
    assert published.broken_rules() == set()


def test_a_wrong_range_is_told_by_what_lies_in_it(published: Published) -> None:
    join(published, "480p", ".ts")
    published.edit(MEDIA, r"BYTERANGE:\d+@0", "BYTERANGE:188@0")
    assert "480p/all.ts (188@0): it holds neither pictures nor sound" in faults(
        published, "vqueue-3"
    )


def test_a_range_beyond_the_file_is_told(published: Published) -> None:
    join(published, "480p", ".ts")
    (published.folder / JOINED).write_bytes((published.folder / JOINED).read_bytes()[:-188])
    assert "bytes: the file is shorter" in faults(published, "rfc-6.2.1")


@pytest.mark.parametrize("found", ["188", "0@0", "-188@0", "188@-1", "some@0"])
def test_a_range_that_says_nothing_is_refused(published: Published, found: str) -> None:
    published.edit(MEDIA, "^seg_00000.ts", f"#EXT-X-BYTERANGE:{found}\nseg_00000.ts")
    assert f"EXT-X-BYTERANGE is {found}" in faults(published, "rfc-4.3.1.1")


class _KnowsRanges(Handler):
    """Answers one range, as web servers do for files."""

    def send_head(self) -> Any:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked is None:
            return super().send_head()
        path = Path(self.translate_path(self.path))
        file = path.open("rb")
        first, last = int(asked[1]), min(int(asked[2]), path.stat().st_size - 1)
        file.seek(first)
        self.length = last - first + 1
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(self.length))
        self.end_headers()
        return file

    def copyfile(self, source: Any, outputfile: Any) -> None:
        outputfile.write(source.read(getattr(self, "length", -1)))


@pytest.mark.parametrize("handler", [Handler, _KnowsRanges])
def test_ranges_are_asked_of_a_server_whether_it_knows_them_or_not(
    published: Published, handler: Callable[..., Handler]
) -> None:
    join(published, "480p", ".ts")
    with served(published.folder, handler) as url:
        ended = run_check(url, "--strict")
    assert ended.returncode == 0, ended.stdout


class _Endless(Handler):
    """Sends bytes for as long as somebody takes them, of everything but the master playlist."""

    def send_head(self) -> Any:
        if self.path.endswith(MASTER):
            return super().send_head()
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"#" * 2**16)
        except OSError:
            return None


def test_a_server_that_never_ends_is_left_at_the_bound(published: Published) -> None:
    with served(published.folder, _Endless) as url:
        ended = run_check(url)
    assert ended.returncode == 1
    assert "names 480p/index.m3u8: it is larger than 8 MiB, more is not read" in ended.stdout


class _Dripping(Handler):
    """Sends a byte now and then for as long as somebody waits: a body, or what is before it."""

    before = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"

    def send_head(self) -> Any:
        pause = threading.Event()
        try:
            self.wfile.write(self.before)
            while not pause.wait(0.05):
                self.wfile.write(b"#")
        except OSError:
            return None


class _DrippingHeaders(_Dripping):
    before = b"HTTP/1.1 200 OK\r\n"


class _DrippingChunks(_Dripping):
    before = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"


@pytest.mark.parametrize("handler", [_Dripping, _DrippingHeaders, _DrippingChunks])
def test_a_server_that_drips_is_left_when_the_time_is_over(
    handler: Callable[..., Handler], tmp_path: Path
) -> None:
    with served(tmp_path, handler) as url:
        ended = run_check(url, "--timeout", "1")
    assert ended.returncode == 75
    assert "the server has not sent all within 1 s" in ended.stderr


@pytest.mark.parametrize(
    ("name", "size_bytes", "told"),
    [
        (MEDIA, TOO_LONG_TEXT, "names 480p/index.m3u8: it is larger than 8 MiB"),
        ("480p/seg_00001.ts", TOO_LONG, "names 480p/seg_00001.ts: it is larger than 256 MiB"),
    ],
)
def test_a_file_that_is_too_large_is_not_read(
    published: Published, name: str, size_bytes: int, told: str
) -> None:
    with (published.folder / name).open("ab") as file:
        file.truncate(size_bytes)
    assert told in faults(published, "rfc-6.2.1")


def test_a_playlist_of_too_many_lines_is_refused(published: Published) -> None:
    published.edit(MEDIA, "^#EXT-X-ENDLIST", "#EXTINF:1,\na\n" * 150_000)
    assert "lines, and at most 300000 are read" in faults(published, "rfc-4.3.1.1")


def test_playlists_that_are_too_much_together_are_not_read(published: Published) -> None:
    lines = "\n" * 250_000
    for number in range(9):
        published.write(f"text/{number}.m3u8", f"#EXTM3U\n{lines}".encode())
        more = f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{number}",URI="text/{number}.m3u8"\n'
        published.edit(MASTER, "^#EXT-X-STREAM-INF", f"{more}#EXT-X-STREAM-INF", count=1)
    assert "text/8.m3u8: it is not read: the playlists before it" in faults(
        published, "rfc-4.3.1.1"
    )

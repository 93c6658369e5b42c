"""Fragmented MP4 (ISO/IEC 14496-12), as far as segments of H.264 and AAC need it.

An initialization section describes the tracks; a segment is one or more pairs of moof and mdat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from vworker.media import h264
from vworker.media.aac import read_audio_config
from vworker.media.segment import (
    AudioFormat,
    Container,
    Frame,
    Kind,
    MalformedSegment,
    SegmentFacts,
    Track,
)

_KINDS = {b"vide": Kind.VIDEO, b"soun": Kind.AUDIO}
#: A sample that depends on others (8.8.3.1).
_NOT_SYNC = 0x10000
_BASE_OFFSET, _DURATION, _SIZE, _FLAGS = 0x01, 0x08, 0x10, 0x20
#: In one run: half an hour of sound. What says more would keep a reader busy for nothing.
_MOST_SAMPLES = 100_000
_VIDEO_ENTRY_BYTES, _AUDIO_ENTRY_BYTES = 78, 28


@dataclass(frozen=True, kw_only=True, slots=True)
class _Defaults:
    """Duration in ticks, size in bytes and flags of samples that do not tell their own."""

    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class InitTrack:
    """One track as the initialization section describes it."""

    kind: Kind
    #: Ticks per second.
    timescale: int
    #: Seconds to add to the track's own times, by its edit list.
    shift_s: float = 0.0
    defaults: _Defaults = _Defaults()
    video: h264.VideoFormat | None = None
    audio: AudioFormat | None = None
    #: Parameter sets of the picture, without start codes.
    parameter_sets: tuple[bytes, ...] = ()


#: Track id → track.
InitSection = Mapping[int, InitTrack]


def read_init(data: bytes) -> InitSection:
    """Read an initialization section. Raises MalformedSegment."""
    moov = _find(data, b"moov")
    if moov is None:
        raise MalformedSegment("the initialization section has no moov box")
    try:
        movie = _find(moov, b"mvhd") or b""
        movie_scale = _number(movie, 20 if movie[:1] == b"\x01" else 12)
        tracks = dict(_read_trak(box, movie_scale) for name, box in _boxes(moov) if name == b"trak")
        for name, trex in _boxes(_find(moov, b"mvex") or b""):
            if name == b"trex" and _number(trex, 4) in tracks:
                defaults = _Defaults(
                    duration=_number(trex, 12), size=_number(trex, 16), flags=_number(trex, 20)
                )
                tracks[_number(trex, 4)] = replace(tracks[_number(trex, 4)], defaults=defaults)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise MalformedSegment(f"the initialization section cannot be read: {error}") from error
    return tracks


def _read_trak(trak: bytes, movie_scale: int) -> tuple[int, InitTrack]:
    header = _find(trak, b"tkhd") or b""
    mdia = _find(trak, b"mdia") or b""
    mdhd = _find(mdia, b"mdhd") or b""
    entries = _find(mdia, b"minf", b"stbl", b"stsd") or b""
    kind = _KINDS.get((_find(mdia, b"hdlr") or b"")[8:12], Kind.OTHER)
    timescale = _number(mdhd, 20 if mdhd[:1] == b"\x01" else 12)
    edits = _find(trak, b"edts", b"elst") or b""
    track = InitTrack(
        kind=kind, timescale=timescale, shift_s=_shift_seconds(edits, timescale, movie_scale)
    )
    for name, entry in _boxes(entries[8:]):
        if kind is Kind.VIDEO and name in {b"avc1", b"avc3"}:
            config = _find(entry[_VIDEO_ENTRY_BYTES:], b"avcC") or b""
            sets = tuple(_parameter_sets(config))
            track = replace(
                track, parameter_sets=sets, video=h264.read_parameter_set(sets[0] if sets else b"")
            )
        elif kind is Kind.AUDIO and name == b"mp4a":
            esds = _find(entry[_AUDIO_ENTRY_BYTES:], b"esds") or b""
            track = replace(track, audio=read_audio_config(_decoder_config(esds[4:])))
    return _number(header, 20 if header[:1] == b"\x01" else 12), track


def _shift_seconds(elst: bytes, timescale: int, movie_scale: int) -> float:
    """Return how far the edit list moves a track (8.6.6).

    Empty edits delay it, in the movie's ticks; the first other one cuts off what lies before its
    media time.
    """
    wide = elst[:1] == b"\x01"
    size, width = (20, 8) if wide else (12, 4)
    delay_s = 0.0
    edits = _number(elst, 4) if elst else 0
    for at in range(8, min(8 + size * edits, len(elst)), size):
        lasting = int.from_bytes(elst[at : at + width], "big")
        media_time = int.from_bytes(elst[at + width : at + 2 * width], "big", signed=True)
        if media_time >= 0:
            return delay_s - media_time / timescale
        delay_s += lasting / movie_scale
    return delay_s


def _parameter_sets(config: bytes) -> Iterator[bytes]:
    """Yield the sequence, then the picture parameter sets of an avcC box (14496-15, 5.3.3.1)."""
    at, counts = 6, [config[5] & 31] if len(config) > 5 else []
    for number, count in enumerate(counts):
        for _ in range(count):
            length = int.from_bytes(config[at : at + 2], "big")
            yield config[at + 2 : at + 2 + length]
            at += 2 + length
        if number == 0 and at < len(config):
            counts.append(config[at])
            at += 1


def _decoder_config(descriptors: bytes) -> bytes:
    """Return the AudioSpecificConfig inside nested descriptors (14496-1, 7.2.6)."""
    at = 0
    while at < len(descriptors):
        tag, at = descriptors[at], at + 1
        length = 0
        while True:
            length, more = length << 7 | descriptors[at] & 0x7F, descriptors[at] & 0x80
            at += 1
            if not more:
                break
        if tag == 5:
            return descriptors[at : at + length]
        # What stands in front of the descriptors inside: of the stream's, of the decoder's.
        at += {3: 3, 4: 13}.get(tag, length)
    raise ValueError("the sound's description names no decoder configuration")


def read_fmp4(data: bytes, init: InitSection) -> SegmentFacts:
    """Read one segment. Raises MalformedSegment."""
    frames: dict[int, list[Frame]] = {}
    fragments = []
    at = 0
    while at < len(data):
        size = _box_size(data, at)
        if data[at + 4 : at + 8] == b"moof":
            for name, traf in _boxes(data[at + 8 : at + size]):
                if name == b"traf":
                    track_id, found = _read_traf(traf, init, at)
                    frames.setdefault(track_id, []).extend(found)
                    fragments += [(at, frame.start) for frame in found[:1]]
        at += size
    tracks = tuple(_described(init[track_id], found) for track_id, found in frames.items() if found)
    if not tracks:
        raise MalformedSegment("there is no movie fragment in the segment")
    if any(frame.end > len(data) for found in frames.values() for frame in found):
        raise MalformedSegment("a movie fragment names more bytes than the segment has")
    return SegmentFacts(
        container=Container.FMP4,
        size_bytes=len(data),
        tracks=tracks,
        fragments=tuple(fragments),
    )


def _described(track: InitTrack, frames: list[Frame]) -> Track:
    if track.kind is Kind.VIDEO:
        return Track.of_pictures(frames, track.video)
    if track.kind is Kind.AUDIO:
        return Track.of_sound(frames, track.audio)
    return Track(kind=track.kind)


def _read_traf(traf: bytes, init: InitSection, moof_at: int) -> tuple[int, list[Frame]]:
    tfhd = _find(traf, b"tfhd") or b""
    flags, track_id = _number(tfhd, 0) & 0xFFFFFF, _number(tfhd, 4)
    if track_id not in init or not init[track_id].timescale:
        raise MalformedSegment(f"the initialization section has no track {track_id}")
    track = init[track_id]
    at, base = 8, moof_at
    if flags & _BASE_OFFSET:
        base, at = int.from_bytes(tfhd[at : at + 8], "big"), at + 8
    at += 4 if flags & 0x02 else 0
    defaults = track.defaults
    for bit, name in ((_DURATION, "duration"), (_SIZE, "size"), (_FLAGS, "flags")):
        if flags & bit:
            defaults = replace(defaults, **{name: _number(tfhd, at)})
            at += 4
    tfdt = _find(traf, b"tfdt") or b""
    clock = int.from_bytes(tfdt[4:12] if tfdt[:1] == b"\x01" else tfdt[4:8], "big")
    frames: list[Frame] = []
    for box, trun in _boxes(traf):
        if box == b"trun":
            clock, base = _read_trun(trun, track, defaults, clock, base, frames)
    return track_id, frames


def _read_trun(
    trun: bytes,
    track: InitTrack,
    defaults: _Defaults,
    clock: int,
    base: int,
    frames: list[Frame],
) -> tuple[int, int]:
    """Add the samples of one run (8.8.8); return the time and the position behind it."""
    flags, at, position = _number(trun, 0), 8, base
    if flags & 0x01:
        position, at = base + int.from_bytes(trun[at : at + 4], "big", signed=True), at + 4
    first_flags = _number(trun, at) if flags & 0x04 else None
    at += 4 if flags & 0x04 else 0
    count = _number(trun, 4)
    if count > _MOST_SAMPLES:
        raise MalformedSegment(f"a movie fragment says that it has {count} frames")
    for number in range(count):
        told: dict[int, int] = {}
        for bit in (0x100, 0x200, 0x400, 0x800):
            if flags & bit:
                told[bit] = int.from_bytes(trun[at : at + 4], "big", signed=bit == 0x800)
                at += 4
        duration, size = told.get(0x100, defaults.duration), told.get(0x200, defaults.size)
        sample_flags = told.get(0x400, defaults.flags)
        if number == 0 and first_flags is not None:
            sample_flags = first_flags
        frames.append(
            Frame(
                pts_s=(clock + told.get(0x800, 0)) / track.timescale + track.shift_s,
                dts_s=clock / track.timescale + track.shift_s,
                duration_s=duration / track.timescale,
                key=not sample_flags & _NOT_SYNC,
                start=position,
                end=position + size,
            )
        )
        clock, position = clock + duration, position + size
    return clock, position


def picture_of(data: bytes, frame: Frame, init: InitSection) -> bytes:
    """Return a picture of a segment as an Annex B byte stream, with its parameter sets."""
    sets = next(track.parameter_sets for track in init.values() if track.parameter_sets)
    units, at = list(sets), frame.start
    while at < frame.end:
        length = _number(data, at)
        units.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return b"".join(b"\x00" + h264.START_CODE + unit for unit in units)


def _find(data: bytes, *path: bytes) -> bytes | None:
    """Return the content of the first box on a path of nested boxes."""
    for wanted in path:
        found = next((box for name, box in _boxes(data) if name == wanted), None)
        if found is None:
            return None
        data = found
    return data


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        size = _box_size(data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _box_size(data: bytes, at: int) -> int:
    """Return a box's bytes, its header included; segments have no boxes of 4 GB or more."""
    size = _number(data, at)
    if size < 8 or at + size > len(data):
        raise MalformedSegment(f"the box at byte {at} is cut off")
    return size


def _number(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise MalformedSegment("a box is too short for its fields")
    return int.from_bytes(data[at : at + 4], "big")

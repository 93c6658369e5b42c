"""MPEG transport streams (ISO/IEC 13818-1), as far as segments of H.264 and AAC need it.

Reads 75 MB in about 0.3 s: headers are cut out of the whole segment with strides, and payloads are
only put together where a header must be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vworker.media import h264
from vworker.media.aac import read_adts
from vworker.media.segment import (
    AudioFormat,
    Container,
    Frame,
    Kind,
    MalformedSegment,
    SegmentFacts,
    Track,
)

PACKET_BYTES = 188
SYNC_BYTE = b"\x47"
CLOCK_HZ = 90_000
#: Seconds after which time stamps begin at 0 again (33 bits).
WRAP_S = 2**33 / CLOCK_HZ
_PAT_PID = 0
_NULL_PID = 0x1FFF
_H264, _AAC = 0x1B, 0x0F
_KINDS = {_H264: Kind.VIDEO, _AAC: Kind.AUDIO}


@dataclass(kw_only=True, slots=True)
class _Pid:
    """One packet id, while the segment is read."""

    first_counter: int
    counter: int
    #: Numbers of the packets in which a unit starts, and of the last packet of each unit.
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    last: int = 0


def read_ts(data: bytes) -> SegmentFacts:
    """Read one segment. Raises MalformedSegment when it is no whole transport stream."""
    if not data or len(data) % PACKET_BYTES:
        raise MalformedSegment(f"{len(data)} bytes are no whole number of transport packets")
    if data[::PACKET_BYTES].count(SYNC_BYTE) * PACKET_BYTES != len(data):
        raise MalformedSegment("a transport packet does not start with 0x47")
    faults: list[str] = []
    pids = _read_headers(data, faults)
    types = _stream_types(data, pids)
    tracks = tuple(
        _read_track(data, pid, pids[pid], kind)
        for pid, kind in types.items()
        if pid in pids and pids[pid].starts
    )
    first = [pid.starts[0] for pid in pids.values() if pid.starts]
    tables_first = bool(types) and pids[_PAT_PID].starts[0] <= min(first) + 1
    return SegmentFacts(
        container=Container.TS,
        size_bytes=len(data),
        tracks=tracks,
        faults=tuple(faults),
        counters={pid: (found.first_counter, found.counter) for pid, found in pids.items()},
        self_contained=tables_first,
    )


def shift_counters(data: bytes, offsets: Mapping[int, int]) -> bytes:
    """Return a segment whose continuity counters are higher by `offsets`, by packet id, modulo 16.

    Reads 75 MB in about 0.2 s.
    """
    shifted = bytearray(data)
    headers = zip(data[1::PACKET_BYTES], data[2::PACKET_BYTES], data[3::PACKET_BYTES], strict=True)
    for number, (flags, low, control) in enumerate(headers):
        offset = offsets.get((flags & 0x1F) << 8 | low)
        if offset:
            shifted[number * PACKET_BYTES + 3] = control & 0xF0 | (control + offset) & 15
    return bytes(shifted)


def _read_headers(data: bytes, faults: list[str]) -> dict[int, _Pid]:
    """Follow the continuity counters (2.4.3.3) of all packets, and note where units start."""
    pids: dict[int, _Pid] = {}
    headers = zip(data[1::PACKET_BYTES], data[2::PACKET_BYTES], data[3::PACKET_BYTES], strict=True)
    for number, (flags, low, control) in enumerate(headers):
        pid = (flags & 0x1F) << 8 | low
        if pid == _NULL_PID:
            continue
        counter = control & 15
        found = pids.get(pid)
        if found is None:
            found = pids[pid] = _Pid(first_counter=counter, counter=counter)
        else:
            # It counts packets with a payload only.
            expected = (found.counter + 1) & 15 if control & 0x10 else found.counter
            if counter != expected:
                faults.append(
                    f"packet {number} of id {pid:#x} has continuity counter {counter}, "
                    f"not {expected}"
                )
            found.counter = counter
        if flags & 0x40:
            if found.starts:
                found.ends.append(found.last)
            found.starts.append(number)
        found.last = number
    for found in pids.values():
        if found.starts:
            found.ends.append(found.last)
    return pids


def _stream_types(data: bytes, pids: dict[int, _Pid]) -> dict[int, Kind]:
    """Return packet id → kind, from the program's map; empty when there is none."""
    if _PAT_PID not in pids or not pids[_PAT_PID].starts:
        return {}
    pat = _section(data, pids[_PAT_PID])
    programs = [
        int.from_bytes(pat[at + 2 : at + 4], "big") & 0x1FFF
        for at in range(8, _section_end(pat), 4)
        if pat[at : at + 2] != b"\x00\x00"
    ]
    kinds: dict[int, Kind] = {}
    for program in programs:
        if program not in pids or not pids[program].starts:
            continue
        pmt = _section(data, pids[program])
        at = 12 + (int.from_bytes(pmt[10:12], "big") & 0xFFF)
        while at + 5 <= _section_end(pmt):
            pid = int.from_bytes(pmt[at + 1 : at + 3], "big") & 0x1FFF
            kinds[pid] = _KINDS.get(pmt[at], Kind.OTHER)
            at += 5 + (int.from_bytes(pmt[at + 3 : at + 5], "big") & 0xFFF)
    return kinds


def _section(data: bytes, pid: _Pid) -> bytes:
    """Return the first table section of a packet id; ours fit into one packet."""
    payload = _packet_payload(data, pid.starts[0])
    return payload[1 + payload[0] :] if payload else b""


def _section_end(section: bytes) -> int:
    """Return where a section's entries end: before its checksum."""
    length = int.from_bytes(section[1:3], "big") & 0xFFF if len(section) > 3 else 0
    return min(3 + length - 4, len(section))


def _read_track(data: bytes, pid: int, found: _Pid, kind: Kind) -> Track:
    units = zip(found.starts, found.ends, strict=True)
    if kind is Kind.VIDEO:
        return _read_video(data, pid, list(units))
    if kind is Kind.AUDIO:
        return _read_audio(data, pid, list(units))
    return Track(kind=kind)


def _read_video(data: bytes, pid: int, units: list[tuple[int, int]]) -> Track:
    described: h264.VideoFormat | None = None
    frames = []
    for first, last in units:
        header = _PesHeader.read(_packet_payload(data, first))
        types, parameters = _first_units(data, pid, first, last)
        if described is None and parameters is not None:
            try:
                described = h264.read_parameter_set(parameters)
            except ValueError as error:
                raise MalformedSegment(str(error)) from error
        frames.append(
            Frame(
                pts_s=header.pts / CLOCK_HZ,
                dts_s=header.dts / CLOCK_HZ,
                duration_s=None,
                key=h264.IDR_SLICE in types and {h264.SPS, h264.PPS} <= types,
                start=first * PACKET_BYTES,
                end=(last + 1) * PACKET_BYTES,
            )
        )
    return Track.of_pictures(frames, described)


def _first_units(data: bytes, pid: int, first: int, last: int) -> tuple[set[int], bytes | None]:
    """Return the types of a picture's NAL units up to its first slice, and its parameter set.

    One packet nearly always holds them; only a picture with long headers is put together whole.
    """
    payload = _PesHeader.strip(_packet_payload(data, first))
    units = list(h264.nal_units(payload))
    if not any(unit and unit[0] & 31 in {h264.SLICE, h264.IDR_SLICE} for unit in units):
        units = list(h264.nal_units(_PesHeader.strip(_payload(data, pid, first, last))))
    types = set()
    for unit in units:
        if unit:
            types.add(unit[0] & 31)
            if unit[0] & 31 in {h264.SLICE, h264.IDR_SLICE}:
                break
    return types, h264.find_parameter_set(iter(units))


def _read_audio(data: bytes, pid: int, units: list[tuple[int, int]]) -> Track:
    described: AudioFormat | None = None
    frames = []
    for first, last in units:
        payload = _payload(data, pid, first, last)
        header = _PesHeader.read(payload)
        try:
            described, duration_s = read_adts(_PesHeader.strip(payload))
        except ValueError as error:
            raise MalformedSegment(str(error)) from error
        frames.append(
            Frame(
                pts_s=header.pts / CLOCK_HZ,
                dts_s=header.dts / CLOCK_HZ,
                duration_s=duration_s,
                key=True,
                start=first * PACKET_BYTES,
                end=(last + 1) * PACKET_BYTES,
            )
        )
    return Track.of_sound(frames, described)


def picture_of(data: bytes, frame: Frame) -> bytes:
    """Return a picture of a segment as an Annex B byte stream, with its parameter sets."""
    first = frame.start // PACKET_BYTES
    pid = int.from_bytes(data[frame.start + 1 : frame.start + 3], "big") & 0x1FFF
    return _PesHeader.strip(_payload(data, pid, first, frame.end // PACKET_BYTES - 1))


def _payload(data: bytes, pid: int, first: int, last: int) -> bytes:
    """Put the payloads of one packet id together, from packet `first` to packet `last`."""
    return b"".join(_payloads(data, pid, first, last))


def _payloads(data: bytes, pid: int, first: int, last: int) -> Iterator[bytes]:
    for number in range(first, last + 1):
        at = number * PACKET_BYTES
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] == pid:
            yield _packet_payload(data, number)


def _packet_payload(data: bytes, number: int) -> bytes:
    """Return what a packet carries behind its header and adaptation field (2.4.3.4)."""
    at = number * PACKET_BYTES
    control = data[at + 3]
    if not control & 0x10:
        return b""
    skipped = 4 + (1 + data[at + 4] if control & 0x20 else 0)
    return data[at + skipped : at + PACKET_BYTES]


@dataclass(frozen=True, kw_only=True, slots=True)
class _PesHeader:
    """The head of a PES packet (2.4.3.6), times in ticks of 90 kHz."""

    pts: int
    dts: int

    @classmethod
    def read(cls, payload: bytes) -> _PesHeader:
        if payload[:3] != b"\x00\x00\x01" or len(payload) < 14 or not payload[7] & 0x80:
            raise MalformedSegment("a frame has no time stamp")
        pts = _time_stamp(payload[9:14])
        has_dts = payload[7] & 0x40 and len(payload) >= 19
        return cls(pts=pts, dts=_time_stamp(payload[14:19]) if has_dts else pts)

    @staticmethod
    def strip(payload: bytes) -> bytes:
        return payload[9 + payload[8] :] if len(payload) > 8 else b""


def _time_stamp(data: bytes) -> int:
    """Put the 33 bits together that lie in five bytes with marker bits between them."""
    return (
        (data[0] & 0x0E) << 29
        | data[1] << 22
        | (data[2] & 0xFE) << 14
        | data[3] << 7
        | (data[4] >> 1)
    )

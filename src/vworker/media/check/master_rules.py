"""Rules on the master playlist: what it says, against what was measured."""

from __future__ import annotations

from collections.abc import Iterator

from vworker.media.check.listing import ListedVariant, MasterListing
from vworker.media.check.presentation import Presentation, Rendition
from vworker.media.check.rules import Finding, broken
from vworker.media.encoding import LARGEST_ALONE
from vworker.media.hls import Rates
from vworker.media.segment import Kind

_TOLERANCE = 0.10
#: FRAME-RATE has three decimals, and time stamps of 90 kHz round as well.
_FRAME_RATE_TOLERANCE = 0.005
_FIRST_RATE = 2_000_000
_SHAPE_TOLERANCE = 0.015


def check_master(found: Presentation) -> Iterator[Finding]:
    """Test every variant against its rendition, and the variants against each other."""
    if found.master is None:
        return
    for variant in found.master.variants:
        yield from _check_attributes(variant)
    for variant, rendition in found.variants():
        yield from _check_rates(found, variant, rendition)
        yield from _check_picture(variant, rendition)
        yield from _check_codecs(found, variant, rendition)
    yield from _check_media(found, found.master)
    yield from _check_choice(found, found.master)


def _check_attributes(variant: ListedVariant) -> Iterator[Finding]:
    if not variant.codecs:
        yield broken("apple-9.1", variant.uri, "it has no CODECS")
    if variant.average_bandwidth is None:
        yield broken("apple-9.14", variant.uri, "it has no AVERAGE-BANDWIDTH")
    if variant.resolution is None:
        yield broken("apple-9.2", variant.uri, "it has no RESOLUTION")
    if variant.frame_rate is None:
        yield broken("apple-9.15", variant.uri, "it has no FRAME-RATE")


def _check_rates(
    found: Presentation, variant: ListedVariant, rendition: Rendition
) -> Iterator[Finding]:
    """The measured rates are those of the picture with the largest sound and subtitles."""
    beside: list[list[Rates]] = [
        [audio.rates for audio in found.audio(variant.audio)] if variant.audio else [],
        [subtitles.rates for subtitles in found.subtitles_of(variant.subtitles)],
    ]
    peak = rendition.rates.peak + sum(max(r.peak for r in group) for group in beside if group)
    mean = rendition.rates.average + sum(max(r.average for r in group) for group in beside if group)
    if abs(variant.bandwidth - peak) > _TOLERANCE * peak:
        yield broken("apple-1.27", variant.uri, _against("BANDWIDTH", variant.bandwidth, peak))
    if variant.bandwidth < 0.999 * peak:
        yield broken("apple-9.13", variant.uri, _against("BANDWIDTH", variant.bandwidth, peak))
    told = variant.average_bandwidth
    if told is not None and abs(told - mean) > _TOLERANCE * mean:
        yield broken("apple-1.26", variant.uri, _against("AVERAGE-BANDWIDTH", told, mean))
    if peak > 2 * mean:
        yield broken("apple-1.30", variant.uri, f"its peak is {peak}, its mean {mean} bit/s")


def _against(attribute: str, told: int, measured: int) -> str:
    return f"{attribute} is {told}, measured were {measured} bit/s"


def _check_picture(variant: ListedVariant, rendition: Rendition) -> Iterator[Finding]:
    sizes = {
        (track.video.width, track.video.height)
        for segment in rendition.segments
        for track in segment.of_kind(Kind.VIDEO)
        if track.video is not None
    }
    if variant.resolution is not None and sizes and sizes != {variant.resolution}:
        measured = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        yield broken(
            "apple-9.4",
            variant.uri,
            f"RESOLUTION is {variant.resolution[0]}x{variant.resolution[1]}, the pictures have "
            f"{measured}",
        )
    if variant.frame_rate and rendition.frame_s:
        measured_rate = 1 / rendition.frame_s
        if abs(variant.frame_rate - measured_rate) > _FRAME_RATE_TOLERANCE * measured_rate:
            yield broken(
                "apple-9.15",
                variant.uri,
                f"FRAME-RATE is {variant.frame_rate:g}, measured were {measured_rate:.3f}",
            )


def _check_codecs(
    found: Presentation, variant: ListedVariant, rendition: Rendition
) -> Iterator[Finding]:
    sounds = found.audio(variant.audio) if variant.audio else []
    held = {
        track.codec
        for part in (rendition, *sounds)
        for segment in part.segments
        for track in segment.tracks
        if track.codec is not None
    }
    if variant.codecs and set(variant.codecs) != held:
        yield broken(
            "apple-9.3",
            variant.uri,
            f"CODECS is {','.join(variant.codecs)}, the segments hold {','.join(sorted(held))}",
        )


def _check_media(found: Presentation, master: MasterListing) -> Iterator[Finding]:
    for media in master.media:
        if media.kind in {"AUDIO", "SUBTITLES"} and not media.language:
            yield broken("apple-8.10", found.master_uri, f"{media.name!r} has no LANGUAGE")
    for variant, rendition in found.variants():
        with_sound = any(segment.of_kind(Kind.AUDIO) for segment in rendition.segments)
        with_picture = any(segment.of_kind(Kind.VIDEO) for segment in rendition.segments)
        if with_sound and with_picture:
            yield broken("apple-9.5", variant.uri, "its segments hold sound and pictures")
        if with_sound and not with_picture and variant.audio is None:
            yield broken("apple-8.9", variant.uri, "it is sound that no EXT-X-MEDIA lists")
        sound_codec = any(codec.startswith("mp4a") for codec in variant.codecs)
        if sound_codec and not with_sound and variant.audio is None:
            yield broken(
                "apple-8.9", variant.uri, "CODECS names sound, and there is no AUDIO group"
            )


def _check_choice(found: Presentation, master: MasterListing) -> Iterator[Finding]:
    """Test what the variants are together."""
    if not master.independent:
        yield broken("apple-9.11", found.master_uri, "it has no EXT-X-INDEPENDENT-SEGMENTS")
    shapes = [v.resolution[0] / v.resolution[1] for v in master.variants if v.resolution]
    if shapes and max(shapes) > (1 + _SHAPE_TOLERANCE) * min(shapes):
        yield broken("apple-1.33", found.master_uri, "its variants differ in shape")
    if len(master.variants) == 1:
        resolution = master.variants[0].resolution
        if resolution is not None and min(resolution) > LARGEST_ALONE:
            yield broken("apple-9.9", found.master_uri, "it has one variant only")
    rates = [variant.average_bandwidth or variant.bandwidth for variant in master.variants]
    if rates and abs(rates[0] - _FIRST_RATE) > min(abs(rate - _FIRST_RATE) for rate in rates):
        yield broken("apple-1.32", found.master_uri, f"the first variant has {rates[0]} bit/s")

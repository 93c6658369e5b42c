"""From a plan and the measured output: the master playlist and the job's result. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from vworker.contract import (
    AudioRendition,
    PhaseTimings,
    Rendition,
    SourceSummary,
    TranscodeResult,
)
from vworker.media.hls import AudioTrack, Variant, write_master
from vworker.media.output import RenditionFiles
from vworker.media.plan import AUDIO_NAME, PLAYLIST_NAME, EncodePlan

MASTER_NAME = "master.m3u8"


def master_playlist(plan: EncodePlan, measured: Mapping[str, RenditionFiles]) -> str:
    """Return the master playlist's text; its URIs are relative to the attempt's prefix."""
    variants = [
        Variant(
            uri=f"{rung.name}/{PLAYLIST_NAME}",
            width=rung.width,
            height=rung.height,
            frame_rate=float(plan.frame_rate),
            codecs=measured[rung.name].codec,
            rates=measured[rung.name].rates,
        )
        for rung in plan.rungs
    ]
    track = None
    if plan.info.audio is not None:
        track = AudioTrack(
            uri=f"{AUDIO_NAME}/{PLAYLIST_NAME}",
            name=_track_name(plan.info.audio.language),
            language=plan.info.audio.language,
            codecs=measured[AUDIO_NAME].codec,
            rates=measured[AUDIO_NAME].rates,
        )
    return write_master(variants, track)


def describe(
    plan: EncodePlan,
    measured: Mapping[str, RenditionFiles],
    *,
    prefix: str,
    source_bytes: int,
    master_bytes: int,
    timings: PhaseTimings,
) -> TranscodeResult:
    """Return the result of a published attempt."""
    video, audio = plan.info.video, plan.info.audio
    renditions = []
    for rung in plan.rungs:
        files = measured[rung.name]
        renditions.append(
            Rendition(
                name=rung.name,
                width=rung.width,
                height=rung.height,
                frame_rate=float(plan.frame_rate),
                codecs=files.codec,
                bandwidth=files.rates.peak,
                average_bandwidth=files.rates.average,
                segments=len(files.playlist.segments),
                size_bytes=files.segments_bytes,
                duration_s=files.playlist.duration_s,
                playlist=f"{prefix}{rung.name}/{PLAYLIST_NAME}",
            )
        )
    sound = None
    if audio is not None:
        files = measured[AUDIO_NAME]
        sound = AudioRendition(
            name=_track_name(audio.language),
            language=audio.language,
            codecs=files.codec,
            bandwidth=files.rates.peak,
            average_bandwidth=files.rates.average,
            segments=len(files.playlist.segments),
            size_bytes=files.segments_bytes,
            duration_s=files.playlist.duration_s,
            playlist=f"{prefix}{AUDIO_NAME}/{PLAYLIST_NAME}",
        )
    return TranscodeResult(
        playlist=prefix + MASTER_NAME,
        renditions=tuple(renditions),
        audio=sound,
        source=SourceSummary(
            size_bytes=source_bytes,
            container=plan.info.container,
            duration_s=video.duration_s,
            width=video.width,
            height=video.height,
            frame_rate=float(video.frame_rate or plan.frame_rate),
            video_codec=video.codec,
            audio_codec=None if audio is None else audio.codec,
        ),
        size_bytes=sum(files.size_bytes for files in measured.values()) + master_bytes,
        timings=timings,
    )


def _track_name(language: str | None) -> str:
    return language or "default"

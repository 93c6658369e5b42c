"""From a plan and the measured output: the playlists, and the job's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vworker.contract import PhaseTimings, TranscodeResult
from vworker.media.hls import write_iframe_playlist, write_media_playlist
from vworker.media.master import AudioTrack, IFrameVariant, SubtitleTrack, Variant, write_master
from vworker.media.output import IFRAMES_NAME, RenditionFiles
from vworker.media.plan import PLAYLIST_NAME, SCRUB_NAME, EncodePlan, Sound
from vworker.media.stills import POSTER_NAME, STORYBOARD_NAME
from vworker.media.subtitles import SubtitleFiles
from vworker.renditions import AudioRendition, Rendition, SourceSummary, SubtitleRendition

MASTER_NAME = "master.m3u8"


def write_playlists(
    plan: EncodePlan,
    measured: Mapping[str, RenditionFiles],
    subtitles: Sequence[SubtitleFiles] = (),
) -> tuple[str, ...]:
    """Write all playlists into the output folder, in place of FFmpeg's; safe to repeat.

    Return their names there, the master playlist's last.
    """
    texts: dict[str, str] = {}
    for name, files in measured.items():
        if name != SCRUB_NAME:
            texts[f"{name}/{PLAYLIST_NAME}"] = write_media_playlist(files.playlist)
        if files.stills:
            texts[f"{name}/{IFRAMES_NAME}"] = write_iframe_playlist(
                files.iframes, files.playlist.init_uri
            )
    texts[MASTER_NAME] = master_playlist(plan, measured, subtitles)
    for name, text in texts.items():
        (plan.output / name).write_text(text)
    return (*(f"{files.track.folder}/{PLAYLIST_NAME}" for files in subtitles), *texts)


def master_playlist(
    plan: EncodePlan,
    measured: Mapping[str, RenditionFiles],
    subtitles: Sequence[SubtitleFiles] = (),
) -> str:
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
    iframes = [
        IFrameVariant(
            uri=f"{name}/{IFRAMES_NAME}",
            width=rung.width,
            height=rung.height,
            codecs=measured[name].codec,
            rates=measured[name].iframe_rates,
        )
        for name, rung in [
            *((rung.name, rung) for rung in plan.rungs),
            (SCRUB_NAME, plan.rungs[-1]),
        ]
    ]
    tracks = [
        AudioTrack(
            uri=f"{sound.folder}/{PLAYLIST_NAME}",
            name=sound.name,
            language=sound.language,
            default=sound.default,
            channels=measured[sound.folder].channels,
            codecs=measured[sound.folder].codec,
            rates=measured[sound.folder].rates,
        )
        for sound in plan.sounds
    ]
    texts = [
        SubtitleTrack(
            uri=f"{files.track.folder}/{PLAYLIST_NAME}",
            name=files.track.name,
            language=files.track.language,
            default=files.track.default,
            forced=files.track.forced,
            rates=files.rates,
        )
        for files in subtitles
    ]
    return write_master(variants, iframes, tracks, texts)


def describe(
    plan: EncodePlan,
    measured: Mapping[str, RenditionFiles],
    subtitles: Sequence[SubtitleFiles],
    *,
    prefix: str,
    source_bytes: int,
    published_bytes: int,
    timings: PhaseTimings,
) -> TranscodeResult:
    """Return the result of a published attempt; pure."""
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
    tracks = tuple(_audio_rendition(sound, measured[sound.folder], prefix) for sound in plan.sounds)
    defaults = [track for sound, track in zip(plan.sounds, tracks, strict=True) if sound.default]
    return TranscodeResult(
        playlist=prefix + MASTER_NAME,
        renditions=tuple(renditions),
        audio=defaults[0] if defaults else None,
        audio_tracks=tracks,
        subtitles=tuple(_subtitle_rendition(files, prefix) for files in subtitles),
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
        size_bytes=published_bytes,
        poster=prefix + POSTER_NAME,
        storyboard=prefix + STORYBOARD_NAME,
        timings=timings,
    )


def _audio_rendition(sound: Sound, files: RenditionFiles, prefix: str) -> AudioRendition:
    return AudioRendition(
        name=sound.name,
        language=sound.language,
        codecs=files.codec,
        bandwidth=files.rates.peak,
        average_bandwidth=files.rates.average,
        segments=len(files.playlist.segments),
        size_bytes=files.segments_bytes,
        duration_s=files.playlist.duration_s,
        playlist=f"{prefix}{sound.folder}/{PLAYLIST_NAME}",
    )


def _subtitle_rendition(files: SubtitleFiles, prefix: str) -> SubtitleRendition:
    return SubtitleRendition(
        name=files.track.name,
        language=files.track.language,
        forced=files.track.forced,
        segments=len(files.playlist.segments),
        size_bytes=files.size_bytes,
        playlist=f"{prefix}{files.track.folder}/{PLAYLIST_NAME}",
    )

"""Three ways from one source to the same renditions, run in turn on one machine.

bare      one FFmpeg straight on the local file: the fastest way that is known (one decode,
          cascaded scaling, all rungs, sound and scrub in one process)
whole     a job: download, probe, pictures and sound by two FFmpeg side by side in the sandbox,
          poster and storyboard, playlists, checker, upload to S3, clean-up
separate  an FFmpeg run for each rung, one after another, the sound with the first
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.transcode.cost import Clock, Cost
from benchmarks.transcode.program import run_program
from vworker.contract import TranscodeRequest
from vworker.media.command_line import all_pictures, sound_outputs
from vworker.media.ffmpeg import prepare_folders
from vworker.media.ladder import Rung
from vworker.media.plan import SOURCE_NAME, EncodePlan, make_plan, segment_pattern
from vworker.media.probe import probe
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.storage import Storage
from vworker.workspace import Workspace

NAMES = ("bare", "whole", "separate")
_PREFIX = "bench/transcode/"
_SOURCE_KEY = _PREFIX + "source.mp4"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One run of one way."""

    cost: Cost
    #: Segments by rung: alike for all ways.
    segments: Mapping[str, int]
    #: Wall seconds by phase, of a whole job.
    phases: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """The three ways over one source file."""

    source: Path
    #: Where the runs' folders are made; on the disk of the source.
    scratch: Path
    settings: MediaSettings
    storage: Storage
    workspace: Workspace

    async def prepare(self) -> None:
        """Put the source into S3, from where whole jobs take it."""
        await self.storage.upload(self.source, _SOURCE_KEY, "video/mp4")

    async def clean_up(self) -> None:
        """Remove what is in S3. Safe to repeat."""
        await self.storage.delete_prefix(_PREFIX)

    async def run(self, name: str) -> Outcome:
        """Run one of `NAMES`. Raises RunFailed, TranscodeError."""
        if name == "whole":
            return await self._whole()
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            plan = await self._plan(Path(folder))
            if name == "bare":
                commands = [_one_process(plan, self.settings)]
            else:
                commands = [_one_rung(plan, number, self.settings) for number in _numbers(plan)]
            clock = Clock()
            for command in commands:
                await run_program(command, plan.scratch)
            return Outcome(cost=clock.cost(), segments=_segments(plan))

    async def _whole(self) -> Outcome:
        prefix = f"{_PREFIX}output/1-bench/"
        clock = Clock()
        result = await transcode(
            TranscodeRequest(video_id="bench", source=_SOURCE_KEY),
            prefix=prefix,
            storage=self.storage,
            workspace=self.workspace,
            report=_nobody,
            settings=self.settings,
            resumable=True,
        )
        cost = clock.cost()
        await self.storage.delete_prefix(prefix)
        return Outcome(
            cost=cost,
            segments={rendition.name: rendition.segments for rendition in result.renditions},
            phases=asdict(result.timings),
        )

    async def _plan(self, folder: Path) -> EncodePlan:
        (folder / SOURCE_NAME).hardlink_to(self.source)
        info = await probe(folder / SOURCE_NAME, self.settings)
        plan = make_plan(folder, info, self.settings.encoding)
        prepare_folders(plan)
        return plan


def _one_process(plan: EncodePlan, settings: MediaSettings) -> list[str]:
    """Return the command for all outputs of a source that tells how long it is; pure."""
    if plan.duration_s is None:
        raise ValueError("the source does not tell how long its pictures last")
    return [*all_pictures(plan, settings), *sound_outputs(plan, (), end_s=plan.duration_s)]


def _one_rung(plan: EncodePlan, number: int, settings: MediaSettings) -> list[str]:
    """Return the command for one rung as one writes it without the others; pure."""
    encoding, rung = plan.encoding, plan.rungs[number]
    size = f"scale={rung.width}:{rung.height}:flags=lanczos,setsar=1,format=yuv420p"
    argv = [
        *(settings.ffmpeg, "-nostdin", "-y", "-loglevel", "warning", "-i", f"file:{SOURCE_NAME}"),
        *("-map", "0:v:0", "-vf", size, "-map_metadata", "-1", "-map_chapters", "-1"),
        *("-c:v", "libx264", "-preset", encoding.preset, "-profile:v", "high"),
        *("-crf", str(encoding.crf), "-flags", "+cgop"),
        *("-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.max_bitrate * 3 // 2)),
        *("-force_key_frames", f"expr:gte(t,n_forced*{encoding.keyframe_s})"),
        *("-sc_threshold", "0"),
        *_hls(plan, rung.name),
    ]
    if number == 0:
        for sound in plan.sounds:
            argv += ["-map", f"0:{sound.stream.index}", "-c:a", "aac"]
            argv += ["-b:a", str(encoding.audio_bitrate), "-ac", "2", "-ar", "48000"]
            argv += _hls(plan, sound.folder)
    return argv


def _hls(plan: EncodePlan, folder: str) -> list[str]:
    path = plan.output.relative_to(plan.scratch) / folder
    return [
        *("-f", "hls", "-hls_time", str(plan.encoding.segment_s)),
        *("-hls_playlist_type", "vod", "-hls_list_size", "0"),
        *("-hls_segment_filename", str(path / segment_pattern(plan.encoding.segments))),
        str(path / "index.m3u8"),
    ]


def _numbers(plan: EncodePlan) -> range:
    return range(len(plan.rungs))


def _segments(plan: EncodePlan) -> dict[str, int]:
    def count(rung: Rung) -> int:
        return sum(path.name.startswith("seg_") for path in (plan.output / rung.name).iterdir())

    return {rung.name: count(rung) for rung in plan.rungs}


async def _nobody(_: float) -> None:
    """Nobody looks at the progress."""

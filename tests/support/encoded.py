"""A finished encode on disk, as the pipeline has it before anything is published."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vworker.media.encode import encode
from vworker.media.encoding import Encoding
from vworker.media.ffmpeg import prepare_folders
from vworker.media.length import measure_length
from vworker.media.output import RenditionFiles, measure_output
from vworker.media.plan import SOURCE_NAME, EncodePlan, make_plan
from vworker.media.probe import probe
from vworker.media.settings import MediaSettings
from vworker.media.stills import make_stills
from vworker.result import write_playlists


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What FFmpeg has left, with nothing of ours beside it yet."""

    plan: EncodePlan
    settings: MediaSettings

    def copied_to(self, scratch: Path) -> "Encoded":
        """Return a copy that a test may damage."""
        shutil.copytree(self.plan.scratch, scratch, dirs_exist_ok=True)
        return replace(self, plan=replace(self.plan, scratch=scratch))

    def measured(self) -> Mapping[str, RenditionFiles]:
        return measure_output(self.plan, ())

    async def finished(self) -> Path:
        """Add all that is published beside the segments; return the folder."""
        measured = self.measured()
        await make_stills(self.plan, measured, self.settings)
        write_playlists(self.plan, measured)
        return self.plan.output


async def encode_clip(
    clip: Path, scratch: Path, settings: MediaSettings, encoding: Encoding
) -> Encoded:
    """Encode a clip in a new folder, by the pipeline's own steps."""
    scratch.mkdir()
    source = scratch / SOURCE_NAME
    shutil.copy(clip, source)
    info = await measure_length(source, await probe(source, settings), settings)
    plan = make_plan(scratch, info, encoding)
    prepare_folders(plan)
    await encode(plan, settings, lambda progress: None)
    return Encoded(plan=plan, settings=settings)

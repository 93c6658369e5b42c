"""The filter graph of an encode: what happens to pictures and sound between decoding and encoding.

Pure; every word of it is ours, nothing comes from the file but numbers that were checked.
"""

from __future__ import annotations

from vworker.media.ladder import Rung
from vworker.media.loudness import Loudness
from vworker.media.plan import CUBE_PATH, LATE_S, EncodePlan
from vworker.media.source import Transfer, VideoStream
from vworker.media.tone_map import needs_cube

#: From this short side on, a picture that does not tell its matrix is taken for BT.709's.
_HD_SIDE = 720
#: Matrices that FFmpeg's scaler knows.
_MATRICES = {"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc"}
_TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"


def pictures_graphs(plan: EncodePlan, skipped: int = 0) -> list[str]:
    """Return the graphs: outputs [v0], [v1] … are the rungs, [scrub] the pictures for scrubbing.

    Rungs lack their first `skipped` pictures, and then begin at 0. They are counted after they have
    their rate, so that what comes out is what a whole encode has there, whatever the source's own
    times are. Output [scrub] has the smallest rung's picture of every full second, always all.

    Two graphs, so that [scrub] does not depend on what is skipped.

    FFmpeg turns the picture by the file's rotation before the graph. The first scaling squares
    the pixels and holds the size when the source changes its own in the middle.
    """
    feed = f"0:{plan.info.video.index}"
    late = [f"trim=start_frame={skipped}", "setpts=PTS-STARTPTS"] if skipped else []
    head = [*_at_rate(plan), *late, *_sized(plan, plan.rungs[0])]
    return [
        ";".join(_rungs(plan, feed, head)),
        f"[{feed}]{','.join([*_at_rate(plan), *_each_second(plan)])}[scrub]",
    ]


def first_pictures_graph(plan: EncodePlan) -> str:
    """Return the graph of the rungs alone."""
    return pictures_graphs(plan)[0]


def sounds_graphs(
    plan: EncodePlan, loudness: tuple[Loudness | None, ...], end_s: float, *, all_late: bool = False
) -> list[str]:
    """Return a graph for each sound, with outputs [a0], [a1] …; all end at `end_s` seconds.

    FFmpeg configures a graph when every input has a frame, and keeps unpacked in memory what comes
    before that; and it makes a graph anew when an input changes. So no sound shares one.

    With `all_late` every sound is filled up from 0 on, and not only those whose stream tells that
    it starts late. Then none survives a change of its channels: FFmpeg makes its graph anew, and
    that fills up once more.

    `loudness` has what was measured of each sound, in their order; none leaves them as they are.
    """
    measured = loudness or (None,) * len(plan.sounds)
    return [
        f"[0:{sound.stream.index}]"
        f"{','.join(_sound(plan, level, end_s, late=all_late or sound.stream.start_s > LATE_S))}"
        f"[a{number}]"
        for number, (sound, level) in enumerate(zip(plan.sounds, measured, strict=True))
    ]


def _rungs(plan: EncodePlan, feed: str, steps: list[str]) -> list[str]:
    """Return the cascade: [v0] and on, each made of the one before it."""
    chains = []
    for number, rung in enumerate(plan.rungs):
        if number:
            steps = [f"scale={rung.width}:{rung.height}:flags=lanczos", "setsar=1"]
        if number == len(plan.rungs) - 1:
            chains.append(f"[{feed}]{','.join(steps)}[v{number}]")
        else:
            chains.append(f"[{feed}]{','.join([*steps, 'split=2'])}[v{number}][s{number}]")
        feed = f"s{number}"
    return chains


def _each_second(plan: EncodePlan) -> list[str]:
    # Rounded up: the picture that is on show when the second begins, and never none.
    return ["fps=1:round=up", *_sized(plan, plan.rungs[-1])]


def _at_rate(plan: EncodePlan) -> list[str]:
    """Return the steps to progressive pictures at one rate."""
    video = plan.info.video
    rate = plan.frame_rate
    # A stream that starts late shows its first picture from 0 on.
    late = ":start_time=0" if video.start_s > LATE_S else ""
    steps = [f"fps={rate.numerator}/{rate.denominator}{late}", *_matrix(video)]
    if video.interlaced:
        # A picture from each field; all frames, since what calls itself progressive in such a
        # stream often is not, and combs stay.
        steps.insert(0, "bwdif=mode=send_field:deint=all")
    return steps


def _sized(plan: EncodePlan, rung: Rung) -> list[str]:
    """Return the steps to a rung's size, BT.709, 8 bit 4:2:0."""
    video = plan.info.video
    size = f"scale={rung.width}:{rung.height}:flags=lanczos"
    if needs_cube(video.colour):
        # Sixteen bits between the two conversions, so that skies get no steps.
        steps = [
            f"{size}:out_range=pc",
            "format=gbrp16le",
            f"lut3d=file={CUBE_PATH}:interp=tetrahedral",
            "scale=out_color_matrix=bt709:out_range=tv",
        ]
    else:
        # Transparent pixels show black behind them.
        blend = ":alphablend=uniform_color" if video.alpha else ""
        steps = [f"{size}:out_color_matrix=bt709:out_range=tv{blend}"]
    return [*steps, "setsar=1", "format=yuv420p", _TAGS]


def _matrix(video: VideoStream) -> list[str]:
    """Name the matrix of a picture that does not: by its size, as players guess it.

    The same for a matrix that the scaler does not know (YCgCo, ICtCp), so that the encode of it is
    odd in its colours and does not fail.
    """
    colour = video.colour
    if colour.is_rgb or colour.matrix in _MATRICES:
        return []
    if colour.transfer is not Transfer.SDR or colour.primaries == "bt2020":
        return ["setparams=colorspace=bt2020nc"]
    hd = min(video.width, video.height) >= _HD_SIDE
    return [f"setparams=colorspace={'bt709' if hd else 'smpte170m'}"]


def _sound(plan: EncodePlan, level: Loudness | None, end_s: float, *, late: bool) -> list[str]:
    """Return the steps of one sound: without gaps, from 0 to `end_s`."""
    # Gaps become silence: a player has no clock but the samples.
    steps = ["aresample=async=1:first_pts=0" if late else "aresample=async=1"]
    if level is not None:
        steps += [level.filter(plan.encoding.loudness_lufs), "aresample=48000"]
    # Filled up with silence, or cut.
    return [*steps, "apad", f"atrim=end={end_s:.6f}"]

from dataclasses import replace
from fractions import Fraction

import pytest

from tests.support.plans import INFO, PLAN, planned
from vworker.media.encoding import Encoding
from vworker.media.filters import pictures_graphs, sounds_graphs
from vworker.media.loudness import Loudness
from vworker.media.source import Colour, SourceInfo, Transfer

TAGGED = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"


def with_video(**change: object) -> SourceInfo:
    return replace(INFO, video=replace(INFO.video, **change))  # type: ignore[arg-type]


def picture(info: SourceInfo) -> str:
    """The steps of the largest rung."""
    return pictures_graphs(planned(info))[0].partition(";")[0]


def test_the_whole_graphs() -> None:
    common = "out_color_matrix=bt709:out_range=tv,setsar=1,format=yuv420p"
    main, scrub = pictures_graphs(PLAN)
    assert main.split(";") == [
        f"[0:1]fps=25/1,scale=854:480:flags=lanczos:{common},{TAGGED},split=2[v0][s0]",
        "[s0]scale=640:360:flags=lanczos,setsar=1[v1]",
    ]
    assert scrub == (
        f"[0:1]fps=25/1,fps=1:round=up,scale=640:360:flags=lanczos:{common},{TAGGED}[scrub]"
    )


def test_the_graphs_behind_kept_pictures() -> None:
    main, scrub = pictures_graphs(PLAN, 150)
    assert main.startswith("[0:1]fps=25/1,trim=start_frame=150,setpts=PTS-STARTPTS,scale=854:480:")
    # those for scrubbing are all made anew
    assert scrub == pictures_graphs(PLAN)[1]


def test_every_sound_has_a_graph_of_its_own_with_the_same_end() -> None:
    plan = planned(replace(INFO, sounds=INFO.sounds * 2))
    steps = "aresample=async=1,apad,atrim=end=9.500000"
    assert sounds_graphs(plan, (), 9.5) == [f"[0:0]{steps}[a0]", f"[0:0]{steps}[a1]"]


def test_a_single_rung_is_not_split() -> None:
    assert "split" not in ";".join(pictures_graphs(planned(with_video(width=320, height=240))))


@pytest.mark.parametrize(
    ("rate", "filtered"),
    [
        (Fraction(1000), "fps=60/1"),
        (Fraction(50), "fps=50/1"),
        (Fraction(60000, 1001), "fps=60000/1001"),
        (Fraction(1, 10), "fps=1/1"),
        (None, "fps=30/1"),
    ],
)
def test_frame_rates_stay_between_one_and_sixty(rate: Fraction | None, filtered: str) -> None:
    assert picture(with_video(frame_rate=rate)).startswith(f"[0:1]{filtered},")


def test_fields_become_pictures_of_their_own() -> None:
    steps = picture(with_video(interlaced=True))
    assert steps.startswith("[0:1]bwdif=mode=send_field:deint=all,fps=50/1,scale=")


@pytest.mark.parametrize(
    ("size", "colour", "matrix"),
    [
        ((1280, 720), Colour(), ",setparams=colorspace=bt709"),
        ((720, 1280), Colour(), ",setparams=colorspace=bt709"),
        ((720, 576), Colour(), ",setparams=colorspace=smpte170m"),
        ((720, 576), Colour(matrix="ycgco"), ",setparams=colorspace=smpte170m"),
        ((720, 576), Colour(primaries="bt2020"), ",setparams=colorspace=bt2020nc"),
        ((720, 576), Colour(matrix="bt470bg"), ""),
        ((720, 576), Colour(is_rgb=True), ""),
    ],
)
def test_a_matrix_that_nobody_tells_is_guessed_as_players_do(
    size: tuple[int, int], colour: Colour, matrix: str
) -> None:
    steps = picture(with_video(width=size[0], height=size[1], colour=colour))
    assert steps.startswith(f"[0:1]fps=25/1{matrix},scale=")


@pytest.mark.parametrize(
    "colour",
    [
        Colour(transfer=Transfer.PQ, primaries="bt2020", matrix="bt2020nc"),
        Colour(transfer=Transfer.HLG, primaries="bt2020", matrix="bt2020nc"),
        Colour(primaries="bt2020", matrix="bt2020nc"),
        Colour(primaries="smpte432", matrix="bt709"),
    ],
)
def test_hdr_and_wide_gamut_go_through_the_cube(colour: Colour) -> None:
    assert (
        "scale=854:480:flags=lanczos:out_range=pc,format=gbrp16le,"
        "lut3d=file=hls/tone.cube:interp=tetrahedral,scale=out_color_matrix=bt709:out_range=tv,"
        f"setsar=1,format=yuv420p,{TAGGED}" in picture(with_video(colour=colour))
    )


def test_transparent_pixels_are_laid_on_black() -> None:
    assert ":alphablend=uniform_color" in picture(with_video(alpha=True))


def test_late_streams_are_filled_up_from_zero() -> None:
    late = replace(
        with_video(start_s=1.5), sounds=tuple(replace(s, start_s=2.0) for s in INFO.sounds)
    )
    assert "fps=25/1:start_time=0," in pictures_graphs(planned(late))[0]
    filled = "[0:0]aresample=async=1:first_pts=0,apad,atrim=end=9.500000[a0]"
    assert sounds_graphs(planned(late), (), 9.5) == [filled]
    assert sounds_graphs(PLAN, (), 9.5, all_late=True) == [filled]


def test_measured_loudness_is_brought_to_the_target() -> None:
    level = Loudness(
        integrated_lufs=-30.5, true_peak_dbtp=-12.0, range_lu=4.0, threshold_lufs=-41.0
    )
    (graph,) = sounds_graphs(planned(INFO, Encoding(loudness_lufs=-16.0)), (level,), 9.5)
    assert (
        "loudnorm=I=-16.0:TP=-1.5:LRA=20:linear=true:measured_I=-30.5:measured_TP=-12.0"
        ":measured_LRA=4.0:measured_thresh=-41.0,aresample=48000,apad" in graph
    )

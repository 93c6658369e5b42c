"""What `python -m benchmarks.shaka` asks for, reads and judges, from values that are given here."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.shaka import shaka_config
from benchmarks.shaka.quality import Quality, mean_rate, read_log, read_sizes
from benchmarks.shaka.rounds import Found, Round
from benchmarks.shaka.verdict import figures_of, rates_table
from benchmarks.transcode.cost import Cost

SIZES = {"720p": (1280, 720), "360p": (640, 360)}


def a_round(
    *, worker_s: float, shaka_s: float = 100.0, rates: Mapping[str, float] | None = None
) -> Round:
    def cost(wall_s: float) -> Cost:
        return Cost(wall_s=wall_s, children_cpu_s=190.0, own_cpu_s=0.0)

    same = {"720p": 2_000_000.0, "360p": 500_000.0}
    return Round(
        worker=cost(worker_s),
        shaka=cost(shaka_s),
        asked=same,
        worker_rates=rates or same,
        shaka_rates=same,
    )


def found(*rounds: Round, worker_360p: float = 80.0) -> Found:
    return Found(
        rounds=list(rounds),
        worker_quality={
            "720p": Quality(vmaf=91.0, psnr=40.0),
            "360p": Quality(vmaf=worker_360p, psnr=36.0),
        },
        shaka_quality={
            "720p": Quality(vmaf=90.0, psnr=39.0),
            "360p": Quality(vmaf=79.0, psnr=36.5),
        },
    )


def missed(of: Found) -> list[str]:
    return [figure.name for figure in figures_of(of) if not figure.kept]


def test_shaka_is_asked_for_the_same_rungs_rates_and_distance_of_keyframes() -> None:
    rungs = shaka_config.bitrates(SIZES, {"720p": 1_418_478.4, "360p": 513_350.0})
    assert rungs["video_resolutions"]["720p"] == {
        "max_width": 1280,
        "max_height": 720,
        "bitrates": {"h264": "1418478"},
    }
    asked = shaka_config.pipeline(SIZES, 2)
    assert asked["resolutions"] == ["720p", "360p"]
    assert asked["segment_size"] == 2
    assert {one["media_type"] for one in shaka_config.inputs(Path("/film.mp4"))["inputs"]} == {
        "audio",
        "video",
    }


def test_what_x264_missed_a_rate_by_is_made_good_in_the_next_round() -> None:
    asked = shaka_config.nearer({"360p": 500.0}, made={"360p": 400.0}, wanted={"360p": 500.0})
    assert asked == {"360p": 625.0}


def test_a_rate_counts_coded_pictures_only() -> None:
    sizes = read_sizes("1000,\n250\n250\n")
    assert sizes == [1000, 250, 250]
    assert mean_rate(sizes, seconds=0.5) == 24_000


def test_quality_is_the_mean_over_all_pictures_that_were_compared() -> None:
    log = {
        "frames": [{"frameNum": 0}, {"frameNum": 1}],
        "pooled_metrics": {"vmaf": {"min": 1, "mean": 93.5}, "psnr_y": {"min": 1, "mean": 41.5}},
    }
    assert read_log(json.dumps(log)) == (Quality(vmaf=93.5, psnr=41.5), 2)


def test_all_is_kept_by_a_worker_that_is_not_slower_and_not_worse() -> None:
    assert missed(found(a_round(worker_s=99), a_round(worker_s=130), a_round(worker_s=90))) == []


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("worker ÷ Shaka Streamer, wall time", found(a_round(worker_s=101))),
        (
            "360p: VMAF, worker minus Shaka Streamer",
            found(a_round(worker_s=99), worker_360p=78.9),
        ),
        (
            "360p: bitrate, worker ÷ Shaka Streamer",
            found(a_round(worker_s=99, rates={"720p": 2_000_000.0, "360p": 520_000.0})),
        ),
    ],
)
def test_a_bound_that_is_missed_is_named(name: str, of: Found) -> None:
    assert missed(of) == [name]


def test_quality_is_judged_at_the_rates_of_the_round_that_it_was_measured_in() -> None:
    early = a_round(worker_s=99, rates={"720p": 3_000_000.0, "360p": 900_000.0})
    both = found(early, a_round(worker_s=99))
    assert missed(both) == []
    assert "| 360p | 500 | 80.00 | 36.00 | 500 | 79.00 | 36.50 |" in rates_table(both)


def test_what_there_was_no_time_for_is_not_kept() -> None:
    assert missed(Found()) == [
        "worker ÷ Shaka Streamer, wall time",
        "VMAF, worker minus Shaka Streamer",
    ]

import pytest

from vworker.media.capabilities import Capabilities, read_capabilities, threads_per_encoder

VERSION = (
    "ffmpeg version n8.1.2 Copyright (c)\nlibavutil      60. 26.102\nlibavcodec     62. 28.102\n"
)
NAMES = ("aresample", "apad", "bwdif", "fps", "loudnorm", "lut3d", "scale", "setparams", "split")
FILTERS = "Filters:\n  T.. = Timeline support\n" + "".join(
    f" .S {name:16} V->V       Words\n" for name in NAMES
)
ENCODERS = "Encoders:\n ------\n" + "".join(
    f" V....D {name:20} Words\n" for name in ("aac", "libx264", "mjpeg", "webvtt")
)
CODECS = (
    "Codecs:\n D..... = Decoding supported\n -------\n DEA.L. aac        Words\n"
    " ..A.L. ac4        AC-4\n D.VIL. h264       H.264\n"
)
DECODERS = " V....D av1                  Words\n V..... libdav1d             Words\n"


def read(
    version: str = VERSION,
    filters: str = FILTERS,
    encoders: str = ENCODERS,
    decoders: str = DECODERS,
    codecs: str = CODECS,
) -> Capabilities:
    return read_capabilities(version, filters, encoders, decoders, codecs)


def test_a_full_build_lacks_nothing() -> None:
    assert read() == Capabilities(
        version="n8.1.2",
        too_old=False,
        missing=(),
        decodes_av1=True,
        decodes=frozenset({"aac", "h264"}),
    )


def test_what_is_missing_is_named() -> None:
    found = read(filters=FILTERS.replace("lut3d", "lut"), encoders=ENCODERS.replace("libx264", "x"))
    assert found.missing == ("libx264", "lut3d")


def test_av1_needs_a_decoder_that_works_without_a_graphics_card() -> None:
    assert not read(decoders=DECODERS.replace("libdav1d", "libdavs2")).decodes_av1


@pytest.mark.parametrize(
    ("version", "too_old"),
    [("61. 19.100", True), ("62. 11.100", True), ("62. 28.100", False), ("63.  3.100", False)],
)
def test_before_eight_point_one_it_is_too_old(version: str, too_old: bool) -> None:
    assert read(version=f"libavcodec     {version}\n").too_old is too_old


def test_an_answer_that_is_none_promises_nothing() -> None:
    found = read(version="", filters="", encoders="", decoders="", codecs="")
    assert "libx264" in found.missing
    assert not found.too_old


@pytest.mark.parametrize(
    ("jobs", "cores", "threads"), [(1, 2, 0), (2, 2, 1), (4, 2, 1), (2, 8, 0), (8, 8, 1), (1, 1, 1)]
)
def test_one_thread_for_an_encoder_when_jobs_fill_the_cores(
    jobs: int, cores: int, threads: int
) -> None:
    assert threads_per_encoder(jobs=jobs, cores=cores) == threads

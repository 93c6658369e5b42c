import pytest

from vworker.media.progress import Progress, ProgressParser

BLOCK = b"frame=16\nfps=0.00\nbitrate=N/A\nout_time_us=533333\nspeed=1.07x\nprogress=continue\n"


def test_a_block_is_read_whole_however_it_is_cut() -> None:
    for cut in range(len(BLOCK)):
        parser = ProgressParser()
        blocks = parser.feed(BLOCK[:cut]) + parser.feed(BLOCK[cut:])
        assert blocks == [Progress(out_time_us=533333, frame=16)]


def test_values_of_one_block_do_not_leak_into_the_next() -> None:
    parser = ProgressParser()
    parser.feed(BLOCK)
    assert parser.feed(b"progress=end\n") == [Progress(out_time_us=None, frame=None, ended=True)]


@pytest.mark.parametrize(
    "value", [b"N/A", b"", b" ", b"1e9", b"0x10", b"\xff\xfe", b"9" * 5000, "²".encode()]
)
def test_a_value_that_is_no_number_counts_as_unknown(value: bytes) -> None:
    (block,) = ProgressParser().feed(b"out_time_us=" + value + b"\nprogress=continue\n")
    assert block.out_time_us is None


def test_garbage_between_blocks_is_passed_over() -> None:
    parser = ProgressParser()
    assert parser.feed(b"\x00\xff===\n\nnonsense\n" + BLOCK) == [
        Progress(out_time_us=533333, frame=16)
    ]


def test_an_endless_line_is_not_kept() -> None:
    parser = ProgressParser()
    for _ in range(100):
        parser.feed(b"x" * 65536)
    assert parser.feed(b"\n" + BLOCK) == [Progress(out_time_us=533333, frame=16)]


@pytest.mark.parametrize(
    ("out_time_us", "duration_s", "fraction"),
    [
        (2_500_000, 10.0, 0.25),
        (20_000_000, 10.0, 1.0),
        (-1_000_000, 10.0, 0.0),
        (None, 10.0, 0.0),
        (5, None, 0.0),
        (5, 0.0, 0.0),
    ],
)
def test_the_fraction_stays_between_nothing_and_all(
    out_time_us: int | None, duration_s: float | None, fraction: float
) -> None:
    assert Progress(out_time_us=out_time_us, frame=None).fraction_of(duration_s) == fraction

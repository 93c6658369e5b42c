from vworker.media.loudness import Loudness, read_loudness

ANSWER = """Input #0, mov
[Parsed_loudnorm_0 @ 0x1]
{
"input_i" : "-21.75",
"input_tp" : "-18.06",
"input_lra" : "3.10",
"input_thresh" : "-31.75",
"output_i" : "-16.1",
"normalization_type" : "dynamic",
"target_offset" : "0.03"
}
[out#0/null @ 0x2] video:0KiB""".splitlines()


def test_the_measured_values_are_read() -> None:
    assert read_loudness(ANSWER) == Loudness(
        integrated_lufs=-21.75, true_peak_dbtp=-18.06, range_lu=3.1, threshold_lufs=-31.75
    )


def test_silence_has_no_loudness() -> None:
    assert read_loudness([line.replace("-21.75", "-inf") for line in ANSWER]) is None


def test_an_answer_that_is_none_has_no_loudness() -> None:
    assert read_loudness([]) is None
    assert read_loudness(["{", "x", "}"]) is None
    assert read_loudness(ANSWER[:6]) is None

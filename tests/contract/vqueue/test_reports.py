"""progress and log: calls of a running job, refused once it is not held."""

from tests.support.driver import LONG_MS, Driver, settle
from vqueue import Queue


async def test_progress_is_kept_and_told(driver: Driver, queue: Queue) -> None:
    await driver.add("a", "b")
    first, second = (await driver.take(2)).jobs
    statuses = await driver.scripts.progress(
        consumer="w1", jobs=[("a", first.token, b"10"), ("b", second.token, b'{"step":1}')]
    )
    assert statuses == [1, 1]
    assert [job and job.progress for job in await queue.get_jobs(["a", "b"])] == [10, {"step": 1}]
    assert await driver.history("b") == ["added", "waiting", "active", "progress"]


async def test_late_progress_is_refused_and_changes_nothing(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    late = await driver.take_one(consumer="w1")
    await driver.sweep(dead="w1")
    current = await driver.take_one(consumer="w2")
    await driver.scripts.progress(consumer="w2", jobs=[("job", current.token, b"5")])

    report = [("job", late.token, b"80")]
    assert await driver.scripts.progress(consumer="w1", jobs=report) == [0]
    # the entry's id is not enough: the consumer is a part of the fence
    assert await driver.scripts.progress(consumer="w1", jobs=[("job", current.token, b"9")]) == [0]
    snapshot = await driver.snapshot("job")
    assert snapshot is not None
    assert snapshot.progress == b"5"


async def test_progress_after_the_end_is_refused(driver: Driver) -> None:
    await driver.add("job")
    job = await driver.take_one()
    await driver.finish(settle(job, rule="0 -1"))
    assert await driver.scripts.progress(consumer="w1", jobs=[("job", job.token, b"1")]) == [0]
    assert await driver.state("job") is None


async def test_log_lines_keep_their_order(driver: Driver, queue: Queue) -> None:
    await driver.add("job")
    token = (await driver.take_one()).token
    lines = [("job", token, number, f"line {number} é") for number in range(1, 6)]
    assert await driver.scripts.log(consumer="w1", keep=100, lines=lines) == [1] * 5
    assert await queue.get_job_logs("job") == [f"line {number} é" for number in range(1, 6)]
    assert await queue.get_job_logs("job", start=-2) == ["line 4 é", "line 5 é"]
    assert await queue.get_job_logs("unknown") == []


async def test_a_repeated_log_call_does_not_double_its_lines(driver: Driver, queue: Queue) -> None:
    await driver.add("job")
    token = (await driver.take_one()).token
    lines = [("job", token, 1, "one"), ("job", token, 2, "two")]
    for _ in range(2):
        assert await driver.scripts.log(consumer="w1", keep=100, lines=lines) == [1, 1]
    assert await queue.get_job_logs("job") == ["one", "two"]


async def test_the_next_activation_numbers_its_lines_anew(driver: Driver, queue: Queue) -> None:
    await driver.add("job")
    for attempt in ("first", "second"):
        job = await driver.take_one()
        await driver.scripts.log(consumer="w1", keep=100, lines=[("job", job.token, 1, attempt)])
        await driver.finish(settle(job, "waiting", rule=""))
    assert await queue.get_job_logs("job") == ["first", "second"]


async def test_the_oldest_lines_go_first(driver: Driver, queue: Queue) -> None:
    await driver.add("job")
    token = (await driver.take_one()).token
    lines = [("job", token, number, str(number)) for number in range(1, 10)]
    await driver.scripts.log(consumer="w1", keep=3, lines=lines)
    assert await queue.get_job_logs("job") == ["7", "8", "9"]


async def test_a_late_log_line_is_refused(driver: Driver, queue: Queue) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    late = await driver.take_one(consumer="w1")
    await driver.sweep(dead="w1")
    line = [("job", late.token, 1, "late")]
    assert await driver.scripts.log(consumer="w1", keep=9, lines=line) == [0]
    assert await queue.get_job_logs("job") == []


async def test_log_lines_go_with_their_job(driver: Driver) -> None:
    await driver.add("job")
    job = await driver.take_one()
    await driver.scripts.log(consumer="w1", keep=9, lines=[("job", job.token, 1, "line")])
    await driver.finish(settle(job, rule="0 -1"))
    assert (await driver.dump()).lists == {}

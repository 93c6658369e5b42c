"""`/dashboard` and `/api/queue/…`: what is shown, what is refused, who may act."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.support.api import Api, assert_problem, running_api
from tests.support.waiting import until
from vqueue import JobState, Queue, Worker
from vworker.contract import QUEUE_NAME

OTHER = "other-queue"


@pytest.fixture(scope="module")
def acting(api_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API whose dashboard acts, and shows a queue more."""
    own = {
        "VAPI_DASHBOARD_ACTIONS": "on",
        "VAPI_DASHBOARD_QUEUES": f"{QUEUE_NAME},{OTHER}",
        "VAPI_DASHBOARD_HOSTS": "queues.example",
    }
    with running_api(api_environ | own, tmp_path_factory.mktemp("acting")) as api:
        yield api


@pytest.fixture
async def page(acting: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client that asks as the dashboard's own page does."""
    headers = {"Origin": acting.url, "Sec-Fetch-Site": "same-origin"}
    async with acting.client(headers=headers) as client:
        yield client


@pytest.fixture
async def other(api_environ: dict[str, str]) -> AsyncIterator[Queue]:
    """An empty queue that the dashboard shows."""
    async with Queue(OTHER, api_environ["REDIS_URL"]) as queue:
        await queue.obliterate(force=True)
        yield queue


async def state_of(queue: Queue, job_id: str) -> JobState | None:
    job = await queue.get_job(job_id)
    return job and job.state


async def test_the_page_lets_no_script_run_but_its_own(http: httpx.AsyncClient) -> None:
    page = await http.get("/dashboard")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    # never without its policy
    assert (await http.get("/dashboard/files/index.html")).status_code == 404
    script = await http.get("/dashboard/files/dashboard.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"


async def test_jobs_are_counted_and_every_one_is_on_one_page(
    page: httpx.AsyncClient, other: Queue
) -> None:
    ids = {(await other.add("x", {"n": n})).id for n in range(5)}
    told = (await page.get(f"/api/queue/{OTHER}")).json()
    assert told["counts"]["waiting"] == 5
    assert told["is_paused"] is False
    seen: list[str] = []
    more: dict[str, str] = {}
    while more is not None:
        answer = await page.get(
            f"/api/queue/{OTHER}/jobs", params={"state": "waiting", "limit": 2, **more}
        )
        listed = answer.json()
        seen += [job["id"] for job in listed["jobs"]]
        if listed["next"] is None:
            break
        more = {"cursor": listed["next"]}
    assert len(seen) == 5
    assert set(seen) == ids


async def test_one_job_is_told_with_everything_and_its_log_in_pages(
    page: httpx.AsyncClient, other: Queue
) -> None:
    job = await other.add("x", {"long": "y" * 60_000}, attempts=3)
    for number in range(5):
        await other.add_job_log(job.id, f"line {number}")
    told = (await page.get(f"/api/queue/{OTHER}/jobs/{job.id}")).json()
    assert told["state"] == "waiting"
    assert told["explanation"].startswith(f"job {job.id} waits")
    assert len(told["texts"]["data"]["text"]) == 50_000
    assert told["texts"]["data"]["left_out"] > 10_000
    assert '"attempts": 3' in told["texts"]["options"]["text"]
    path = f"/api/queue/{OTHER}/jobs/{job.id}/log"
    newest = (await page.get(path, params={"limit": 3})).json()
    assert newest == {"lines": ["line 2", "line 3", "line 4"], "next": 3}
    oldest = (await page.get(path, params={"limit": 3, "skip": 3})).json()
    assert oldest == {"lines": ["line 0", "line 1"], "next": None}


async def test_workers_and_ends_of_jobs_are_told(
    page: httpx.AsyncClient, other: Queue, api_environ: dict[str, str]
) -> None:
    async def fail(_: object) -> None:
        raise ValueError("broken <b>on purpose</b>")

    async with Worker(OTHER, fail, api_environ["REDIS_URL"]):
        job = await other.add("x", {})

        async def is_told() -> bool:
            workers = (await page.get(f"/api/queue/{OTHER}")).json()["workers"]
            failed = await state_of(other, job.id) is JobState.FAILED
            return failed and len(workers) == 1

        await until(is_told, what="the job to fail and the worker to be listed")
    told = (await page.get(f"/api/queue/{OTHER}/jobs/{job.id}")).json()
    assert "broken <b>on purpose</b>" in told["texts"]["failed_reason"]["text"]
    assert "Traceback" in told["texts"]["stacktrace"]["text"]
    metrics = (await page.get(f"/api/queue/{OTHER}/metrics")).json()
    assert len(metrics["minutes"]["failed"]) == 60
    assert sum(metrics["minutes"]["failed"]) >= 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody", 404),
        (f"{OTHER}/jobs/none", 404),
        (f"{OTHER}/jobs/a%20b", 400),
        (f"{OTHER}/jobs", 400),
        (f"{OTHER}/jobs?state=lost", 400),
        (f"{OTHER}/jobs?state=failed&limit=101", 400),
        (f"{OTHER}/jobs?state=failed&cursor=failed|zx%20y", 400),
        (f"{OTHER}/jobs?state=failed&cursor=waiting|z1%20y", 400),
        (f"{OTHER}/jobs/none/log?skip=-1", 400),
    ],
)
async def test_what_is_wrong_is_refused(page: httpx.AsyncClient, path: str, status: int) -> None:
    assert_problem(await page.get(f"/api/queue/{path}"), status)


async def test_jobs_are_promoted_cancelled_retried_and_removed(
    page: httpx.AsyncClient, other: Queue
) -> None:
    job = await other.add("x", {}, delay=600)
    path = f"/api/queue/{OTHER}/jobs/{job.id}"
    steps: list[tuple[str, JobState | None]] = [
        ("promote", JobState.WAITING),
        ("cancel", JobState.FAILED),
        ("retry", JobState.WAITING),
        ("remove", None),
    ]
    for action, state in steps:
        answer = await page.post(f"{path}/{action}")
        assert answer.status_code == 200, answer.text
        assert await state_of(other, job.id) is state
    assert_problem(await page.post(f"{path}/remove"), 404)


async def test_an_action_that_does_not_fit_the_state_changes_nothing(
    page: httpx.AsyncClient, other: Queue
) -> None:
    job = await other.add("x", {})
    assert_problem(await page.post(f"/api/queue/{OTHER}/jobs/{job.id}/promote"), 409)
    assert_problem(await page.post(f"/api/queue/{OTHER}/jobs/{job.id}/explode"), 404)
    assert await state_of(other, job.id) is JobState.WAITING


async def test_a_queue_is_paused_and_resumed(page: httpx.AsyncClient, other: Queue) -> None:
    for action, is_paused in (("pause", True), ("resume", False)):
        assert (await page.post(f"/api/queue/{OTHER}/{action}")).status_code == 200
        assert await other.is_paused() is is_paused


async def test_actions_are_off_unless_they_are_turned_on(api: Api, queue: Queue) -> None:
    async with api.client(headers={"Origin": api.url}) as client:
        told = (await client.get("/api/queue")).json()
        assert told == {"queues": [QUEUE_NAME], "are_actions_on": False}
        refused = assert_problem(await client.post(f"/api/queue/{QUEUE_NAME}/pause"), 403)
    assert "VAPI_DASHBOARD_ACTIONS" in refused["detail"]
    assert not await queue.is_paused()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        # a name that leads here for a moment
        {"Origin": "http://evil.example", "Host": "evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_another_site_cannot_make_a_browser_act(
    acting: Api, other: Queue, headers: dict[str, str]
) -> None:
    async with acting.client(headers=headers) as client:
        assert_problem(await client.post(f"/api/queue/{OTHER}/pause"), 403)
    assert not await other.is_paused()


async def test_a_name_of_the_settings_may_act(acting: Api, other: Queue) -> None:
    headers = {"Host": "queues.example", "Origin": "https://queues.example"}
    async with acting.client(headers=headers) as client:
        assert (await client.post(f"/api/queue/{OTHER}/resume")).status_code == 200

"""Commands that look: stats, jobs, show, workers, explain, doctor."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from vqueue.cli.command import (
    Command,
    ExitCode,
    Report,
    as_data,
    job_as_data,
    job_id_argument,
    table,
)
from vqueue.doctor import Verdict
from vqueue.errors import JobNotFound
from vqueue.job import Job
from vqueue.queue import Queue
from vqueue.states import JobState


async def _stats(queue: Queue, _: Namespace) -> Report:
    counts = await queue.get_job_counts()
    return Report(data={str(state): n for state, n in counts.items()}, lines=table(counts.items()))


def _jobs_arguments(parser: ArgumentParser) -> None:
    states = [str(state) for state in JobState]
    parser.add_argument("--state", choices=states, action="append", help="may be repeated")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="a page (1 to 250)")
    parser.add_argument("--cursor", help="of the page before")
    parser.add_argument("--asc", action="store_true", help="the next ones, the oldest ones first")


async def _jobs(queue: Queue, asked: Namespace) -> Report:
    states = [JobState(state) for state in asked.state or ()]
    page = await queue.get_jobs_in(*states, cursor=asked.cursor, limit=asked.limit, asc=asked.asc)
    rows = [
        (job.id, job.state, job.name, f"{job.attempts_made}/{job.attempts}", _reason(job))
        for job in page.jobs
    ]
    more = [f"more: --cursor '{page.cursor}'"] if page.cursor else []
    data = {"jobs": [job_as_data(job) for job in page.jobs], "cursor": page.cursor}
    return Report(data=data, lines=[*table(rows), *more])


def _reason(job: Job) -> str:
    first_line, _, _ = (job.failed_reason or "").partition("\n")
    return first_line[:80]


async def _show(queue: Queue, asked: Namespace) -> Report:
    job = await queue.get_job(asked.job_id)
    if job is None:
        raise JobNotFound(asked.job_id, attempted="look at it")
    log = await queue.get_job_logs(asked.job_id, start=-asked.log)
    data = job_as_data(job) | ({"log": log} if log else {})
    shown = {name: value for name, value in data.items() if name not in ("log", "stacktrace")}
    lines = [*table(shown.items()), *(f"log: {line}" for line in log)]
    return Report(data=data, lines=[*lines, *(trace.rstrip() for trace in job.stacktrace)])


def _show_arguments(parser: ArgumentParser) -> None:
    job_id_argument(parser)
    parser.add_argument("--log", type=int, default=20, help="log lines (default: 20)")


async def _workers(queue: Queue, _: Namespace) -> Report:
    workers = await queue.get_workers()
    rows = [
        (
            worker.consumer,
            f"{worker.host}:{worker.pid}",
            f"{worker.active}/{worker.concurrency} jobs",
            f"silent {worker.silent_for:.1f} s",
            f"loop late {worker.loop_lag:.3f} s",
            "paused" if worker.is_paused else "",
            " ".join(worker.running),
        )
        for worker in workers
    ]
    return Report(data=[as_data(worker) for worker in workers], lines=table(rows))


async def _explain(queue: Queue, asked: Namespace) -> Report:
    explanation = await queue.explain(asked.job_id)
    return Report(data=as_data(explanation), lines=[explanation.sentence])


async def _doctor(queue: Queue, _: Namespace) -> Report:
    findings = await queue.examine()
    is_ill = any(finding.verdict is Verdict.PROBLEM for finding in findings)
    return Report(
        data=[as_data(finding) for finding in findings],
        lines=table((found.verdict, found.check, found.found) for found in findings),
        code=ExitCode.REFUSED if is_ill else ExitCode.DONE,
    )


COMMANDS = (
    Command("stats", "How many jobs are in each state.", _stats),
    Command("jobs", "The jobs in some states, page by page.", _jobs, _jobs_arguments),
    Command(
        "show",
        "All that the queue knows of a job, with the end of its log.",
        _show,
        _show_arguments,
    ),
    Command("workers", "The workers, and what each is doing.", _workers),
    Command("explain", "Why is this job not running?", _explain, job_id_argument),
    Command("doctor", "Is this Redis fit for a queue, and the queue in order?", _doctor),
)

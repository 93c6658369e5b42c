"""Functions that tests run in child processes."""

import os
import signal
import time

from vqueue import DelayedError, ProcessJob, UnrecoverableError


def double(job: ProcessJob) -> dict[str, int]:
    """Report, and return twice the data and the process id."""
    print("on stdout, which is nobody's business")  # noqa: T201
    job.update_progress(50)
    job.log(f"job {job.id}, fence {job.fence}")
    job.send_partial({"half": job.data})
    return {"doubled": job.data * 2, "pid": os.getpid()}


def tell_trace(job: ProcessJob) -> str:
    """Return the trace context that the job has here."""
    return (job.trace_context or {})["traceparent"]


def fail(job: ProcessJob) -> None:
    """Raise what the data name."""
    if job.data == "unrecoverable":
        raise UnrecoverableError("for good")
    if job.data == "later" and job.attempts_started == 1:
        raise DelayedError(0.01)
    if job.data != "later":
        raise ValueError("no luck")


def crash(job: ProcessJob) -> str:
    """Die by SIGKILL at the first attempt."""
    if job.attempts_started == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "second attempt"


def hang(job: ProcessJob) -> None:
    """Tell the process id, ignore SIGTERM, and stay."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    job.update_progress(os.getpid())
    time.sleep(600)

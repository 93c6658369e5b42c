"""Chromium, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol).

Commands and events are JSON, each ended by a NUL, on two pipes: no port is open to others, and
Chromium ends when its pipes do.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have 64 MB there
    "--mute-audio",
)
#: Chromium reads commands from descriptor 3 and answers on 4.
_ON_PIPES = 'exec "$@" 3<&0 4>&1 </dev/null >&2'
#: Longer than any wait of a script's own (`Page.until`).
_ANSWER_DEADLINE_S = 120.0
_LOADED = (
    "new Promise(resolve => document.readyState === 'complete' ? resolve() "
    ": addEventListener('load', () => resolve()))"
)
_STOP_GRACE_S = 10.0
_LONGEST_MESSAGE = 64 * 1024 * 1024


class ChromiumMissing(Exception):
    """There is no Chromium; the message says what to do."""


class DevToolsError(Exception):
    """A command was refused, or a script of the test has thrown."""


def chromium() -> str:
    """The program: CHROMIUM, or the first of the known names on the PATH."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None:
        raise ChromiumMissing(
            f"none of {', '.join(_PROGRAMS)} is on the PATH: run `make browser`, which installs "
            "Debian's chromium-headless-shell, or set CHROMIUM to a Chromium that decodes H.264"
        )
    return found


@dataclass(kw_only=True, slots=True)
class Page:
    """A tab, and what it has told of itself since it was opened."""

    browser: "Browser"
    session: str
    #: Exceptions that nothing caught, errors of the console, refusals by the content policy.
    complaints: list[str] = field(default_factory=list)
    #: Status and media type of the last answer for each URL.
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)

    async def evaluate(self, expression: str) -> Any:
        """The JSON value of a script, awaited when it is a promise; runs as if a user had acted."""
        answer = await self.browser.call(
            "Runtime.evaluate",
            session=self.session,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise DevToolsError(f"{expression} throws {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, condition: str, *, deadline: float = 30.0) -> None:
        """Return when a JavaScript condition holds; it is looked at before each repaint."""
        look = f"({condition}) ? resolve(true) : requestAnimationFrame(look)"
        try:
            async with asyncio.timeout(deadline):
                await self.evaluate(
                    f"new Promise(resolve => {{const look = () => {look}; look()}})"
                )
        except TimeoutError:
            text = await self.evaluate("document.body.innerText")
            raise AssertionError(
                f"{condition} does not hold after {deadline:g} s; complaints: {self.complaints}; "
                f"the page says: {text}"
            ) from None

    def take(self, method: str, params: dict[str, Any]) -> None:
        """Note an event."""
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Network.responseReceived":
            response = params["response"]
            self.answers[response["url"]] = (response["status"], response["mimeType"])


class Browser:
    """One Chromium, started by `running_browser`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._last_id = 0

    async def call(
        self, method: str, *, session: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """Send a command; return its result. Raises DevToolsError when it is refused."""
        assert self._process.stdin is not None
        self._last_id += 1
        number = self._last_id
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\0")
            await self._process.stdin.drain()
            async with asyncio.timeout(_ANSWER_DEADLINE_S):
                answer: dict[str, Any] = await future
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise DevToolsError(f"{method} is refused: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> Page:
        """Load a page in a tab of its own; return when it and its scripts have been read."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))[
            "sessionId"
        ]
        page = self._pages[session] = Page(browser=self, session=session)
        for domain in ("Runtime", "Log", "Network", "Page"):
            await self.call(f"{domain}.enable", session=session)
        navigated = await self.call("Page.navigate", session=session, url=url)
        if "errorText" in navigated:
            raise DevToolsError(f"{url} cannot be opened: {navigated['errorText']}")
        await page.evaluate(_LOADED)
        return page

    async def listen(self) -> None:
        """Hand answers and events to whom they belong, until Chromium ends."""
        assert self._process.stdout is not None
        try:
            while True:
                message = json.loads((await self._process.stdout.readuntil(b"\0"))[:-1])
                if "id" not in message:
                    page = self._pages.get(message.get("sessionId", ""))
                    if page is not None:
                        page.take(message["method"], message["params"])
                elif message["id"] in self._waiting:
                    self._waiting[message["id"]].set_result(message)
        except asyncio.IncompleteReadError:
            for future in self._waiting.values():
                future.set_exception(DevToolsError("Chromium has ended; its log says why"))


@asynccontextmanager
async def running_browser(folder: Path) -> AsyncIterator[Browser]:
    """Run a Chromium whose profile and log (`chromium.log`) lie in `folder`."""
    flags = [*_FLAGS, f"--user-data-dir={folder / 'profile'}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # root has none; the pages are ours
    with (folder / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", _ON_PIPES, "sh", chromium(), *flags, "about:blank"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=_LONGEST_MESSAGE,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    browser = Browser(process)
    try:
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(browser.listen())
            yield browser
            await browser.call("Browser.close")
            await asyncio.wait([listening], timeout=_STOP_GRACE_S)
            listening.cancel()
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait for Chromium; end it and its children when it stays."""
    assert process.stdin is not None
    process.stdin.close()
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_GRACE_S)
        # a session of its own: its children are all in it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
    await process.wait()

"""A headless Chromium, driven over its DevTools pipe (a file descriptor each way, messages end with NUL)."""

import base64
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol

ANSWER_S = 20.0
"""Longest wait for one command; a busy machine starts a browser slowly."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    # One process for all pages, one after the other: to start one for each took a fifth of the time.
    "--process-per-site",
    "--renderer-process-limit=1",
)


BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Programs, the best first: Debian's headless shell is its Chromium without windows, and shows a page in half the processor time."""

GONE = "ERR_(CONNECTION|EMPTY|INCOMPLETE|SOCKET_NOT_CONNECTED)"
"""What a page complains about where a server goes away: it depends on how far the request had got."""


def find_browser() -> str | None:
    """Return the path of a Chromium, or None where there is none that can be driven. MINICLOUD_BROWSER names one."""
    if sys.platform == "win32":
        return None
    named = os.environ.get("MINICLOUD_BROWSER")
    found = [path for name in ((named,) if named else BROWSERS) if (path := shutil.which(name))]
    assert found or not named, f"MINICLOUD_BROWSER={named}: there is no such program"
    return found[0] if found else None


@define(eq=False)
class Browser(ProcessProtocol):
    """The process."""

    ended: Deferred[None] = field(factory=Deferred)
    _buffer: bytes = b""
    _number: int = 0
    _waiting: dict[int, Deferred[Any]] = field(factory=dict)
    pages: dict[str, "Page"] = field(factory=dict)
    """The open tabs, by session."""
    _saved: "Deferred[None] | None" = None

    @classmethod
    def start(cls, program: str, profile: Path) -> "Browser":
        browser = cls()
        command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        descriptors = {0: "w", 1: "r", 2: "r", 3: "w", 4: "r"}
        reactor.spawnProcess(browser, program, command, env=dict(os.environ), childFDs=descriptors)
        return browser

    def childDataReceived(self, descriptor: int, data: bytes) -> None:
        if descriptor != 4:
            return
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for message in messages:
            self._received(json.loads(message))

    def _received(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.pop(message.get("id", 0), None)
        page = self.pages.get(message.get("sessionId", ""))
        if waiting is not None:
            waiting.callback(message)
        elif page is not None:
            page.noticed(message)
        elif message.get("params", {}).get("state") == "completed" and self._saved is not None:
            waiting_for_file, self._saved = self._saved, None
            waiting_for_file.callback(None)

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(None)

    async def command(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        answer: Deferred[Any] = Deferred()
        self._waiting[self._number] = answer
        self.transport.writeToChild(3, json.dumps(message).encode() + b"\0")
        told = await answer.addTimeout(ANSWER_S, reactor)
        assert "error" not in told, told
        return told["result"]

    async def open(self, url: str, width: int = 1280, height: int = 900) -> "Page":
        target = (await self.command("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self.pages[session] = Page(self, session, target)
        for domain in ("Runtime.enable", "Log.enable", "Page.enable", "Network.enable"):
            await page.command(domain)
        await page.size(width, height)
        await page.command("Page.navigate", url=url)
        await page.until("document.readyState === 'complete'")
        return page

    async def save_to(self, folder: Path) -> "Deferred[None]":
        """Let pages save files to a folder from now on. What is returned fires when the next one is there."""
        await self.command(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True
        )
        self._saved = Deferred()
        return self._saved.addTimeout(ANSWER_S, reactor)

    async def close_pages(self) -> list[str]:
        """Close all tabs. Return what they complained about though nobody expected it, and what was expected in vain."""
        complaints: list[str] = []
        while self.pages:
            _session, page = self.pages.popitem()
            await self.command("Target.closeTarget", targetId=page.target)
            complaints += page.complaints()
        return complaints

    async def stop(self) -> None:
        """Close the pipe, on which a browser ends by itself: what we have started may be a script that waits for it."""
        self.transport.closeChildFD(3)
        await self.ended


@define(eq=False)
class Page:
    """One tab."""

    browser: Browser
    session: str
    target: str
    console: list[str] = field(factory=list)
    """What the page complained about: errors, and violations of its policy."""
    failures: list[str] = field(factory=list)
    """Requests that failed, and that nobody had called off."""
    requests: dict[str, str] = field(factory=dict)
    """The URL of every request, by its id."""
    _expected: list[str] = field(factory=list)

    def expect(self, *patterns: str) -> None:
        """Let the page complain about what matches these regular expressions, and see that it does."""
        self._expected += patterns

    def complaints(self) -> list[str]:
        """Return complaints that nobody expected, and expected ones that did not come."""
        told = self.console + self.failures
        unexpected = [line for line in told if not any(re.search(pattern, line) for pattern in self._expected)]
        missing = [pattern for pattern in self._expected if not any(re.search(pattern, line) for line in told)]
        return unexpected + [f"expected, but it did not come: {pattern}" for pattern in missing]

    def noticed(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.console.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                entry = parameters["entry"]
                self.console.append(f"{entry.get('source')}: {entry['text']} {entry.get('url')}")
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.console.append(f"console.{parameters['type']}: {parameters['args']}")
            case "Page.javascriptDialogOpening":
                self.console.append(f"dialog: {parameters['type']} {parameters['message']}")
            case "Network.requestWillBeSent":
                self.requests[parameters["requestId"]] = parameters["request"]["url"]
            case "Network.loadingFailed" if not parameters.get("canceled"):
                url = self.requests.get(parameters["requestId"])
                self.failures.append(f"request failed: {parameters['errorText']} {url}")

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self.browser.command(method, self.session, **parameters)

    async def size(self, width: int, height: int) -> None:
        await self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def colours(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.command("Emulation.setEmulatedMedia", features=features)

    async def evaluate(self, expression: str) -> Any:
        told = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, condition: str, within_ms: int = 10_000) -> None:
        """Wait, in the page, until the condition holds."""
        waiting = f"""(async () => {{
            const limit = Date.now() + {within_ms};
            while (!({condition})) {{
                if (Date.now() > limit) return document.body.innerText;
                await new Promise((resolve) => setTimeout(resolve, 20));
            }}
            return null;
        }})()"""
        seen = await self.evaluate(waiting)
        assert seen is None, f"{condition} does not come true; the page shows:\n{seen}"

    async def text(self, element: str) -> str:
        return await self.evaluate(f"document.getElementById({json.dumps(element)}).textContent")

    async def fill(self, element: str, text: str) -> None:
        """Put text into a field, as typing does."""
        await self.evaluate(
            f"""(() => {{
                const field = document.getElementById({json.dumps(element)});
                field.focus();
                field.value = {json.dumps(text)};
                field.dispatchEvent(new Event("input", {{bubbles: true}}));
            }})()"""
        )

    async def click(self, element: str) -> None:
        await self.evaluate(f"document.getElementById({json.dumps(element)}).click()")

    async def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        await self.command("Input.insertText", text=text)

    async def press(self, key: str, code: int, modifiers: int = 0) -> None:
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" and not modifiers else {}
            await self.command(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
                **more,
            )

    async def screenshot(self, path: Path, full: bool = True) -> None:
        told = await self.command("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(told["data"]))

"""Answers that come late: kept back by the node until a test lets it answer, or on their way until a test lets them pass."""

from __future__ import annotations

import json
from typing import Any

from attrs import define
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.dashboard.browser import ANSWER_S, Page
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.stage import Stage

LINE = """(() => {
    const real = window.fetch;
    const line = window.line = {holds: () => false, changes: () => null, held: [], asked: [], given: 0};
    const later = (act) => setTimeout(() => requestAnimationFrame(() => setTimeout(act)));
    window.fetch = async (path, options) => {
        const method = options?.method ?? "GET";
        line.asked.push(`${method} ${path}`);
        try {
            const answer = await real(path, options);
            const body = await answer.arrayBuffer();
            if (line.holds(path, method)) await new Promise((resolve) => line.held.push(resolve));
            return line.changes(path, method, answer, body) ?? new Response(body, answer);
        } finally {
            later(() => { line.given += 1; });  // When the page has made of it what it makes of it.
        }
    };
})()"""


class Kept:
    """The next call of a node's "read_barrier" or "propose", which it does not answer before a test says so."""

    def __init__(self, stage: Stage, call: str) -> None:
        self._cluster = stage.cluster
        self._answer: Deferred[Any] = Deferred()
        self.came: Deferred[None] = Deferred()
        """Fires when somebody has asked."""
        node = stage.cluster.nodes["node1"]
        real = getattr(node, call)

        def keep(*arguments: Any) -> Deferred[Any]:
            setattr(node, call, real)
            self._arguments = arguments
            self.came.callback(None)
            return self._answer

        self.came.addTimeout(ANSWER_S, reactor)
        setattr(node, call, keep)

    def read(self) -> None:
        """Answer a read."""
        self._answer.callback(None)

    def write(self) -> None:
        """Do what was proposed, and answer."""
        command, _timeout_s = self._arguments
        self._answer.callback(self._cluster.apply(command))

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        self._answer.errback(error)


@define
class Line:
    """What passes between a page and its node."""

    page: Page

    @classmethod
    async def of(cls, keys: KeysPage) -> Line:
        await keys.page.evaluate(LINE)
        return cls(keys.page)

    async def hold(self, condition: str) -> None:
        """Keep answers back from now on for which a condition on ``path`` and ``method`` holds."""
        await self.page.evaluate(f"line.holds = (path, method) => {condition}; undefined")

    async def change(self, answer: str) -> None:
        """Give the page another answer from now on, or null for the node's: an expression like that of ``hold``."""
        await self.page.evaluate(f"line.changes = (path, method, answer, body) => {answer}; undefined")

    async def holds(self, number: int = 1) -> None:
        """Wait until so many answers are kept back."""
        await self.page.until(f"line.held.length === {number}")

    async def asked(self, what: str) -> list[str]:
        """Return the requests so far that have something in them, as method and path."""
        return await self.page.evaluate(f"line.asked.filter((one) => one.includes({json.dumps(what)}))")

    async def let_pass(self) -> None:
        """Let everything pass, and wait until the page has made of it what it makes of it."""
        await self.page.evaluate("line.holds = () => false; line.held.splice(0).forEach((pass) => pass())")
        await self.settled()

    async def settled(self) -> None:
        """Wait until the page has the answers to all that it asked for."""
        await self.page.until("line.asked.length === line.given")

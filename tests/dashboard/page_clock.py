"""A page whose time passes when a test says so, and a node that speaks to it by the same clock.

The page is the real one, from a node of the stage; only its timers, ``performance.now()`` and what it hears from /events
are the test's. So how long something takes is a matter of the page's own intervals, and of nothing on this machine.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.task import deferLater

from minicloud.web.limits import CLUSTER_INTERVAL_S
from tests.dashboard.browser import ANSWER_S, Browser, Page

LOOK_S = 0.02
"""Between two looks from outside, while the page loads: its own timers stand still."""

CLOCK = """(() => {
    const pause = setTimeout;
    const jobs = new Map();
    let [now, last] = [0, 0];
    const add = (act, ms, every) => jobs.set(++last, {act, at: now + Math.max(0, ms ?? 0), every}) && last;
    const next = () => [...jobs].reduce((one, other) => (other[1].at < one[1].at ? other : one));
    window.setTimeout = (act, ms) => add(act, ms, null);
    window.setInterval = (act, ms) => add(act, ms, Math.max(1, ms));
    window.clearTimeout = window.clearInterval = (number) => void jobs.delete(number);
    performance.now = () => now;

    /** Lets time pass until something holds, and returns how much that was: null where it takes more than the limit. */
    window.passUntil = async (holds, limit) => {
        const begun = now;
        for (;;) {
            await new Promise((resolve) => pause(resolve, 0)); // What the last job has promised is kept first.
            if (holds()) return now - begun;
            const [number, job] = next();
            if (job.at > begun + limit) { now = begun + limit; return null; }
            now = job.at;
            if (job.every === null) jobs.delete(number);
            else job.at += job.every;
            job.act();
        }
    };
})();"""

NODE = """(() => {
    const {fetch} = window;
    const open = new Set();
    const node = window.node = {
        /** Whether it gives streams: true, false, or where something on the way keeps what it says, "held", or ends them, "cut". */
        streams: true,
        frozen: false, gone: false, answerMs: 0, told: null, asked: 0, answers: 0, opened: 0, questions: [],
        /** Speaks on the open streams, now and with each interval; a frozen node says nothing. */
        speak() {
            if (node.frozen) return;
            for (const source of open) for (const [name, said] of Object.entries(node.told)) source.hear(name, said);
        },
        /** Ends the open streams, as something on the way may, and as the system does for a process that is gone. */
        cut() {
            for (const source of [...open]) source.fail(0);
        },
        /** Loses the open streams, and nobody is told: the machine is gone, and no packet says so. */
        lose() {
            open.clear();
        },
    };
    window.EventSource = class extends EventTarget {
        static CLOSED = 2;
        readyState = 0;
        constructor() {
            super();
            node.opened += 1;
            if (node.gone || node.streams === "cut") return void setTimeout(() => this.fail(0));
            if (!node.streams) return void setTimeout(() => this.fail(2));
            if (node.streams === "held") return;
            open.add(this);
            setTimeout(() => node.speak());
        }
        hear(name, said) { this.dispatchEvent(new MessageEvent(name, {data: JSON.stringify(said)})); }
        /** Ends; a browser goes on connecting (0) by itself, but for one that was refused (2). */
        fail(state) {
            open.delete(this);
            if (this.readyState === 2) return;
            this.readyState = state;
            this.dispatchEvent(new Event("error"));
        }
        close() { this.readyState = 2; open.delete(this); }
    };
    window.fetch = (path, options) => {
        if (!String(path).startsWith("/events")) return fetch(path, options);
        return new Promise((resolve, reject) => {
            options.signal.addEventListener("abort", () => reject(options.signal.reason));
            const told = JSON.stringify(node.told);
            node.asked += 1;
            node.questions.push(String(path));
            if (node.gone) return void reject(new TypeError("Failed to fetch"));
            if (!node.frozen) setTimeout(() => { node.answers += 1; resolve(new Response(told)); }, node.answerMs);
        });
    };
})();"""


@frozen
class ClockedPage:
    """The page, and its time."""

    page: Page

    @classmethod
    async def open(
        cls, browser: Browser, url: str, *, streams: bool | Literal["held"], answer_ms: int = 0
    ) -> ClockedPage:
        """Open a dashboard, with what its node says now, and return when it has said that once."""
        clocked = await cls.load(browser, url, streams=streams, answer_ms=answer_ms)
        assert await clocked.pass_until("document.getElementById('live').dataset.state === 'live'", 1000) is not None
        return clocked

    @classmethod
    async def load(
        cls,
        browser: Browser,
        url: str,
        *,
        streams: bool | Literal["held"],
        answer_ms: int = 0,
        before: str = "",
    ) -> ClockedPage:
        """Open a dashboard, and return at time 0. A script may run before those of the page."""
        page = await browser.open(url)
        told = await page.evaluate("fetch('/events?format=json').then((answer) => answer.json())")
        setting = {"told": told, "streams": streams, "answerMs": answer_ms}
        source = f"{CLOCK}\n{NODE}\nObject.assign(window.node, {json.dumps(setting)});\n{before}"
        await page.command("Page.addScriptToEvaluateOnNewDocument", source=source)
        # Unlike a reload, this is answered when the new document is there: nothing is asked of the one that goes.
        await page.command("Page.navigate", url=url)
        clocked = cls(page)
        await clocked._loaded()
        return clocked

    async def _loaded(self) -> None:
        """Wait for the scripts of the new document, without a timer of the page."""
        ready = "typeof passUntil === 'function' && document.readyState === 'complete'"
        for _ in range(round(ANSWER_S / LOOK_S)):
            if await self.page.evaluate(ready):
                return
            await deferLater(reactor, LOOK_S, lambda: None)
        raise AssertionError("the page does not load")

    async def pass_until(self, condition: str, limit_ms: int) -> int | None:
        """Let time pass until the condition holds: return how much, or None where that takes longer than the limit."""
        return await self.page.evaluate(f"passUntil(() => {condition}, {limit_ms})")

    async def pass_time(self, ms: int) -> None:
        """Let so much time pass."""
        assert await self.pass_until("false", ms) is None

    async def speaks_each(self, interval_ms: int = round(CLUSTER_INTERVAL_S * 1000)) -> None:
        """Have the node speak on its streams from now on, the first time at once."""
        await self.page.evaluate(f"node.speak(); node.timer = setInterval(node.speak, {interval_ms})")

    async def freeze(self) -> None:
        """Have the node say nothing any more."""
        await self.page.evaluate("node.frozen = true")

    async def tells(self, cluster: dict[str, Any], after_ms: int) -> None:
        """Have another picture of the cluster from now on; on a stream, the node speaks of it after that time."""
        change = f"node.told.cluster = {json.dumps(cluster)}"
        await self.page.evaluate(f"{change}; setTimeout(node.speak, {after_ms})")

    async def told(self) -> dict[str, Any]:
        """Return the picture that the node gives."""
        return await self.page.evaluate("node.told.cluster")

"""A page whose time passes when a test says so, and a node that speaks to it by the same clock.

The page is the real one, from a node of the stage; only its timers, ``performance.now()`` and what it hears from /events
are the test's. So how long something takes is a matter of the page's own intervals, and of nothing on this machine.
"""

from __future__ import annotations

import json
from typing import Any

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
        streams: true, frozen: false, answerMs: 0, everyMs: null, told: null, asked: 0, answers: 0,
        /** Speaks on the open streams, now and with each interval; a frozen node says nothing. */
        speak() {
            if (node.frozen) return;
            for (const source of open) for (const [name, said] of Object.entries(node.told)) source.hear(name, said);
        },
    };
    window.EventSource = class extends EventTarget {
        static CLOSED = 2;
        readyState = 0;
        constructor() {
            super();
            if (!node.streams) return void setTimeout(() => this.fail());
            open.add(this);
            setTimeout(() => node.speak());
        }
        hear(name, said) { this.dispatchEvent(new MessageEvent(name, {data: JSON.stringify(said)})); }
        fail() { this.close(); this.dispatchEvent(new Event("error")); }
        close() { this.readyState = 2; open.delete(this); }
    };
    window.fetch = (path, options) => {
        if (!String(path).startsWith("/events")) return fetch(path, options);
        return new Promise((resolve, reject) => {
            options.signal.addEventListener("abort", () => reject(options.signal.reason));
            const told = JSON.stringify(node.told);
            node.asked += 1;
            if (!node.frozen) setTimeout(() => { node.answers += 1; resolve(new Response(told)); }, node.answerMs);
        });
    };
})();"""


@frozen
class ClockedPage:
    """The page, and its time."""

    page: Page

    @classmethod
    async def open(cls, browser: Browser, url: str, *, streams: bool, answer_ms: int = 0) -> ClockedPage:
        """Open a dashboard at time 0, with what its node says now, and return when it has said that once."""
        page = await browser.open(url)
        told = await page.evaluate("fetch('/events?format=json').then((answer) => answer.json())")
        setting = {"told": told, "streams": streams, "answerMs": answer_ms}
        source = f"{CLOCK}\n{NODE}\nObject.assign(window.node, {json.dumps(setting)});"
        await page.command("Page.addScriptToEvaluateOnNewDocument", source=source)
        # Unlike a reload, this is answered when the new document is there: nothing is asked of the one that goes.
        await page.command("Page.navigate", url=url)
        clocked = cls(page)
        await clocked._loaded()
        assert await clocked.pass_until("document.getElementById('live').dataset.state === 'live'", 1000) is not None
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

"""How long it takes until something shows: the limit, and how late the machine itself was meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from tests.dashboard.browser import Page

WANTED_MS = 2000
"""What happens is on the screen within this time."""
GENEROUS_MS = 10_000
"""Longest look: what has not shown by then is said not to show at all."""
LOOK_MS = 10
"""Between two looks."""


@define
class Watch:
    """Looks, in the page, for the moment at which something shows, and at how late its own looks are.

    A busy machine makes everybody wait, this watch as well: by how much all its looks together were late is what the
    page may be late, too.
    """

    page: Page
    what: str

    async def begin(self, condition: str) -> None:
        """Look from now on; the cause is about to happen."""
        assert not await self.page.evaluate(f"Boolean({condition})"), "it shows before it has happened"
        await self.page.evaluate(
            f"""(() => {{
                const cause = performance.now();
                let [due, late] = [cause, 0];
                window.shown = new Promise((resolve) => {{
                    const look = () => {{
                        const now = performance.now();
                        late += Math.max(0, now - due);
                        if ({condition}) return resolve([now - cause, late]);
                        if (now - cause > {GENEROUS_MS}) return resolve([null, late]);
                        due = performance.now() + {LOOK_MS};
                        setTimeout(look, {LOOK_MS});
                    }};
                    look();
                }});
            }})()"""
        )

    async def end(self) -> None:
        """See that it showed in time, and print how long that took."""
        ms, late_ms = await self.page.evaluate("window.shown")
        shows = await self.page.evaluate("document.getElementById('cluster').innerText")
        assert ms is not None, f"{self.what} does not show within {GENEROUS_MS} ms; the page shows:\n{shows}"
        figure = f"{self.what}: shows after {ms:.0f} ms, {WANTED_MS} wanted; the machine was late by {late_ms:.0f} ms"
        print(figure)
        assert ms <= WANTED_MS + late_ms, figure


async def shows(page: Page, what: str, condition: str, cause: Callable[[], object]) -> None:
    """See that something shows in time after its cause."""
    watch = Watch(page, what)
    await watch.begin(condition)
    cause()
    await watch.end()

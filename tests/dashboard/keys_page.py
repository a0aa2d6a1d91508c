"""The view of keys as somebody uses it: what the tests of it press, type and read."""

import json
from urllib.parse import quote

from attrs import frozen

from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage

EXACT = """(node) => [...node.childNodes].map((part) => part.nodeType === Node.TEXT_NODE ? part.data
    : String.fromCodePoint(parseInt(part.textContent.slice(2), 16))).join("")"""
"""A text as it was before characters that nobody sees were named in it."""
ROWS = """[...document.querySelectorAll("#tree .tree-row[role=treeitem]")]
    .sort((one, other) => one.dataset.row - other.dataset.row)"""
WHOLE = "document.getElementById('tree').getAttribute('aria-busy') === 'false' && !document.querySelector('.waiting')"
"""That the tree has answers for all that is in sight."""


@frozen
class KeysPage:
    """A page that shows the keys."""

    page: Page

    @classmethod
    async def open(
        cls, browser: Browser, stage: Stage, node_id: str = "node1", key: str | None = None, **size: int
    ) -> "KeysPage":
        """Open the view, or one key in it, and wait for the tree."""
        opened = await cls.open_at(browser, stage.url(node_id), key, **size)
        await opened.tree_is_whole()
        return opened

    @classmethod
    async def open_at(cls, browser: Browser, dashboard: str, key: str | None = None, **size: int) -> "KeysPage":
        """Open the view at the address of a dashboard, and wait for nothing."""
        link = "#keys" if key is None else f"#keys/{quote(key, safe='')}"
        return cls(await browser.open(dashboard + link, **size))

    # The tree

    async def tree_is_whole(self) -> None:
        await self.page.evaluate("new Promise(requestAnimationFrame)")  # What has changed is drawn with the next frame.
        await self.page.until(WHOLE)

    async def rows(self) -> list[list[str]]:
        """Return level, name and note of the rows that are in the document."""
        await self.tree_is_whole()
        return await self.page.evaluate(
            f"""{ROWS}.map((row) => [row.getAttribute("aria-level"), row.children[1].textContent, row.children[2].textContent])"""
        )

    async def names(self) -> list[str]:
        return [name for _level, name, _note in await self.rows()]

    async def all_keys(self) -> list[str]:
        """Open every folder, scroll through the whole tree, and return the keys in their order."""
        return await self.page.evaluate(
            f"""(async () => {{
                const tree = document.getElementById("tree");
                const seen = new Map();
                const names = {{"(named as the folder)": "", "(empty name)/": "/"}};
                tree.scrollTop = 0;
                for (;;) {{
                    do await new Promise(requestAnimationFrame); while (!({WHOLE}));
                    const rows = {ROWS};
                    const closed = rows.find((row) => row.getAttribute("aria-expanded") === "false");
                    if (closed) {{ closed.click(); continue; }}
                    for (const row of rows) seen.set(Number(row.dataset.row), row.cloneNode(true));
                    if (tree.scrollTop + tree.clientHeight >= tree.scrollHeight - 1) break;
                    tree.scrollTop += tree.clientHeight / 2;
                }}
                const [path, keys] = [[], []];
                for (const [, row] of [...seen].sort((one, other) => one[0] - other[0])) {{
                    const name = row.children[1];
                    const label = name.classList.contains("unnamed") ? names[name.textContent] : ({EXACT})(name);
                    path.splice(Number(row.getAttribute("aria-level")) - 1, Infinity, label);
                    if (!row.hasAttribute("aria-expanded")) keys.push(path.join(""));
                }}
                return keys;
            }})()"""
        )

    async def press_row(self, name: str) -> None:
        """Click a row by what it says."""
        await self.page.until(f"{ROWS}.some((row) => row.children[1].textContent === {json.dumps(name)})")
        await self.page.evaluate(f"{ROWS}.find((row) => row.children[1].textContent === {json.dumps(name)}).click()")

    async def open_folder(self, name: str) -> None:
        await self.press_row(name)
        await self.tree_is_whole()

    async def find(self, prefix: str) -> None:
        """Search, and wait for the number of matches."""
        await self.page.fill("find", prefix)
        named = await self.page.evaluate(
            f"import('/static/keys/names.js').then((text) => text.spelledOut({json.dumps(prefix)}))"
        )
        end = json.dumps(f" with “{named}”") if prefix else "/^[0-9,]+ keys?$/.exec(said)?.[0]"
        await self.page.until(
            "((said) => /^[0-9]/.test(said) && said.endsWith("
            f"{end}))(document.getElementById('tree-count').textContent)"
        )
        await self.tree_is_whole()

    # One key

    async def choose(self, key: str, part: str = "value-view") -> None:
        """Go to a key by its link, and wait for its value, or for another part of the panel."""
        title = {"value-view": "viewer-title", "no-value": "no-value-title"}[part]
        await self.page.evaluate(f"location.hash = {json.dumps('#keys/' + quote(key, safe=''))}")
        await self.page.until(
            f"!document.getElementById('{part}').hidden && "
            f"({EXACT})(document.getElementById('{title}')) === {json.dumps(key)} && "
            "document.getElementById('outcome').textContent !== 'Reading…'"
        )

    async def shown(self, part: str) -> None:
        """Wait until a part of the panel is shown."""
        await self.page.until(f"!document.getElementById('{part}').hidden")

    async def is_shown(self, part: str) -> bool:
        return not await self.page.evaluate(f"document.getElementById('{part}').hidden")

    async def press(self, button: str, expected: str, outcome: str = "outcome") -> str:
        """Press a button, wait for an outcome that begins as expected, and return it."""
        await self.page.evaluate(f"document.getElementById('{outcome}').textContent = ''")
        await self.page.click(button)
        return await self.outcome(expected, outcome)

    async def outcome(self, expected: str, outcome: str = "outcome") -> str:
        await self.page.until(f"document.getElementById('{outcome}').textContent.startsWith({json.dumps(expected)})")
        return await self.page.text(outcome)

    async def create(self, key: str, value: str, expected: str = "Created at revision") -> str:
        """Make a new key."""
        await self.type_new(key, value)
        return await self.press("put", expected)

    async def type_new(self, key: str, value: str) -> None:
        await self.page.click("new-key")
        await self.page.fill("key", key)
        await self.page.fill("value", value)

    async def edit(self, value: str, expected: str = "Saved at revision") -> str:
        """Give the key that is shown another value."""
        await self.type_edit(value)
        return await self.press("put", expected)

    async def type_edit(self, value: str) -> None:
        await self.page.click("edit")
        await self.page.fill("value", value)

    async def typed(self) -> str:
        return await self.page.evaluate("document.getElementById('value').value")

    async def delete(self, expected: str = "Deleted at revision", answer: str = "yes") -> str:
        """Delete the key that is shown, giving that answer to the question."""
        await self.page.click("delete")
        await self.page.until("document.getElementById('delete-dialog').open")
        await self.page.evaluate("document.getElementById('outcome').textContent = ''")
        await self.answer("delete-dialog", answer)
        return await self.outcome(expected)

    async def answer(self, dialog: str, answer: str) -> None:
        await self.page.until(f"document.getElementById('{dialog}').open")
        await self.page.evaluate(f"document.querySelector('#{dialog} button[value={answer}]').click()")

    async def exact(self, element: str) -> str:
        """Return a text as it was before characters that nobody sees were named in it."""
        return await self.page.evaluate(f"({EXACT})(document.getElementById('{element}'))")

    async def value(self) -> str:
        return await self.page.text("shown")

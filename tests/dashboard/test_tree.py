"""The tree of keys: browsed by folders, searched by prefix, with the mouse and with the keyboard."""

import json
import shlex
from collections.abc import Callable

import pytest
import pytest_twisted
import treq

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import ROWS, KeysPage
from tests.dashboard.stage import Stage

FOCUSED = "document.activeElement.querySelector('.tree-name')?.textContent"
COUNT = "document.getElementById('tree-count').textContent"

ODD_KEYS = [
    "/",
    "//",
    "///",
    "/x",
    "a",
    "a/",
    "a//",
    "a//b",
    "a/b",
    "a/b/",
    "a/b/c",
    "a0",
    "b/../c",
    "b/./c",
    "b/c",
    "ключ/й",
    "\ue000/x",
    "\uffff",
    "🔑/1",
    "🔑",
]


def store(stage: Stage, *keys: str) -> None:
    for number, key in enumerate(keys, start=4):
        stage.cluster.store.records[key] = Record(b"v" * (number % 7), number, number, 1)
        stage.cluster.store.applied_index = number


@pytest_twisted.ensureDeferred
async def test_folders_come_with_counts_and_open_one_by_one(browser: Browser, stage: Stage) -> None:
    store(stage, "app", "users/ann", "users/bob", "users/ops/carl", "zoo/lion")
    keys = await KeysPage.open(browser, stage)
    assert await keys.rows() == [["1", "app", "4 B"], ["1", "users/", "3"], ["1", "zoo/", "1"]]
    assert await keys.page.evaluate(COUNT) == "5 keys"
    assert (await keys.page.text("tree-age")).startswith("Revision 8, read ")
    asked = len(keys.page.requests)
    await keys.open_folder("users/")
    assert len(keys.page.requests) == asked + 1
    await keys.open_folder("ops/")
    assert await keys.rows() == [
        ["1", "app", "4 B"],
        ["1", "users/", "3"],
        ["2", "ann", "5 B"],
        ["2", "bob", "6 B"],
        ["2", "ops/", "1"],
        ["3", "carl", "0 B"],
        ["1", "zoo/", "1"],
    ]
    await keys.press_row("users/")
    assert await keys.names() == ["app", "users/", "zoo/"]


@pytest.mark.parametrize("opened", ["folders", "search"])
@pytest_twisted.ensureDeferred
async def test_every_key_is_reached_whatever_its_parts_are(browser: Browser, stage: Stage, opened: str) -> None:
    store(stage, *ODD_KEYS)
    keys = await KeysPage.open(browser, stage)
    if opened == "search":
        for prefix in ("a", "a/", "a//", "/", "🔑", "\ue000"):
            await keys.find(prefix)
            assert await keys.all_keys() == sorted(key for key in ODD_KEYS if key.startswith(prefix))
        await keys.find("")
    assert sorted(await keys.all_keys()) == sorted(ODD_KEYS)
    await keys.press_row("🔑")
    await keys.page.until("document.getElementById('viewer-title').textContent === '🔑'")
    assert (
        await keys.page.evaluate("document.querySelector('#tree [aria-selected=true] .tree-name').textContent") == "🔑"
    )


@pytest_twisted.ensureDeferred
async def test_a_key_named_as_its_folder_and_an_empty_part_say_what_they_are(browser: Browser, stage: Stage) -> None:
    store(stage, "a/", "a//b")
    keys = await KeysPage.open(browser, stage)
    await keys.open_folder("a/")
    assert await keys.names() == ["a/", "(named as the folder)", "(empty name)/"]
    await keys.press_row("(named as the folder)")
    await keys.page.until("document.getElementById('viewer-title').textContent === 'a/'")
    labels = await keys.page.evaluate(f"{ROWS}.map((row) => row.getAttribute('aria-label'))")
    assert labels == ["a/, folder, 2 keys", "(named as the folder), 4 B", "(empty name)/, folder, 1 key"]


@pytest_twisted.ensureDeferred
async def test_the_tree_is_walked_with_the_keyboard(browser: Browser, stage: Stage) -> None:
    store(stage, "a/1", "a/2", "b", "c/d/e", *[f"n{number:03}" for number in range(300)])
    keys = await KeysPage.open(browser, stage)
    assert await keys.page.evaluate(f"{ROWS}.filter((row) => row.tabIndex === 0).length") == 1
    await keys.page.evaluate("document.querySelector('#tree [tabindex=\"0\"]').focus()")
    walked = []
    for key in (
        "ArrowRight",
        "ArrowRight",
        "ArrowDown",
        "ArrowLeft",
        "ArrowLeft",
        "ArrowDown",
        "Home",
        "PageDown",
        "End",
    ):
        await keys.page.press(key, 0)
        await keys.tree_is_whole()
        walked.append(await keys.page.evaluate(FOCUSED))
    assert walked[:7] == ["a/", "1", "2", "a/", "a/", "b", "a/"]
    assert walked[7].startswith("n0")
    assert walked[8] == "n299", "the last of all, and not only of the first page"
    await keys.page.press("ArrowUp", 0)
    await keys.page.press("Enter", 13)
    await keys.page.until("document.getElementById('viewer-title').textContent === 'n298'")
    assert await keys.page.evaluate(FOCUSED) == "n298", "the focus stays in the tree"
    await keys.page.press("Home", 0)
    assert await keys.page.evaluate(FOCUSED) == "a/"


@pytest_twisted.ensureDeferred
async def test_rows_tell_their_place_to_those_who_cannot_see_it(browser: Browser, stage: Stage) -> None:
    store(stage, "a/1", "a/2", "b")
    keys = await KeysPage.open(browser, stage)
    await keys.open_folder("a/")
    names = ["aria-level", "aria-posinset", "aria-setsize", "aria-expanded"]
    places = f"{ROWS}.map((row) => {names}.map((name) => row.getAttribute(name)))"
    assert await keys.page.evaluate(places) == [
        ["1", "1", "2", "true"],
        ["2", "1", "2", None],
        ["2", "2", "2", None],
        ["1", "2", "2", None],
    ]
    assert await keys.page.evaluate("document.getElementById('tree').getAttribute('role')") == "tree"


@pytest_twisted.ensureDeferred
async def test_a_search_shows_what_begins_with_it_and_how_many(browser: Browser, stage: Stage) -> None:
    store(stage, "users/ann", "users/bob", "Users/x", "app", "use")
    keys = await KeysPage.open(browser, stage)
    await keys.find("use")
    assert await keys.names() == ["use", "users/ann", "users/bob"]
    assert await keys.page.evaluate(COUNT) == "3 keys begin with “use”"
    await keys.find("users/a")
    assert (await keys.page.evaluate(COUNT), await keys.names()) == ("1 key begins with “users/a”", ["users/ann"])
    await keys.find("nobody")
    assert await keys.page.evaluate(COUNT) == "0 keys begin with “nobody”"
    assert "search by prefix" in await keys.page.text("tree-no-match")
    assert not await keys.page.evaluate("document.getElementById('tree-no-match').hidden")
    await keys.find("")
    assert await keys.names() == ["Users/", "app", "use", "users/"]


@pytest_twisted.ensureDeferred
async def test_the_newest_search_wins_and_not_every_letter_is_asked_for(browser: Browser, stage: Stage) -> None:
    store(stage, "a1", "ab1", "abc1")
    keys = await KeysPage.open(browser, stage)
    await keys.page.evaluate(
        """(() => {
            const real = window.fetch;
            window.held = [];
            window.fetch = async (path, options) => {
                const answer = await real(path, options);
                if (String(path).includes("prefix=a&")) await new Promise((resolve) => { window.held.push(resolve); });
                return answer;
            };
        })()"""
    )
    before = len(keys.page.requests)
    await keys.page.fill("find", "a")
    await keys.page.until("window.held.length === 2")
    for text in ("ab", "abc", "ab"):
        await keys.page.fill("find", text)
    await keys.find("ab")
    await keys.page.evaluate("(held.forEach((go) => go()), new Promise((resolve) => setTimeout(resolve, 0)))")
    assert await keys.names() == ["ab1", "abc1"]
    asked = [url.partition("?")[2] for url in list(keys.page.requests.values())[before:] if "/kv?" in url]
    assert [query.partition("&")[0] for query in asked] == ["prefix=a", "prefix=a", "prefix=ab", "prefix=ab"]


@pytest_twisted.ensureDeferred
async def test_what_this_page_writes_and_deletes_shows_up_at_once(browser: Browser, stage: Stage) -> None:
    store(stage, "users/ann", "zoo")
    keys = await KeysPage.open(browser, stage)
    await keys.open_folder("users/")
    listed = sum("keys_only" in url for url in keys.page.requests.values())
    for key in ("users/bob", "users/ops/carl", "new/", "abc", "🔑"):
        await keys.create(key, "12345")
    assert await keys.rows() == [
        ["1", "abc", "5 B"],
        ["1", "new/", "1"],
        ["1", "users/", "3"],
        ["2", "ann", "4 B"],
        ["2", "bob", "5 B"],
        ["2", "ops/", "1"],
        ["1", "zoo", "5 B"],
        ["1", "🔑", "5 B"],
    ]
    assert await keys.page.evaluate(COUNT) == "7 keys"
    assert sum("keys_only" in url for url in keys.page.requests.values()) == listed, "nothing was asked for anew"
    await keys.choose("users/ops/carl")  # Which opens its folder.
    await keys.tree_is_whole()
    listed += 1
    await keys.choose("users/bob")
    await keys.edit("123456")
    assert ["2", "bob", "6 B"] in await keys.rows()
    await keys.delete()
    await keys.choose("users/ops/carl")
    await keys.delete()
    assert await keys.names() == ["abc", "new/", "users/", "ann", "zoo", "🔑"]
    assert await keys.page.evaluate(COUNT) == "5 keys"
    assert sum("keys_only" in url for url in keys.page.requests.values()) == listed, "nothing was asked for anew"


@pytest_twisted.ensureDeferred
async def test_a_refresh_brings_what_others_did_and_moves_nothing(browser: Browser, stage: Stage) -> None:
    store(stage, "f/1", *[f"k{number:03}" for number in range(600)])
    keys = await KeysPage.open(browser, stage)
    await keys.open_folder("f/")
    for _page in range(3):
        await keys.page.evaluate("document.getElementById('tree').scrollTop = 9000")
        await keys.tree_is_whole()
    seen = f"""(() => {{
        const top = document.getElementById("tree").getBoundingClientRect().top;
        return {ROWS}.map((row) => [row.children[1].textContent, Math.round(row.getBoundingClientRect().top - top)]);
    }})()"""
    before = dict(await keys.page.evaluate(seen))
    store(stage, *[f"a{number:03}" for number in range(100)], "f/2", *[f"k{number:03}x" for number in range(280, 320)])
    await keys.page.click("refresh")
    await keys.page.until(f"{ROWS}.some((row) => row.children[1].textContent.endsWith('x'))")
    await keys.tree_is_whole()
    after = dict(await keys.page.evaluate(seen))
    anchor = min((place, name) for name, place in before.items() if name in after and place > -30)[1]
    assert abs(after[anchor] - before[anchor]) <= 1
    found = await keys.all_keys()
    assert found == sorted(stage.cluster.store.records)
    assert "f/2" in found


@pytest_twisted.ensureDeferred
async def test_nothing_is_asked_for_on_a_timer(browser: Browser, stage: Stage) -> None:
    store(stage, "a")
    keys = await KeysPage.open(browser, stage)
    asked = [url for url in keys.page.requests.values() if "/kv" in url]
    await keys.page.until("/ago$/.test(document.getElementById('tree-age').textContent)")
    assert [url for url in keys.page.requests.values() if "/kv" in url] == asked
    assert len(asked) == 2, "the first page and the number of keys"


@pytest_twisted.ensureDeferred
async def test_an_empty_store_says_how_to_begin(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    said = await keys.page.text("tree-none")
    assert "No keys yet" in said
    await keys.page.click("none-create")
    await keys.page.fill("key", "greeting")
    await keys.page.fill("value", "hello")
    await keys.press("put", "Created")
    assert await keys.names() == ["greeting"]
    assert await keys.page.evaluate("document.getElementById('tree-none').hidden")
    await keys.delete()
    await keys.page.until("!document.getElementById('tree-none').hidden")


@pytest.mark.parametrize("node_id", ["node1", "node2"])
@pytest_twisted.ensureDeferred
async def test_the_command_for_a_first_key_makes_it_through_any_node(
    browser: Browser, stage: Stage, node_id: str
) -> None:
    keys = await KeysPage.open(browser, stage, node_id)
    command = await keys.page.text("tree-curl")
    program, _x, method, url, _d, body = shlex.split(command)
    assert command == f'{program} -X {method} "{url}" -d {body}', "a shell may take what is not quoted for a pattern"
    assert url.startswith(f"http://{stage.address(node_id)}/kv/greeting")
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await treq.request(method, url, headers=sent, data=body.encode(), allow_redirects=False, persistent=False)
    assert answer.code == 200
    assert stage.record("greeting").value == b"hello"


@pytest.mark.parametrize(
    ("agent", "program"),
    [("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "curl.exe"), ("Mozilla/5.0 (X11; Linux x86_64)", "curl")],
    ids=["Windows", "Linux"],
)
@pytest_twisted.ensureDeferred
async def test_the_command_names_the_program_that_there_is(
    browser: Browser, stage: Stage, agent: str, program: str
) -> None:
    """In Windows PowerShell, curl is another command, which takes none of these options."""
    keys = await KeysPage.open(browser, stage)
    await keys.page.evaluate(f"Object.defineProperty(navigator, 'userAgent', {{value: {json.dumps(agent)}}})")
    await keys.page.click("refresh")
    await keys.page.until(f"document.getElementById('tree-curl').textContent.startsWith('{program} ')")


@pytest_twisted.ensureDeferred
async def test_links_lead_to_keys(browser: Browser, stage: Stage) -> None:
    store(stage, "a/b c?#%", "plain")
    keys = await KeysPage.open(browser, stage, key="a/b c?#%")
    await keys.page.until("document.getElementById('viewer-title').textContent === 'a/b c?#%'")
    await keys.press_row("plain")
    await keys.page.until("location.hash === '#keys/plain'")
    length = await keys.page.evaluate("history.length")
    await keys.choose("a/b c?#%")
    await keys.page.evaluate("location.hash = '#keys'")
    await keys.page.until("location.hash === '#keys/a%2Fb%20c%3F%23%25'")
    await keys.page.evaluate("location.hash = '#keys/%zz'")
    await keys.outcome("This link names no key")
    await keys.page.evaluate("location.hash = '#cluster'")
    await keys.page.until("document.getElementById('keys').hidden")
    await keys.page.evaluate("history.back()")
    await keys.page.until("!document.getElementById('keys').hidden")
    assert length <= 4, "choosing keys fills no history"


@pytest_twisted.ensureDeferred
async def test_a_key_that_was_linked_to_is_shown_in_the_tree(browser: Browser, stage: Stage) -> None:
    store(stage, *[f"a{number:03}" for number in range(100)], "b/c/d", "b/c/e", "z")
    keys = await KeysPage.open(browser, stage, key="b/c/e")
    selected = "document.querySelector('#tree [aria-selected=true]')"
    await keys.page.until(f"{selected} !== null")
    inside = "((row, box) => row.top >= box.top && row.bottom <= box.bottom)"
    tree = "document.getElementById('tree').getBoundingClientRect()"
    await keys.page.until(f"{inside}({selected}.getBoundingClientRect(), {tree})")
    assert [name for name in await keys.names() if not name.startswith("a")] == ["b/", "c/", "d", "e", "z"]


@pytest_twisted.ensureDeferred
async def test_on_a_narrow_screen_there_is_the_tree_or_the_key(browser: Browser, stage: Stage) -> None:
    store(stage, "users/ann", "zoo")
    keys = await KeysPage.open(browser, stage, width=360, height=740)
    in_sight = "[...document.querySelectorAll('#desk > .panel')].map((panel) => panel.offsetParent !== null)"
    assert await keys.page.evaluate(in_sight) == [True, False]
    await keys.press_row("zoo")
    await keys.shown("value-view")
    assert await keys.page.evaluate(in_sight) == [False, True]
    await keys.page.click("to-tree")
    assert await keys.page.evaluate(in_sight) == [True, False]
    assert await keys.page.evaluate(FOCUSED) == "zoo"
    wide = "[...document.querySelectorAll('#keys *')].filter((one) => one.getBoundingClientRect().right > innerWidth).length"
    assert await keys.page.evaluate(wide) == 0


@pytest_twisted.ensureDeferred
async def test_reads_that_need_a_token_are_done_when_it_comes(
    browser: Browser, make_stage: Callable[..., Stage]
) -> None:
    stage = make_stage(token="secret", auth_reads=True)
    store(stage, "a/b", "k")
    keys = await KeysPage.open_at(browser, stage.url(), "k")
    keys.page.expect("status of 401")
    await keys.outcome("This needs the cluster's token", "tree-outcome")
    await keys.page.fill("token", "secret")
    await keys.page.press("Enter", 13)
    await keys.page.until("!document.getElementById('value-view').hidden")
    assert await keys.names() == ["a/", "k"]
    assert await keys.page.evaluate(COUNT) == "2 keys"
    assert await keys.page.text("tree-outcome") == ""


@pytest_twisted.ensureDeferred
async def test_a_page_that_did_not_come_is_asked_for_again_by_hand(browser: Browser, stage: Stage) -> None:
    store(stage, "a/b")
    keys = await KeysPage.open(browser, stage)
    keys.page.expect("status of 503")
    leader, stage.cluster.leader = stage.cluster.leader, None
    await keys.page.evaluate("document.querySelector('#tree .folder').click()")
    await keys.outcome("No leader", "tree-outcome")
    await keys.page.until(
        "document.querySelector('#tree .waiting').textContent === 'Not loaded'"
    )  # with the next frame
    stage.cluster.leader = leader
    await keys.page.click("tree-retry")
    await keys.page.until("document.getElementById('tree-retry').hidden")
    assert await keys.names() == ["a/", "b"]

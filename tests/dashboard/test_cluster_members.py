"""Add, remove and transfer: asked before they are done, done once, and answered for."""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from minicloud.node.errors import ChangeRefused, OutcomeUnknown, QuorumAtRisk, TransferFailed
from tests.dashboard.browser import GONE, Browser, Page
from tests.dashboard.stage import Stage

ASKED = "document.getElementById('member-dialog').open"
FOCUSED = "document.activeElement.id"
TAB = 9
ENTER = 13
ESCAPE = 27


async def open_page(browser: Browser, stage: Stage, node_id: str = "node1") -> Page:
    page = await browser.open(stage.url(node_id))
    await page.until(f"document.querySelectorAll('.node').length === {len(stage.cluster.configuration.members)}")
    return page


async def press_on_card(page: Page, label: str) -> None:
    await page.evaluate(f"document.querySelector('[aria-label=\"{label}\"]').click()")
    await page.until(ASKED)


async def fill_in(page: Page, **fields: str) -> None:
    await page.click("add")
    for name, text in fields.items():
        await page.fill(f"add-{name}", text)
    await page.evaluate("document.getElementById('add-form').requestSubmit()")


def changes(stage: Stage, node_id: str = "node1") -> list[Any]:
    """Return what a node was asked to change."""
    calls = stage.cluster.nodes[node_id].calls
    return [call for call in calls if call[0] in ("join", "remove", "transfer")]


async def told(page: Page, part: str, element: str = "members-outcome") -> None:
    await page.until(f"document.getElementById('{element}').textContent.includes({part!r})")


async def points(page: Page) -> str:
    return await page.text("member-points")


@pytest_twisted.ensureDeferred
async def test_a_node_is_added_as_it_was_described(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    await fill_in(page, id="node4", raft="127.0.0.1:9914", http="127.0.0.1:9904")
    await page.until(ASKED)
    assert await page.text("member-title") == "Add node4 as a voter?"
    assert "4 voters outlive 1 failure, as 3 do now." in await points(page)
    assert await page.evaluate(FOCUSED) == "member-no"
    assert changes(stage) == []
    await page.click("member-yes")
    await told(page, "node4 is a member now")
    ((_, wish, _timeout),) = changes(stage)
    assert (wish.node_id, wish.raft_addr, wish.http_addr, wish.voter) == (
        "node4",
        "127.0.0.1:9914",
        "127.0.0.1:9904",
        True,
    )
    await page.until("document.querySelectorAll('.node').length === 4")


@pytest_twisted.ensureDeferred
async def test_a_learner_with_a_bad_address_is_refused_and_may_be_tried_again(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    await page.click("add-learner")
    await fill_in(page, id="node4", raft="0.0.0.0:9914")
    assert "no vote: the failure tolerance stays at 1." in await points(page)
    await page.click("member-yes")
    await told(page, "an address that others can reach", "member-outcome")
    assert await page.evaluate(ASKED)
    await page.click("member-no")
    assert await page.evaluate("document.getElementById('add-raft').value") == "0.0.0.0:9914", "nothing is typed twice"
    await fill_in(page, raft="127.0.0.1:9914")
    await page.click("member-yes")
    await told(page, "node4 is a member now.")
    ((_, wish, _timeout),) = changes(stage)
    assert (wish.http_addr, wish.voter) == ("127.0.0.1:9904", False)
    page.expect("status of 400")


@pytest_twisted.ensureDeferred
async def test_a_node_without_a_name_is_not_even_asked_about(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    await fill_in(page, id="node 4", raft="127.0.0.1:9914")
    assert await page.evaluate("document.getElementById('add-id').matches(':invalid')")
    assert not await page.evaluate(ASKED)


@pytest_twisted.ensureDeferred
async def test_removing_says_what_it_does_and_happens_once(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    await press_on_card(page, "Remove node3 from the cluster")
    assert await page.text("member-title") == "Remove node3 from the cluster?"
    assert "2 voters outlive no failure; 3 now outlive 1 failure." in await points(page)
    answer: Deferred[None] = Deferred()
    stage.cluster.nodes["node1"].script.append(answer)
    for _ in range(3):
        await page.click("member-yes")
    await page.until("document.getElementById('member-dialog').ariaBusy === 'true'")
    await page.press("Escape", ESCAPE)
    assert await page.evaluate(ASKED), "what was sent is waited for"
    answer.callback(None)
    await told(page, "node3 is no member any more.")
    assert [call[:3] for call in changes(stage)] == [("remove", "node3", False)]
    assert not await page.evaluate(ASKED)


@pytest_twisted.ensureDeferred
async def test_breaking_the_quorum_takes_a_second_step(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    stage.cluster.nodes["node1"].script.append(QuorumAtRisk("Without node2, 1 of 2 voters would be healthy."))
    await press_on_card(page, "Remove node2 from the cluster")
    assert await page.evaluate("document.getElementById('member-force').hidden")
    await page.click("member-yes")
    await told(page, "Without node2, 1 of 2 voters would be healthy.", "member-outcome")
    assert await page.evaluate(FOCUSED) == "member-no"
    assert await page.text("member-yes") == "Do it all the same"
    assert "the cluster may stop" in await page.text("member-force")
    await page.click("member-yes")
    await told(page, "node2 is no member any more.")
    assert [call[:3] for call in changes(stage)] == [("remove", "node2", False), ("remove", "node2", True)]
    await press_on_card(page, "Remove node3 from the cluster")
    assert await page.text("member-yes") == "Remove node3", "force is for one question only"
    page.expect("status of 409")


@pytest_twisted.ensureDeferred
async def test_leadership_goes_to_the_node_that_was_chosen_and_a_follower_can_be_asked(
    browser: Browser, stage: Stage
) -> None:
    page = await open_page(browser, stage, "node2")
    await press_on_card(page, "Make node3 the leader")
    assert "node1 stops leading once node3 has all that it has." in await points(page)
    await page.click("member-yes")
    await told(page, "node3 leads now.")
    assert [call[:2] for call in changes(stage)] == [("transfer", "node3")]
    await page.until("document.getElementById('fact-leader').textContent === 'node3'")
    hidden = "[...document.querySelectorAll('.node-foot button:first-of-type')].map((button) => button.hidden)"
    await page.until(f"{hidden}.join() === 'false,false,true'")


REFUSALS = [
    (TransferFailed("node2 is too far behind.", False), "node2 is too far behind.", "409"),
    (ChangeRefused("This can't be done."), "This can't be done.", "409"),
    (OutcomeUnknown(), "Look at the nodes before you try again.", "504"),
]


@pytest.mark.parametrize(("error", "said", "status"), REFUSALS, ids=lambda value: getattr(value, "detail", None))
@pytest_twisted.ensureDeferred
async def test_a_refusal_is_shown_in_the_node_s_own_words(
    browser: Browser, stage: Stage, error: Exception, said: str, status: str
) -> None:
    page = await open_page(browser, stage)
    stage.cluster.nodes["node1"].script.append(error)
    await press_on_card(page, "Make node2 the leader")
    await page.click("member-yes")
    await told(page, said, "member-outcome")
    assert len(changes(stage)) == 1
    page.expect(f"status of {status}")


@pytest_twisted.ensureDeferred
async def test_a_node_that_dies_meanwhile_leaves_the_outcome_open(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    stage.cluster.nodes["node1"].script.append(Deferred())
    await press_on_card(page, "Remove node3 from the cluster")
    await page.click("member-yes")
    await page.until("document.getElementById('member-dialog').ariaBusy === 'true'")
    await stage.stop("node1")
    await told(page, "Whether it was done is not known", "member-outcome")
    page.expect(GONE)


@pytest_twisted.ensureDeferred
async def test_the_token_is_asked_for_and_used(browser: Browser, make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(token="secret")
    page = await open_page(browser, stage)
    await press_on_card(page, "Make node2 the leader")
    await page.click("member-yes")
    await told(page, "This needs the cluster's token")
    assert await page.evaluate("document.getElementById('token-box').open")
    assert await page.evaluate(FOCUSED) == "token"
    await page.fill("token", "secret")
    await page.evaluate("document.getElementById('token-form').requestSubmit()")
    await press_on_card(page, "Make node2 the leader")
    await page.click("member-yes")
    await told(page, "node2 leads now.")
    page.expect("status of 401")


@pytest_twisted.ensureDeferred
async def test_the_keyboard_alone_is_enough_and_enter_alone_does_no_harm(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    await page.evaluate("document.querySelector('[aria-label=\"Remove node3 from the cluster\"]').focus()")
    await page.press("Enter", ENTER)
    await page.until(ASKED)
    await page.press("Enter", ENTER)
    await page.until(f"!{ASKED}")
    assert changes(stage) == []
    assert await page.evaluate("document.activeElement.getAttribute('aria-label')") == "Remove node3 from the cluster"
    await page.press("Enter", ENTER)
    await page.until(ASKED)
    await page.press("Tab", TAB)
    assert await page.evaluate(FOCUSED) == "member-yes"
    await page.press("Enter", ENTER)
    await told(page, "node3 is no member any more.")
    await page.until("document.querySelectorAll('.node').length === 2")
    assert await page.evaluate(FOCUSED) == "add", "the button that had the focus is gone"


@pytest_twisted.ensureDeferred
async def test_without_a_leader_nobody_is_made_one_by_hand(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    offered = "[...document.querySelectorAll('[aria-label^=Make]')].filter((one) => !one.hidden).length"
    await page.until(f"{offered} === 2")
    stage.cluster.leader = None
    await page.until(f"document.getElementById('fact-leader').textContent === 'none' && {offered} === 0")

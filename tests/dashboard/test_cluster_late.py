"""Answers that come late: each belongs to its own question, wherever the reader has gone meanwhile."""

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.protocols.portforward import ProxyFactory, ProxyServer

from minicloud.node.errors import ChangeRefused, QuorumAtRisk
from minicloud.raft.configuration import Configuration
from minicloud.web.problems import Problem
from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage
from tests.dashboard.test_cluster_members import (
    ASKED,
    ENTER,
    ESCAPE,
    FOCUSED,
    TAB,
    changes,
    fill_in,
    open_page,
    press_on_card,
    told,
)

AT_RISK = "2 of 3 healthy voters would be left."
LABEL = "document.activeElement.getAttribute('aria-label')"
MANY_ESCAPES = 10
"""After a few of them in a row, a browser closes a dialog whether or not the page wants that."""


async def begin(page: Page, stage: Stage, label: str) -> "Deferred[None]":
    """Ask for a change and confirm it; return its answer, which is still to come."""
    answer: Deferred[None] = Deferred()
    stage.cluster.nodes["node1"].script.append(answer)
    await press_on_card(page, label)
    await page.click("member-yes")
    await page.until("document.getElementById('member-dialog').ariaBusy === 'true'")
    return answer


async def leave(page: Page) -> None:
    """Press Escape until the browser gives in."""
    for _ in range(MANY_ESCAPES):
        await page.press("Escape", ESCAPE)
        if not await page.evaluate(ASKED):
            return
    raise AssertionError("the dialog does not close")


async def begin_and_leave(page: Page, stage: Stage, label: str) -> "Deferred[None]":
    answer = await begin(page, stage, label)
    await leave(page)
    await told(page, "waiting for the cluster")
    return answer


async def is_answered(page: Page) -> None:
    await page.until("document.getElementById('member-dialog').ariaBusy === 'false'")


def removals(stage: Stage) -> list[Any]:
    return [call[1:3] for call in changes(stage)]


@pytest_twisted.ensureDeferred
async def test_while_a_change_has_no_answer_no_other_one_is_asked_about(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    answer = await begin_and_leave(page, stage, "Remove node2 from the cluster")
    assert (await page.text("members-outcome")).startswith("Remove node2: ")
    await press_on_card(page, "Remove node3 from the cluster")
    assert await page.text("member-title") == "Remove node2 from the cluster?"
    assert "This has no answer yet" in await page.text("member-outcome")
    assert await page.text("members-outcome") == "", "what comes of it will not be said there any more"
    await page.click("member-yes")
    await page.click("member-no")
    assert await page.evaluate(ASKED)
    answer.callback(None)
    await told(page, "node2 is no member any more.")
    assert not await page.evaluate(ASKED)
    assert removals(stage) == [("node2", False)]
    await press_on_card(page, "Remove node3 from the cluster")
    assert await page.text("member-title") == "Remove node3 from the cluster?"


@pytest_twisted.ensureDeferred
async def test_force_is_not_offered_for_a_question_that_was_left(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    answer = await begin_and_leave(page, stage, "Remove node2 from the cluster")
    answer.errback(QuorumAtRisk(AT_RISK))
    await told(page, f"Remove node2: {AT_RISK}")
    assert "Nothing was changed." in await page.text("members-outcome")
    await press_on_card(page, "Remove node3 from the cluster")
    assert await page.text("member-yes") == "Remove node3"
    assert await page.evaluate("document.getElementById('member-force').hidden")
    await page.click("member-yes")
    await told(page, "node3 is no member any more.")
    assert removals(stage) == [("node2", False), ("node3", False)]
    page.expect("status of 409")


@pytest_twisted.ensureDeferred
async def test_force_is_offered_for_what_the_dialog_names_where_it_was_left_and_shown_again(
    browser: Browser, stage: Stage
) -> None:
    page = await open_page(browser, stage)
    answer = await begin_and_leave(page, stage, "Remove node2 from the cluster")
    await press_on_card(page, "Remove node3 from the cluster")
    answer.errback(QuorumAtRisk(AT_RISK))
    await told(page, AT_RISK, "member-outcome")
    assert await page.text("member-title") == "Remove node2 from the cluster?"
    assert await page.text("member-yes") == "Do it all the same"
    await page.click("member-yes")
    await told(page, "node2 is no member any more.")
    assert removals(stage) == [("node2", False), ("node2", True)]
    page.expect("status of 409")


@pytest_twisted.ensureDeferred
async def test_the_second_click_of_a_double_click_forces_nothing(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    answer = await begin(page, stage, "Remove node2 from the cluster")
    answer.errback(QuorumAtRisk(AT_RISK))
    await is_answered(page)
    assert await page.text("member-yes") == "Do it all the same"
    await page.evaluate("document.getElementById('member-yes').dispatchEvent(new MouseEvent('click', {detail: 2}))")
    assert await page.evaluate("document.getElementById('member-dialog').ariaBusy") == "false"
    await page.evaluate("document.getElementById('member-yes').dispatchEvent(new MouseEvent('click', {detail: 1}))")
    await told(page, "node2 is no member any more.")
    assert removals(stage) == [("node2", False), ("node2", True)]
    page.expect("status of 409")


@pytest_twisted.ensureDeferred
async def test_an_error_of_a_question_that_was_left_is_said_on_the_page(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    answer = await begin_and_leave(page, stage, "Make node2 the leader")
    answer.errback(ChangeRefused("This can't be done."))
    await told(page, "Make node2 the leader: This can't be done.")
    assert await page.evaluate("document.getElementById('members-outcome').dataset.level") == "bad"
    page.expect("status of 409")


@pytest_twisted.ensureDeferred
async def test_a_late_wish_for_a_token_takes_the_focus_from_nobody(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    answer = await begin_and_leave(page, stage, "Remove node2 from the cluster")
    await page.evaluate("document.getElementById('to-keys').focus()")
    answer.errback(Problem(401, "unauthorized", "Unauthorized", "A token is needed."))
    await told(page, "Remove node2: This needs the cluster's token")
    assert await page.evaluate(FOCUSED) == "to-keys"
    page.expect("status of 401")


@pytest_twisted.ensureDeferred
async def test_what_was_typed_for_the_next_node_is_not_lost_with_the_answer_for_this_one(
    browser: Browser, stage: Stage
) -> None:
    page = await open_page(browser, stage)
    answer: Deferred[None] = Deferred()
    stage.cluster.nodes["node1"].script.append(answer)
    await fill_in(page, id="node4", raft="127.0.0.1:9914")
    await page.until(ASKED)
    await page.click("member-yes")
    await leave(page)
    await page.click("add")
    assert not await page.evaluate("document.getElementById('add-dialog').open"), "it would be emptied under the hands"
    assert await page.text("member-title") == "Add node4 as a voter?"
    answer.callback(None)
    await told(page, "node4 is a member now")
    await page.click("add")
    assert await page.evaluate("document.getElementById('add-dialog').open")


# Where the focus goes


@pytest_twisted.ensureDeferred
async def test_the_focus_stays_on_the_card_of_a_new_leader(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    await page.evaluate("document.querySelector('[aria-label=\"Make node2 the leader\"]').focus()")
    await page.press("Enter", ENTER)
    await page.until(ASKED)
    await page.press("Tab", TAB)
    await page.press("Enter", ENTER)
    await told(page, "node2 leads now.")
    await page.until("document.querySelector('[aria-label=\"Make node2 the leader\"]').hidden")
    assert await page.evaluate(LABEL) == "Remove node2 from the cluster"


@pytest_twisted.ensureDeferred
async def test_the_focus_has_somewhere_to_go_when_its_button_went_behind_the_dialog(
    browser: Browser, stage: Stage
) -> None:
    page = await open_page(browser, stage)
    await page.evaluate("document.querySelector('[aria-label=\"Make node2 the leader\"]').focus()")
    answer = await begin(page, stage, "Make node2 the leader")
    stage.cluster.leader = stage.cluster.members[1]
    await page.until("document.querySelector('[aria-label=\"Make node2 the leader\"]').hidden")
    answer.callback(None)
    await told(page, "node2 leads now.")
    await page.until(f"{LABEL} === 'Remove node2 from the cluster'")
    answer = await begin(page, stage, "Remove node2 from the cluster")
    stage.cluster.configuration = Configuration((stage.cluster.members[0], stage.cluster.members[2]))
    await page.until("document.querySelectorAll('.node').length === 2")
    answer.callback(None)
    await told(page, "node2 is no member any more.")
    await page.until(f"{FOCUSED} === 'add'")


# Something on the way


class GivesUp(ProxyServer):
    """A connection through a proxy that gives up on changes."""

    def dataReceived(self, data: bytes) -> None:
        if data.startswith(b"POST "):
            head = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n"
            self.transport.write(head + b"<h1>Sorry</h1>")
        else:
            super().dataReceived(data)


@pytest.fixture
def proxy_url(stage: Stage) -> Iterator[str]:
    factory = ProxyFactory("127.0.0.1", stage.ports["node1"].getHost().port)
    factory.protocol, factory.noisy = GivesUp, False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    yield f"http://127.0.0.1:{port.getHost().port}/dashboard"
    port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_proxy_that_gives_up_leaves_the_outcome_open(browser: Browser, proxy_url: str) -> None:
    page = await browser.open(proxy_url)
    await page.until("document.querySelectorAll('.node').length === 3")
    await press_on_card(page, "Remove node3 from the cluster")
    await page.click("member-yes")
    await told(page, "Something on the way to the node answered 502.", "member-outcome")
    assert "not known: the cards will show it." in await page.text("member-outcome")
    page.expect("status of 502")

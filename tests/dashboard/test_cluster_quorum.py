"""What the banner says of every state of a cluster: the page's pure function, evaluated in the browser."""

import json
from typing import Any

import pytest_twisted

from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage


def member(
    name: str, *, healthy: bool | None = None, answers: bool | None = None, voter: bool = True
) -> dict[str, Any]:
    return {"node_id": name, "suffrage": "Voter" if voter else "Learner", "healthy": healthy, "answers": answers}


UP = {"healthy": True, "answers": True}
SILENT = {"healthy": None, "answers": False}
ANSWERS = {"healthy": None, "answers": True}


async def say(
    page: Page, members: list[dict[str, Any]], serving: str = "n1", leader: str | None = "n1", tolerance: int = 9
) -> dict[str, Any]:
    status = {"node_id": serving, "leader_id": leader, "state": "Follower"}
    cluster = {"members": members, "failure_tolerance": tolerance}
    return await page.evaluate(
        f"import('/static/text.js').then((text) => text.quorumSummary({json.dumps(status)}, {json.dumps(cluster)}))"
    )


@pytest_twisted.ensureDeferred
async def test_a_quorum_that_is_held(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    all_up = [member(f"n{number}", **UP) for number in range(1, 6)]
    said = await say(page, all_up, tolerance=2)
    assert (said["level"], said["title"], said["text"]) == (
        "ok",
        "Quorum held",
        "5 of 5 voters are up; 2 more may fail.",
    )
    said = await say(page, [*all_up[:4], member("n5", healthy=False)], tolerance=1)
    assert said["text"] == "4 of 5 voters are up; 1 more may fail. Down: n5."
    said = await say(page, [*all_up[:4], member("n5", **SILENT)], serving="n2", tolerance=1)
    assert said["text"] == "4 of 5 voters are up; 1 more may fail. Down: n5.", "a follower sees what the leader counts"
    said = await say(page, [*all_up[:1], member("n9", voter=False, healthy=False)])
    assert said["title"] == "One voter"


@pytest_twisted.ensureDeferred
async def test_a_quorum_that_is_lost_names_who_is_missing(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    three = [member("n1", **UP), member("n2", healthy=False), member("n3", healthy=False, answers=False)]
    said = await say(page, three)
    assert (said["level"], said["title"]) == ("bad", "Quorum lost")
    assert [one["node_id"] for one in said["missing"]] == ["n2", "n3"]
    assert "until 1 more runs." in said["text"]
    five = [member("n1"), *(member(f"n{number}", **SILENT) for number in range(2, 6))]
    assert "until 2 more run." in (await say(page, five, leader=None))["text"]


@pytest_twisted.ensureDeferred
async def test_a_leader_that_is_heard_has_a_quorum_even_where_nobody_answers_over_http(
    browser: Browser, stage: Stage
) -> None:
    page = await browser.open(stage.url())
    four_silent = [member(f"n{number}", **SILENT) for number in range(2, 5)]
    heard = [member("n1"), *four_silent, member("n5", healthy=True, answers=False)]
    assert (await say(page, heard, leader="n5"))["title"].startswith("Quorum held")
    assert (await say(page, [*heard[:4], member("n5", healthy=False)], leader="n5"))["title"] == "Quorum lost"


@pytest_twisted.ensureDeferred
async def test_without_a_leader_it_says_whether_one_can_be_elected(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    said = await say(page, [member("n1"), member("n2", **ANSWERS), member("n3", **SILENT)], leader=None)
    assert (said["level"], said["title"]) == ("warn", "Electing a leader…")
    assert "2 of 3 voters are up, which is enough." in said["text"]
    said = await say(page, [member("n1"), member("n2"), member("n3")], leader=None)
    assert said["title"] == "No leader", "nobody knows yet who is up: a page that was just opened must not cry wolf"

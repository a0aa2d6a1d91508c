"""What is said before a change of the cluster, and of one that failed: the page's pure functions, evaluated in the browser."""

import json
from typing import Any

import pytest_twisted

from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage

UNKNOWN = " Whether it was done is not known: the cards will show it. Look at the nodes before you try again."

ADDING = {
    0: "1 voter outlives no failure.",
    1: "2 voters outlive no failure, as 1 does now.",
    2: "3 voters outlive 1 failure; 2 now outlive no failure.",
    3: "4 voters outlive 1 failure, as 3 do now.",
    4: "5 voters outlive 2 failures; 4 now outlive 1 failure.",
}
"""By how many voters there are."""

REMOVING = {
    1: "It is the only voter: the cluster cannot do without it, and will refuse.",
    2: "1 voter outlives no failure, as 2 do now.",
    3: "2 voters outlive no failure; 3 now outlive 1 failure.",
    4: "3 voters outlive 1 failure, as 4 do now.",
    5: "4 voters outlive 1 failure; 5 now outlive 2 failures.",
}

FAILURES = {
    "new api.NoAnswer('The node did not answer.')": "The node did not answer." + UNKNOWN,
    "new api.Refused(502, {})": "Something on the way to the node answered 502." + UNKNOWN,
    "new api.Refused(504, {title: 'Gateway Timeout'})": "Gateway Timeout" + UNKNOWN,
    "new api.Refused(503, {detail: 'Try later.', retryable: true})": "Try later." + UNKNOWN,
    "new api.Refused(504, {code: 'gateway_timeout', detail: 'Late.'})": "Late." + UNKNOWN,
    "new api.Refused(504, {code: 'outcome_unknown', detail: 'Late.', retryable: false})": "Late." + UNKNOWN,
    "new api.Refused(500, {code: 'internal_error', detail: 'Oh.', retryable: false})": "Oh." + UNKNOWN,
    "new api.Refused(504, {code: 'transfer_failed', detail: 'node2 is slow.', retryable: true})": "node2 is slow.",
    "new api.Refused(503, {code: 'no_leader', detail: 'None.', retryable: true})": "None.",
    "new DOMException('Called off.', 'AbortError')": "Called off." + UNKNOWN,
    "new api.Refused(409, {code: 'change_refused', detail: 'No.', retryable: false})": "No.",
    "new api.Refused(403, {})": "Something on the way to the node answered 403.",
}
"""What is said of an error."""


async def load(page: Page, **modules: str) -> None:
    for name, path in modules.items():
        await page.evaluate(f"import('/static/{path}').then((module) => {{ window.{name} = module; }})")


def cluster_of(voters: int, learners: int = 0) -> dict[str, Any]:
    names = [f"n{number}" for number in range(1, voters + learners + 1)]
    suffrages = ["Voter"] * voters + ["Learner"] * learners
    members = [{"node_id": name, "suffrage": suffrage} for name, suffrage in zip(names, suffrages, strict=True)]
    return {"members": members, "status": {"node_id": "n9", "leader_id": "n8"}}


async def of_adding(page: Page, cluster: dict[str, Any], node_id: str = "new", voter: bool = True) -> str:
    wish = {"node_id": node_id, "raft_addr": "10.0.0.4:9011", "voter": voter}
    return " ".join(
        await page.evaluate(f"texts.consequencesOfAdding({json.dumps(wish)}, {json.dumps(cluster)})"),
    )


async def of_removing(page: Page, cluster: dict[str, Any], member: dict[str, Any]) -> list[str]:
    return await page.evaluate(f"texts.consequencesOfRemoving({json.dumps(member)}, {json.dumps(cluster)})")


@pytest_twisted.ensureDeferred
async def test_what_voters_outlive_is_said_in_whole_sentences(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await load(page, texts="cluster/consequences.js")
    for voters, sentence in ADDING.items():
        assert sentence in await of_adding(page, cluster_of(voters)), voters
    for voters, sentence in REMOVING.items():
        cluster = cluster_of(voters)
        assert (await of_removing(page, cluster, cluster["members"][0]))[0] == sentence, voters


@pytest_twisted.ensureDeferred
async def test_a_learner_changes_no_tolerance_and_a_voter_is_not_made_one_by_adding(
    browser: Browser, stage: Stage
) -> None:
    page = await browser.open(stage.url())
    await load(page, texts="cluster/consequences.js")
    cluster = cluster_of(3, learners=1)
    learner = cluster["members"][3]
    assert (await of_removing(page, cluster, learner))[0] == "It is a learner: the failure tolerance stays at 1."
    assert "no vote: the failure tolerance stays at 1." in await of_adding(page, cluster, voter=False)
    assert "4 voters outlive 1 failure, as 3 do now." in await of_adding(page, cluster, "n4")
    assert "It has a vote, and keeps it." in await of_adding(page, cluster, "n1", voter=False)
    assert "outlive" not in await of_adding(page, cluster, "n1")


@pytest_twisted.ensureDeferred
async def test_a_change_is_called_undone_only_where_that_is_known(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await load(page, api="api.js", problem="cluster/problem.js")
    assert {error: await page.evaluate(f"problem.problemOf({error})") for error in FAILURES} == FAILURES

"""The page on real nodes: what happens to the cluster is on the screen within two seconds.

What is measured is printed (``pytest -rP`` shows it). Other things may run on this machine: it may be late by what
watch.py measures. What is a matter of the page alone has its verdict in test_two_seconds.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.dashboard.browser import GONE, Browser
from tests.dashboard.real_cluster import LIVE, open_dashboard, traffic
from tests.dashboard.watch import Watch, shows
from tests.process.cluster import NAMES, Cluster, cluster_in, wait_for

TITLE = "document.getElementById('banner-title').textContent"
STALE = "document.getElementById('live').dataset.state === 'stale'"


@pytest.fixture
def cluster(browser: Browser, tmp_path: Path) -> Iterator[Cluster]:
    with cluster_in(tmp_path) as three:
        yield three


def card(name: str, part: str) -> str:
    """Return an expression for what a part of a node's card says."""
    found = f"[...document.querySelectorAll('.node')].find((one) => one.querySelector('h3').textContent === {json.dumps(name)})"
    return f"{found}?.querySelector({json.dumps(part)}).textContent"


def news(text: str) -> str:
    """Return a condition: that this is among what happened."""
    return f"document.getElementById('news').textContent.includes({json.dumps(text)})"


@pytest_twisted.ensureDeferred
async def test_a_follower_that_is_killed(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    victim = cluster.others(leader)[0]
    page = await open_dashboard(browser, cluster, leader)
    gone = f"{card(victim, '.reach')} === 'Not reachable' && {TITLE} === 'Quorum held, nothing to spare'"
    await shows(page, "a killed follower", gone, lambda: cluster.kill(victim))
    await page.until(news(f"{victim} is not reachable"))
    assert f"Down: {victim}." in await page.text("banner-text")
    back = f"{card(victim, '.reach')} === 'Reachable' && {TITLE} === 'Quorum held'"
    cluster.start(victim)
    await page.until(back, within_ms=30_000)
    await page.until(news(f"{victim} is reachable again"))


@pytest_twisted.ensureDeferred
async def test_an_election_after_the_leader_is_killed(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    page = await open_dashboard(browser, cluster, cluster.others(leader)[0])
    elected = (
        f"!['none', {json.dumps(leader)}].includes(document.getElementById('fact-leader').textContent)"
        f" && document.querySelector('.badge[data-role=leader]') && {TITLE} === 'Quorum held, nothing to spare'"
    )
    await shows(page, "an election", elected, lambda: cluster.kill(leader))
    chosen = await page.text("fact-leader")
    await page.until(news(f"{chosen} leads in term"))
    await page.until(f"{card(chosen, '.badge')} === 'Leader' && {card(leader, '.badge')} === 'Voter'")


@pytest_twisted.ensureDeferred
async def test_a_node_that_is_added_through_the_page(browser: Browser, cluster: Cluster) -> None:
    page = await open_dashboard(browser, cluster, cluster.others(cluster.leader())[0])
    fourth = cluster.add_config("node4")
    cluster.start("node4")
    wait_for(lambda: fourth.ask("GET", "/livez").status == 200, "node4 runs")
    await page.click("add")
    for name, text in (
        ("id", "node4"),
        ("raft", f"127.0.0.1:{fourth.raft_port}"),
        ("http", f"127.0.0.1:{fourth.http_port}"),
    ):
        await page.fill(f"add-{name}", text)
    await page.evaluate("document.getElementById('add-form').requestSubmit()")
    watch = Watch(page, "a new member")
    await watch.begin(f"{card('node4', '.reach')} !== undefined")
    await page.click("member-yes")
    await watch.end()
    # As a voter at once, where it was promoted between two looks of the node.
    await page.until(
        f"{news('node4 joined as a ')} && ({news('node4 became a voter')} || {news('node4 joined as a voter')})"
    )
    await page.until(f"{card('node4', '.badge')} === 'Follower'")
    assert (await page.text("members-outcome")).startswith("node4 is a member now")
    cluster.wait_voters(*NAMES, "node4")


@pytest_twisted.ensureDeferred
async def test_a_quorum_that_is_lost_and_found(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    first, second = cluster.others(leader)
    page = await open_dashboard(browser, cluster, leader)
    await shows(page, "a lost quorum", f"{TITLE} === 'Quorum lost'", lambda: cluster.kill(first, second))
    assert "Nothing that was answered is lost." in await page.text("banner-text")
    to_start = await page.text("repair-nodes")
    for name in (first, second):
        member = cluster.members[name]
        assert f"{name} (HTTP 127.0.0.1:{member.http_port} · Raft 127.0.0.1:{member.raft_port}): twistd -n" in to_start
    await page.until("document.getElementById('banner-text').textContent.includes('Without a leader since')")
    cluster.start(first)
    await page.until(f"{TITLE} === 'Quorum held, nothing to spare'", within_ms=30_000)


@pytest_twisted.ensureDeferred
async def test_a_serving_node_that_freezes_and_one_that_dies(browser: Browser, cluster: Cluster) -> None:
    serving = cluster.others(cluster.leader())[0]
    page = await open_dashboard(browser, cluster, serving)
    await shows(page, "a frozen node", STALE, lambda: cluster.freeze(serving))
    assert serving in await page.text("stale-text")
    cluster.thaw(serving)
    await page.until(LIVE)
    await shows(page, "a dead node", STALE, lambda: cluster.kill(serving))
    assert (await page.text("live-text")).startswith("Stale since ")
    cluster.start(serving)
    await page.until(LIVE, within_ms=30_000)
    await page.until(news(f"{serving} started"))
    page.expect(GONE)


@pytest_twisted.ensureDeferred
async def test_leadership_is_handed_over_and_a_member_removed(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    heir, removed = cluster.others(leader)
    page = await open_dashboard(browser, cluster, leader)
    await page.evaluate(f"document.querySelector('[aria-label=\"Make {heir} the leader\"]').click()")
    watch = Watch(page, "a transfer")
    await watch.begin(f"document.getElementById('fact-leader').textContent === {json.dumps(heir)}")
    await page.click("member-yes")
    await watch.end()
    await page.until(f"document.getElementById('members-outcome').textContent === '{heir} leads now.'")
    assert cluster.leader() == heir
    await page.evaluate(f"document.querySelector('[aria-label=\"Remove {removed} from the cluster\"]').click()")
    watch = Watch(page, "a removal")
    await watch.begin("document.querySelectorAll('.node').length === 2")
    await page.click("member-yes")
    await watch.end()
    await page.until(news(f"{removed} was removed"))
    assert set(cluster.suffrages(heir)) == {leader, heir}


@pytest_twisted.ensureDeferred
async def test_removing_what_the_quorum_needs_is_refused_until_it_is_forced(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    down, needed = cluster.others(leader)
    page = await open_dashboard(browser, cluster, leader)
    cluster.kill(down)
    await page.until(f"{TITLE} === 'Quorum held, nothing to spare'")
    await page.evaluate(f"document.querySelector('[aria-label=\"Remove {needed} from the cluster\"]').click()")
    await page.click("member-yes")
    await page.until("!document.getElementById('member-force').hidden")
    assert "1 of 2 voters would be healthy" in await page.text("member-outcome")
    await page.click("member-no")
    assert set(cluster.suffrages(leader)) == set(NAMES)
    page.expect("status of 409")


@pytest_twisted.ensureDeferred
async def test_traffic_shows_in_the_plots_of_every_node(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    page = await open_dashboard(browser, cluster, cluster.others(leader)[0])
    with traffic(cluster, leader, {"greeting": "Hello"}):
        writes = "Number(document.querySelector('#plot-writes dd').textContent)"
        await page.until(f"{writes} > 0")
        assert await page.evaluate("document.querySelectorAll('#plot-requests dd')[1].textContent") == "0"
    assert page.console == []

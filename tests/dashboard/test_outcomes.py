"""The one rule for what leaves open whether a change was made, and that both views go by it."""

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from minicloud.node import errors
from minicloud.web.limits import DEFAULT_TIMEOUT_S, FORWARD_MARGIN_S
from minicloud.web.problems import explain, internal_error
from tests.dashboard.browser import GONE, Browser, Page
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.late import Kept
from tests.dashboard.stage import Stage

OPEN = {
    "new api.NoAnswer('The node did not answer.')": True,
    "new DOMException('Called off.', 'AbortError')": True,
    "new TypeError('a fault of the page itself')": True,
    "new api.Refused(504, {})": True,
    "new api.Refused(504, {code: 'outcome_unknown', retryable: false})": True,
    "new api.Refused(504, {code: 'outcome_unknown', retryable: true})": True,
    "new api.Refused(504, {code: 'read_timeout', retryable: true})": False,
    "new api.Refused(504, {code: 'transfer_failed', retryable: true})": False,
    "new api.Refused(503, {code: 'no_leader', retryable: true})": False,
    "new api.Refused(503, {code: 'out_of_order', retryable: false})": True,
    "new api.Refused(503, {code: 'out_of_order', retryable: 'yes'})": True,
    "new api.Refused(503, {code: 'out_of_order'})": True,
    "new api.Refused(503, {retryable: true})": True,
    "new api.Refused(502, {})": True,
    "new api.Refused(500, {code: 'internal_error', retryable: false})": True,
    "new api.Refused(412, {code: 'precondition_failed', retryable: false})": False,
    "new api.Refused(409, {code: 'change_in_progress', retryable: true})": False,
    "new api.Refused(401, {code: 'unauthorized'})": False,
    "new api.Refused(403, {})": False,
}
"""Whether each error leaves it open."""

UNDONE = [
    errors.NotLeader(None),
    errors.ProposalLost(None),
    errors.Overloaded(3),
    errors.ReadTimeout("late"),
    errors.ChangeInProgress(),
    errors.UnknownMember("n"),
    errors.QuorumAtRisk("few"),
    errors.ChangeRefused("no"),
    errors.TransferFailed("slow", timed_out=True),
    errors.TransferFailed("slow", timed_out=False),
    errors.NodeStopping(),
]
"""After which nothing was changed, by what the node's own documentation of them says."""


async def loaded(browser: Browser, stage: Stage) -> Page:
    page = await browser.open(stage.url())
    for name, path in {"api": "api.js", "problem": "cluster/problem.js", "outcome": "keys/outcome.js"}.items():
        await page.evaluate(f"import('/static/{path}').then((module) => {{ window.{name} = module; }})")
    return page


ON_THE_WAY_S = 1.0
"""What the request and the answer may take between page and node, on a slow line."""


@pytest_twisted.ensureDeferred
async def test_only_what_is_known_to_be_undone_leaves_nothing_open(browser: Browser, stage: Stage) -> None:
    page = await loaded(browser, stage)
    assert {error: await page.evaluate(f"api.leavesOpen({error})") for error in OPEN} == OPEN


@pytest_twisted.ensureDeferred
async def test_the_rule_agrees_with_what_the_node_answers(browser: Browser, stage: Stage) -> None:
    page = await loaded(browser, stage)
    assert {type(error) for error in [*UNDONE, errors.OutcomeUnknown()]} == set(errors.NodeError.__subclasses__())
    for error in UNDONE:
        problem = explain(error)
        assert problem is not None
        assert await _leaves_open(page, problem.status, problem.answer().body) is False, error
    for problem in (explain(errors.OutcomeUnknown()), internal_error()):
        assert problem is not None
        assert await _leaves_open(page, problem.status, problem.answer().body) is True, problem.code


async def _leaves_open(page: Page, status: int, body: bytes) -> bool:
    return await page.evaluate(f"api.leavesOpen(new api.Refused({status}, {body.decode()}))")


@pytest_twisted.ensureDeferred
async def test_both_views_say_so_by_the_same_rule(browser: Browser, stage: Stage) -> None:
    page = await loaded(browser, stage)
    for error, is_open in OPEN.items():
        if "(401" in error:
            continue  # Which asks for the token instead.
        of_members = await page.evaluate(f"problem.problemOf({error})")
        of_keys = await page.evaluate(f"outcome.writeProblem({error}, 'Look.', () => {{}})")
        assert ("Whether it was done is not known" in of_members) is is_open, error
        assert ("Whether this took effect is not known. Look." in of_keys) is is_open, error


@pytest.mark.parametrize("is_done", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_node_that_dies_after_a_write_was_sent_leaves_the_outcome_open(
    browser: Browser, stage: Stage, is_done: bool
) -> None:
    stage.cluster.store.records["note"] = Record(b"one", 10, 4, 2)
    stage.cluster.store.applied_index = 10
    keys = await KeysPage.open(browser, stage, key="note")
    await keys.shown("value-view")
    kept = Kept(stage, "propose")
    await keys.type_edit("mine")
    await keys.page.click("put")
    await kept.came
    await stage.stop("node1")
    keys.page.expect(GONE)
    said = await keys.outcome("The node did not answer")
    assert "Whether this took effect is not known. Save again" in said
    assert await keys.typed() == "mine"
    if is_done:
        kept.write()
        assert stage.record("note").value == b"mine", "it was open indeed"


@pytest_twisted.ensureDeferred
async def test_a_fault_of_the_page_while_it_saves_is_in_the_console_too(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    keys.page.expect("a fault")
    await keys.type_new("k", "v")
    await keys.page.evaluate("window.fetch = () => ({get ok() { throw new Error('a fault'); }})")
    assert "not known" in await keys.press("put", "a fault")


@pytest_twisted.ensureDeferred
async def test_the_page_waits_longer_than_the_node_so_that_the_nodes_own_words_are_read(
    browser: Browser, stage: Stage
) -> None:
    """A follower waits for the leader, too, and begins later than the page."""
    keys = await KeysPage.open(browser, stage, "node2")
    await keys.page.evaluate("""(() => {
        const real = AbortSignal.timeout.bind(AbortSignal);
        window.waits = [];
        AbortSignal.timeout = (ms) => (waits.push(ms / 1000), real(ms));
    })()""")
    await keys.create("k", "v")
    await keys.edit("w")
    await keys.delete()
    writes = await keys.page.evaluate("waits.splice(0)")
    assert len(writes) == 3
    assert min(writes) >= DEFAULT_TIMEOUT_S + FORWARD_MARGIN_S + ON_THE_WAY_S
    await keys.page.click("refresh")
    await keys.page.until("waits.length === 2")
    assert min(await keys.page.evaluate("waits")) >= DEFAULT_TIMEOUT_S + ON_THE_WAY_S

"""Seeds of the simulator in the normal test run: a few fixed ones, those kept, and that a seed repeats itself."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim import campaign as campaigns
from tests.sim.campaign import Campaign, parse_kinds, parse_nodes, run_campaign, summary
from tests.sim.faults import FAULTS
from tests.sim.invariants.log_matching import LogMatching
from tests.sim.kept import all_kept, load, to_json
from tests.sim.plan import draw_plan
from tests.sim.run import run_plan
from tests.sim.shrink import _fewer

TOP = Path(__file__).parents[2]
KINDS = tuple(FAULTS)


def campaign(seeds, first=0, nodes=(3, 5)):
    return Campaign(first, seeds, nodes, KINDS)


def run(what, **options):
    options = {"jobs": 1, "minutes": 10.0, "state": None, "talk": io.StringIO()} | options
    return run_campaign(what, **options)


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5, 7])
def test_seeds_of_clusters_of_every_size_keep_every_invariant(nodes):
    totals = run(campaign(8, nodes=(nodes,)))
    assert totals.violations == []
    assert totals.answered > totals.operations / 3


def test_seeds_meet_what_they_are_for():
    """A campaign that injects nothing and asks nothing would find nothing."""
    totals = run(campaign(60, first=500))
    assert totals.violations == []
    assert [kind for kind in KINDS if not totals.faults[kind]] == []
    assert all(totals.lines[name] for name in ("delivered", "lost", "duplicated", "reordered"))
    assert totals.answered > 1500


@pytest.mark.parametrize("path", all_kept(), ids=lambda path: path.stem)
def test_what_once_failed_does_not(path):
    kept = load(path)
    assert kept.story
    result = run_plan(kept.plan)
    assert result.violation == "", f"{kept.story}: {result.detail}"


def test_a_plan_that_is_written_down_is_the_same_plan(tmp_path):
    plan = draw_plan(7)
    path = tmp_path / "seven.json"
    path.write_text(to_json(plan, "a story"), encoding="utf-8")
    assert load(path).plan == plan


def hashes_of(seeds, tmp_path, hash_seed):
    """Run seeds in a process of their own; return what it says of each."""
    path = tmp_path / f"hashes-{hash_seed}"
    subprocess.run(
        [sys.executable, "-m", "tests.sim", "--seeds", str(seeds), "--first", "900", "--jobs", "1", "--hashes", path],
        cwd=TOP,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
    )
    return path.read_text().splitlines()


def test_a_seed_repeats_itself_to_the_byte(tmp_path):
    """In two processes that put their sets in different orders, and beside others than the first time."""
    first = hashes_of(10, tmp_path, "1")
    assert len(set(first)) == 10
    assert hashes_of(10, tmp_path, "2") == first
    assert f"905 {run_plan(draw_plan(905)).trace_hash}" in first


@pytest.mark.parametrize("problem", ["a fault", ""])
def test_a_campaign_goes_on_after_a_fault_of_the_simulator_and_names_the_seeds(monkeypatch, problem):
    def after(*_):
        raise ValueError(*filter(None, [problem]))

    monkeypatch.setattr(LogMatching, "after", after)
    talk = io.StringIO()
    totals = run(campaign(2, first=40), talk=talk)
    assert [(seed, name) for seed, name, _ in totals.violations] == [
        (40, "no fault of the simulator's own"),
        (41, "no fault of the simulator's own"),
    ]
    assert f"seed 40 violates no fault of the simulator's own: ValueError{problem and ': a fault'}\n" in talk.getvalue()
    assert "Traceback" in totals.violations[0][2]


def test_a_campaign_that_was_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(campaigns, "CHUNK_SEEDS", 3)
    state = tmp_path / "state.jsonl"
    whole = run(campaign(6))
    stopped = run(campaign(6), state=state, minutes=0.0)
    assert stopped.seeds == 3 and stopped.processor_s > 0
    with state.open("a") as file:
        file.write('{"campaign": {"fir')  # cut off while it was written
    again = run(campaign(6), state=state)
    assert (again.seeds, sorted(again.hashes)) == (6, sorted(whole.hashes))
    assert again.processor_s > stopped.processor_s, "of both runs: its rate is that of the whole campaign"
    with pytest.raises(SystemExit, match="the state of this very campaign"):
        run(campaign(3), state=state)


def test_the_summary_has_what_a_commit_message_needs():
    text = summary(run(campaign(3)))
    for name in ("seeds ", "steps", "simulated time", "operations checked", "faults injected", "violations "):
        assert name in text


def test_what_is_not_needed_for_a_failure_goes():
    needed = {3, 17}
    assert set(_fewer(range(20), lambda some: needed <= set(some))) == needed
    assert _fewer(range(20), lambda some: True) == ()
    assert _fewer(range(3), lambda some: False) == (0, 1, 2)


def test_the_command_line_says_what_it_does_not_know():
    assert parse_kinds("none", KINDS) == ()
    assert parse_kinds("kill,power", KINDS) == ("kill", "power")
    with pytest.raises(ValueError, match="no fault meteor"):
        parse_kinds("meteor", KINDS)
    with pytest.raises(ValueError, match="1 to 7"):
        parse_nodes("3,9")

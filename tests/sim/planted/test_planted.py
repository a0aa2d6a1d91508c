"""The planted bugs are all there, leave nothing behind, and are caught: each where the table says."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys

import pytest

import minicloud
from minicloud.raft.table import REACTIONS
from tests.sim.planted.hunt import hunt, violation_of
from tests.sim.planted.patcher import PlantedBug
from tests.sim.planted.table import BUGS, CAUGHT

QUICK = (
    "votes_for_any_log",
    "vote_reply_before_disk",
    "counts_what_was_sent",
    "answers_before_commit",
    "follower_asks_nobody",
    "log_not_synced",
    "delete_always_deleted",
    "snapshot_drops_its_tail",
    "no_elections",
)
"""Bugs that almost any seed shows. The others, the rare ones, are for ``python -m tests.sim.planted``."""

NEARBY_SEEDS = 30
"""How far from the seed of the table a quick bug must be caught: every change of minicloud changes what seeds do."""


def _production() -> dict[tuple[str, str], object]:
    """Return every attribute of every module of minicloud and of every class in it, and the reactions."""
    found: dict[tuple[str, str], object] = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] != minicloud.__name__:
            continue
        for attribute, value in vars(module).items():
            found[name, attribute] = value
            if inspect.isclass(value) and value.__module__ == name:
                found.update({(f"{name}.{attribute}", each): item for each, item in vars(value).items()})
    found.update({("reactions", f"{role} {message}"): reaction for (role, message), reaction in REACTIONS.items()})
    return found


def _changed(before: dict[tuple[str, str], object], after: dict[tuple[str, str], object]) -> list[tuple[str, str]]:
    return [key for key in {**before, **after} if before.get(key) is not after.get(key)]


def test_there_are_enough_of_them_and_the_table_knows_where_each_is_caught():
    assert len(BUGS) >= 36
    assert list(CAUGHT) == list(BUGS)
    assert all(bug.name == name and bug.what.endswith(".") for name, bug in BUGS.items())


def test_they_are_all_collected():
    rooms = importlib.import_module("tests.sim.planted")
    names = [name for _, name, _ in pkgutil.iter_modules(rooms.__path__)]
    modules = [importlib.import_module(f"tests.sim.planted.{name}") for name in names if name not in ("__main__",)]
    defined = [item for module in modules for item in vars(module).values() if isinstance(item, PlantedBug)]
    assert {id(bug) for bug in defined} == {id(bug) for bug in BUGS.values()}


@pytest.mark.parametrize("bug", [pytest.param(bug, id=name) for name, bug in BUGS.items()])
def test_it_changes_something_and_restores_it(bug):
    before = _production()
    with bug.planted():
        assert _changed(before, _production())
    assert _changed(before, _production()) == []


def test_it_is_restored_after_a_failure_too():
    before = _production()
    with pytest.raises(ZeroDivisionError), BUGS["two_changes_at_once"].planted():
        raise ZeroDivisionError
    assert _changed(before, _production()) == []


@pytest.mark.parametrize("name", QUICK)
def test_it_is_caught(name):
    seed, invariant = CAUGHT[name]
    catch = hunt(BUGS[name], range(seed, seed + NEARBY_SEEDS))
    assert catch is not None
    assert catch.invariant == invariant
    assert violation_of(catch.seed) == ("", "")

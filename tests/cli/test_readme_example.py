"""The README's example of the client: what it shows, and what it does where someone else is faster."""

import ast
from pathlib import Path

from tests.cli.real_cluster import example, run_example, start
from tests.harness.processes import nodes_in

MOST_LINES = 12
"""In the body of the example's ``main``, blank ones not counted: what a reader takes in at a glance."""


SECOND_WRITER = """
import sys
from minicloud.client import Client

class Watched(Client):
    writes_once = [b"green"]

    async def get(self, key):
        found = await super().get(key)
        print(found.value.decode(), file=sys.stderr)
        while Watched.writes_once:
            await super().put(key, Watched.writes_once.pop())
        return found

import minicloud.client
minicloud.client.Client = Watched
"""
"""Comes before the example: after its first look at a key, and before what it does next, someone else changes that key."""


def test_the_example_is_short_and_shows_a_put_a_get_and_a_condition() -> None:
    (main,) = (node for node in ast.parse(example()).body if isinstance(node, ast.AsyncFunctionDef))
    body = example().splitlines()[main.body[0].lineno - 1 : main.end_lineno]
    assert len([line for line in body if line.strip()]) <= MOST_LINES
    calls = [node for node in ast.walk(main) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    assert {call.func.attr for call in calls} >= {"put", "get"}
    conditions = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "if_revision"]
    assert [ast.unparse(condition).rpartition(".")[2] for condition in conditions] == ["revision"], "that of the get"


def test_the_example_looks_again_where_someone_else_was_faster(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        cluster = start(nodes)
        revision = run_example(cluster, SECOND_WRITER, "red\ngreen\nblue\n")
        document = cluster.document("get", "color")
        assert (document["value"], document["revision"]) == ("blue", revision)

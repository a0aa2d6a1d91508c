"""What a person sees: tables that fit, what is redrawn in place, progress; and none of it where nobody looks."""

import io
import json
import re

import pytest

from tests.cli.conftest import Cloudctl, Terminal
from tests.cli.test_bench import Store
from tests.client.network import Network, document, member, members

HERE = "127.0.0.1:9001"
LISTED = members(member("node1", HERE, is_leader=True), member("node2", "127.0.0.1:9002", lag_entries=4, healthy=False))
STATUS = document({"node_id": "node1", "state": "Leader", "term": 3, "commit_index": 40, "applied_index": 39})
ONE = members(member("node1", HERE))
UP = "\x1b[1A"
"""Moves the cursor up a line."""


def lines(terminal: Terminal) -> list[str]:
    """Return what stands on the terminal, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()


def test_members_come_as_a_table_with_colours(network: Network, cloudctl: Cloudctl, terminal: Terminal) -> None:
    network.serve(HERE, LISTED)
    assert cloudctl("members", on=terminal).status == 0
    heading, leader, sick = terminal.getvalue().splitlines()
    assert "\x1b[1m" in heading
    assert "\x1b[32m" in leader
    assert "\x1b[31m" in sick
    assert lines(terminal)[1].split() == ["node1", "voter", "yes", "yes", "7", "0", "-", HERE, "node1:9011"]


@pytest.mark.parametrize("columns", [90, 80, 60, 45])
def test_a_narrow_terminal_gets_fewer_columns_and_always_the_lag(
    network: Network, cloudctl: Cloudctl, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    network.serve(HERE, LISTED)
    cloudctl("members", on=terminal)
    shown = lines(terminal)
    assert len(shown) == 3, "nothing is folded"
    assert max(map(len, shown)) <= columns
    assert "lag" in shown[0].split()
    assert "node1" in shown[1]


def test_a_file_gets_every_column_however_narrow_the_terminal(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    network.serve(HERE, LISTED)
    heading, *rows = cloudctl("members", "-o", "table").out.decode().splitlines()
    assert heading.endswith("raft")
    assert len(rows) == 2


def test_a_table_needs_no_more_than_an_old_code_page(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict", write_through=True)
    monkeypatch.setattr("sys.stdout", stream)
    network.serve(HERE, always=LISTED)
    for form in ("table", "plain", "json"):
        assert cloudctl("members", "-o", form).status == 0


def test_status_is_redrawn_in_place_until_it_is_interrupted(
    network: Network, cloudctl: Cloudctl, terminal: Terminal
) -> None:
    network.serve(HERE, ONE, STATUS, ONE, STATUS, ONE, STATUS)
    ended = cloudctl("status", "--watch", on=terminal, interrupted_after_s=2.5)
    assert (ended.status, ended.err) == (130, "")
    assert len(network.seen) == 6, "once a second"
    shown = terminal.getvalue()
    assert shown.count("Leader") >= 3
    assert shown.count(UP) >= 2 * 2, "both lines above are written anew"
    assert "Ctrl+C" in shown
    assert shown.endswith("\x1b[?25h"), "the cursor is back"


def test_a_watched_cluster_may_go_away_and_come_back(network: Network, cloudctl: Cloudctl, terminal: Terminal) -> None:
    network.serve(HERE, ONE, STATUS)
    original = network.sites[HERE]

    def go() -> None:
        del network.sites[HERE]

    def come() -> None:
        network.sites[HERE] = original
        original.resource.script[:] = [ONE, STATUS]

    network.clock.callLater(0.5, go)
    network.clock.callLater(1.5, come)
    assert cloudctl("status", "--watch", on=terminal, interrupted_after_s=2.5).status == 130
    rounds = terminal.getvalue().split("\x1b[1mnode ")
    assert ["Not up to date" in drawn for drawn in rounds[1:4]] == [False, True, False]
    assert "is a node running?" in rounds[2]


def test_where_nobody_answers_the_first_time_there_is_nothing_to_watch(cloudctl: Cloudctl, terminal: Terminal) -> None:
    assert cloudctl("status", "--watch", on=terminal).status == 5


def test_rounds_come_one_after_the_other_where_stdout_is_no_terminal(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, ONE, STATUS, ONE, STATUS, always=ONE)
    ended = cloudctl("status", "--watch", "--interval", "0.5", interrupted_after_s=0.9)
    assert ended.status == 130
    first, second = ended.out.decode().split("\n\n")
    assert first.splitlines()[0].startswith("node\tstate\tterm")
    assert second.splitlines()[1].startswith("node1\tLeader\t3")


def test_rounds_in_json_have_a_line_each(network: Network, cloudctl: Cloudctl, terminal: Terminal) -> None:
    network.serve(HERE, ONE, STATUS, ONE, STATUS, always=ONE)
    cloudctl("status", "--watch", "-o", "json", "--interval", "0.5", on=terminal, interrupted_after_s=0.9)
    rounds = [json.loads(line) for line in terminal.getvalue().splitlines()]
    assert [told["members"][0]["status"]["state"] for told in rounds] == ["Leader", "Leader"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_bench_shows_progress_on_a_terminal_and_takes_it_away(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    network.serve(HERE, always=Store())
    stderr = Terminal()
    monkeypatch.setattr(Terminal, "encoding", encoding)
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    assert cloudctl("bench", "get", "--duration", "1", "--keys", "5", "--connections", "2").status == 0
    shown = stderr.getvalue()
    assert "writing keys" in shown
    assert "a second" in shown
    assert "deleting keys" in shown
    assert shown.endswith("\x1b[2K")
    shown.encode(encoding)


def test_a_full_disk_is_told_in_a_line(network: Network, cloudctl: Cloudctl) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    network.serve(HERE, LISTED)
    ended = cloudctl("members", on=Full())
    assert (ended.status, ended.err) == (1, "cloudctl: cannot write the result: No space left on device\n")


def test_a_reader_that_goes_away_gets_no_traceback(network: Network, cloudctl: Cloudctl) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    network.serve(HERE, LISTED)
    with pytest.raises(SystemExit) as ended:
        cloudctl("members", on=Closed())
    assert ended.value.code == 1

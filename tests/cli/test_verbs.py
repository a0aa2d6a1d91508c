"""What each verb asks, what it writes, and the status with which it ends."""

import io
import json
from pathlib import Path

import pytest

from minicloud.cli import output, values
from tests.cli.conftest import Cloudctl
from tests.client.network import (
    NO_LEADER,
    Network,
    document,
    found,
    member,
    members,
    problem,
    raw,
    redirect,
    silence,
)

HERE = "127.0.0.1:9001"
CREATED = document({"key": "foo", "revision": 12, "created": True})


class Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_put_stores_the_value_as_typed_and_says_the_revision(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, CREATED, document({"revision": 13, "created": False}))
    first = cloudctl("put", "foo", "bär")
    assert (first.status, first.out, first.err) == (0, b"foo: created, revision 12\n", "")
    assert network.seen[0].body == "bär".encode()
    assert cloudctl("put", "foo", "").out == b"foo: changed, revision 13\n"


def test_put_takes_the_value_from_a_file(network: Network, cloudctl: Cloudctl, tmp_path: Path) -> None:
    network.serve(HERE, CREATED)
    file = tmp_path / "value.bin"
    file.write_bytes(b"\x00\r\n\xff")
    assert cloudctl("put", "foo", f"@{file}").status == 0
    assert network.seen[0].body == b"\x00\r\n\xff"


def test_put_takes_the_value_from_stdin(network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch) -> None:
    network.serve(HERE, CREATED)
    monkeypatch.setattr("sys.stdin", Stdin(b"piped\n"))
    assert cloudctl("put", "foo", "-").status == 0
    assert network.seen[0].body == b"piped\n"


def test_put_refuses_a_file_that_is_not_there_or_too_long(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.serve(HERE)
    missing = cloudctl("put", "foo", "@nowhere")
    assert missing.status == 2
    assert "cannot read 'nowhere'" in missing.err
    monkeypatch.setattr(values, "MAX_VALUE_BYTES", 4)
    monkeypatch.setattr("sys.stdin", Stdin(b"12345"))
    assert "longer than the 4 bytes" in cloudctl("put", "foo", "-").err
    assert network.seen == []


def test_put_with_a_condition_ends_in_conflict_where_it_does_not_hold(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, problem(412, "precondition_failed", current_revision=8), problem(412, "precondition_failed"))
    failed = cloudctl("put", "foo", "bar", "--if-revision", "5")
    assert (failed.status, network.seen[0].headers["if-match"]) == (4, '"5"')
    assert "the key is at revision 8" in failed.err
    assert "Try:" in failed.err
    assert cloudctl("put", "foo", "bar", "--if-absent").status == 4
    assert network.seen[1].headers["if-none-match"] == "*"


def test_get_writes_exactly_the_bytes(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=found(b"\x00a\r\nb\xff", 3))
    ended = cloudctl("get", "foo")
    assert (ended.status, ended.out, ended.err) == (0, b"\x00a\r\nb\xff", "")


def test_get_ends_the_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def __init__(self) -> None:
            self.buffer = io.BytesIO()

        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    output.write_bytes(b"bar")
    output.write_bytes(b"line\n")
    assert terminal.buffer.getvalue() == b"bar\nline\n"


@pytest.mark.parametrize(
    ("value", "shown"), [(b"text \xc3\xa9", {"value": "text é"}), (b"\xff\x00", {"value_base64": "/wA="})]
)
def test_get_as_json(network: Network, cloudctl: Cloudctl, value: bytes, shown: dict[str, str]) -> None:
    network.serve(HERE, found(value, 3))
    assert json.loads(cloudctl("-o", "json", "get", "foo").out) == {"key": "foo", "revision": 3, **shown}


def test_get_as_a_table(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, found(b"a\x1b[2Jb", 3))
    assert cloudctl("get", "foo", "-o", "table").out == b"key  revision  value\nfoo  3         a\\x1b[2Jb\n"


def test_get_of_no_key_ends_in_not_found(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, problem(404, "key_not_found", "There is no such key."))
    ended = cloudctl("get", "foo", "--stale")
    assert (ended.status, ended.out, ended.err) == (3, b"", "cloudctl: Key not found\n")
    assert network.seen[0].uri.startswith("/kv/foo?stale")


def test_delete_says_whether_there_was_something(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, document({"revision": 9, "deleted": True}), document({"revision": 10, "deleted": False}))
    assert cloudctl("delete", "foo", "--if-revision", "7").out == b"foo: deleted, revision 9\n"
    assert network.seen[0].headers["if-match"] == '"7"'
    gone = cloudctl("delete", "foo")
    assert (gone.status, gone.out) == (0, b"foo: there was no such key\n")


LISTED = members(
    member("node1", HERE, is_leader=True, lag_entries=0, last_contact_ms=0),
    member("n2", "127.0.0.1:9002", lag_entries=None, healthy=None, match_index=None, suffrage="Learner"),
)


def test_members_is_a_table_with_a_lag_column(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, LISTED)
    ended = cloudctl("members", "-o", "table")
    assert ended.out.decode().splitlines() == [
        "node   suffrage  leader  healthy  match  lag  last contact  http            raft",
        "node1  voter     yes     yes      7      0    0 ms          127.0.0.1:9001  node1:9011",
        "n2     learner   no      -        -      -    -             127.0.0.1:9002  n2:9011",
    ]
    assert ended.err == "Voters: 1. More that may fail before the cluster stops: 0.\n"


def test_members_in_plain_has_tabs_and_is_what_a_program_gets(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=LISTED)
    plain = cloudctl("members", "-o", "plain").out
    lines = plain.decode().splitlines()
    assert lines[0].split("\t")[:6] == ["node", "suffrage", "leader", "healthy", "match", "lag"]
    assert lines[1].split("\t") == ["node1", "voter", "yes", "yes", "7", "0", "0 ms", "127.0.0.1:9001", "node1:9011"]
    assert len(lines) == 3
    assert cloudctl("members").out == plain, "stdout is no terminal here"


def test_members_as_json_is_what_the_node_says(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, document({"members": [{"node_id": "x", "new": 1}], "failure_tolerance": 0}))
    assert json.loads(cloudctl("members", "-o", "json").out)["members"] == [{"node_id": "x", "new": 1}]


def test_members_without_a_leader_says_so(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, members(member("node1", HERE)))
    assert cloudctl("members").err == "http://127.0.0.1:9001 knows of no leader.\n"


STATUS = {
    "node_id": "node1",
    "state": "Leader",
    "term": 3,
    "commit_index": 40,
    "applied_index": 39,
    "leader_id": "node1",
    "last_contact_ms": 0,
    "uptime_seconds": 3725.4,
}


def test_status_has_a_row_for_every_member_and_says_who_is_unreachable(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, members(member("node1", HERE), member("node2", "127.0.0.1:9002")), document(STATUS))
    ended = cloudctl("status", "-o", "table")
    assert ended.status == 0
    assert ended.out.decode().splitlines() == [
        "node   state        term  commit  applied  leader  last contact  uptime  http            note",
        "node1  Leader       3     40      39       node1   0 ms          1h 2m   127.0.0.1:9001",
        "node2  unreachable  -     -       -        -       -             -       127.0.0.1:9002  connection refused",
    ]


def test_status_notices_a_node_under_a_strangers_address(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, members(member("node2", HERE)), document(STATUS))
    assert "it says that it is node1" in cloudctl("status").out.decode()


def test_status_as_json(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, members(member("node1", HERE), member("node2", "127.0.0.1:9002")), document(STATUS))
    first, second = json.loads(cloudctl("-o", "json", "status").out)["members"]
    assert (first["reachable"], first["status"]["term"]) == (True, 3)
    assert (second["reachable"], second["status"], second["reason"]) == (False, None, "connection refused")


def test_changes_of_the_cluster(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=raw(204))
    assert "node4: is a member now" in cloudctl("join", "node4", "127.0.0.1:9014").out.decode()
    cloudctl("join", "node5", "h:1", "--http-addr", "h:2", "--learner")
    assert cloudctl("remove", "node4", "--force").out == b"node4: is no member any more\n"
    assert cloudctl("transfer").out == b"leadership has moved\n"
    assert cloudctl("transfer", "node2").out == b"node2: leads now\n"
    assert json.loads(cloudctl("-o", "json", "transfer", "node2").out) == {"node_id": "node2", "transferred": True}
    assert [json.loads(seen.body) for seen in network.seen[:3]] == [
        {"node_id": "node4", "raft_addr": "127.0.0.1:9014", "voter": True},
        {"node_id": "node5", "raft_addr": "h:1", "http_addr": "h:2", "voter": False},
        {"node_id": "node4", "force": True},
    ]


@pytest.mark.parametrize(
    ("answer", "status", "told", "hint"),
    [
        (problem(404, "unknown_member", "No member is called 'x'."), 3, "No member", "cloudctl members"),
        (problem(409, "quorum_at_risk", "too few"), 4, "too few", "--force"),
        (problem(409, "change_in_progress", "not yet"), 4, "not yet", "try again"),
        (problem(401, "unauthorized", "needs the token"), 1, "needs the token", "AUTH_TOKEN"),
        (problem(403, "foreign_origin", "no"), 1, "no", ""),
        (problem(421, "misdirected_request", "not my name"), 1, "not my name", "allowed_hosts"),
        (problem(413, "value_too_large", "too long"), 1, "too long", "max_value_bytes"),
        (problem(503, "disk_full", "no room"), 5, "no room", "--timeout"),
        (problem(504, "outcome_unknown", "who knows"), 6, "not known whether", "look before"),
        (problem(500, "internal_error", "oops"), 6, "not known whether", "look before"),
        (raw(200, b"<html>"), 1, "minicloud node?", "HTTP port"),
        (redirect("http://evil:80"), 1, "does not name as a member", "-server"),
    ],
)
def test_each_failure_has_its_status_and_says_what_to_try(
    network: Network, cloudctl: Cloudctl, answer: object, status: int, told: str, hint: str
) -> None:
    network.serve(HERE, answer, always=members())
    ended = cloudctl("put", "k", "v")
    assert (ended.status, ended.out) == (status, b"")
    assert told in ended.err
    assert hint in ended.err
    assert ended.err.count("\n") <= 2


def test_no_server_ends_in_unavailable_and_says_how_to_start_one(cloudctl: Cloudctl) -> None:
    ended = cloudctl("get", "foo")
    assert ended.status == 5
    assert "no server answered at http://127.0.0.1:9001 (connection refused); is a node running?" in ended.err
    assert "twistd -n minicloud" in ended.err
    assert "-server URL" in ended.err


def test_no_leader_ends_in_unavailable_within_the_time_limit(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=NO_LEADER)
    ended = cloudctl("put", "foo", "bar", "--timeout", "1.5")
    assert ended.status == 5
    assert "cloudctl status" in ended.err


def test_a_silent_server_ends_in_outcome_unknown_for_a_write_only(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=silence)
    assert cloudctl("delete", "foo", "--timeout", "1").status == 6
    assert cloudctl("get", "foo", "--timeout", "1").status == 5


def test_what_a_server_says_cannot_play_tricks_on_the_terminal(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, problem(400, "bad", "\x1b]0;owned\x07\nnext"))
    assert cloudctl("get", "foo").err == "cloudctl: \\x1b]0;owned\\x07\\nnext\n"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "0s"), (59, "59s"), (61, "1m 1s"), (3600, "1h 0m"), (90000, "1d 1h"), (None, "-"), (True, "-"), (-1, "-")],
)
def test_ages_are_shown_in_two_units(seconds: object, shown: str) -> None:
    assert output.duration(seconds) == shown

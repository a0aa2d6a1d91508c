"""Each bad config is refused in one line that names the file (or the variable), the key and what was expected."""

from pathlib import Path

import pytest

from minicloud.config import ConfigError, load_settings

REMOTE = "node_id: n\nlisten_addr: 192.168.0.1:9001\n"
WILDCARD = "node_id: n\nlisten_addr: 0.0.0.0:9001\nallow_open_writes: true\ncluster_secret: s\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("heartbeat: 5\n", "heartbeat: expected a known key; did you mean heartbeat_ms?"),
        ("Bootstrap: true\n", "Bootstrap: expected a known key; did you mean bootstrap?"),
        ("bootstrap: 1\n", "bootstrap: expected true or false, got 1"),
        ("bootstrap: 'yes'\n", "bootstrap: expected true or false, got 'yes'"),
        ("heartbeat_ms: fast\n", "heartbeat_ms: expected a whole number from 10 to 600000, got 'fast'"),
        ("heartbeat_ms: 9\n", "heartbeat_ms: expected a whole number from 10 to 600000, got 9"),
        ("heartbeat_ms: 50.5\n", "heartbeat_ms: expected a whole number from 10 to 600000, got 50.5"),
        ("snapshot_entries: true\n", "snapshot_entries: expected a whole number from 1 to 10000000, got true"),
        ("max_value_bytes: 8388609\n", "max_value_bytes: expected a whole number from 1 to 8388608, got 8388609"),
        ("auth_token: [a]\n", "auth_token: expected a string (quote it if it looks like something else)"),
        ("data_dir: 5\n", "data_dir: expected a string (quote it if it looks like something else), got 5"),
        ("data_dir: node.yaml\n", "data_dir: expected a folder, and 'node.yaml' is none"),
        ('data_dir: "a\\0b"\n', "data_dir: expected a folder, and 'a\\x00b' is none"),
        ("log_format: xml\n", "log_format: expected text or json, got 'xml'"),
        ("follower_writes: [forward]\n", "follower_writes: expected redirect or forward, got a list"),
        ("raft_addr: 0.0.0.0:9011\n", "raft_addr: expected an address that other nodes can connect to, not 0.0.0.0;"),
        ("raft_addr: '[::]:9011'\n", "raft_addr: expected an address that other nodes can connect to, not ::;"),
        ("raft_addr: nowhere\n", "raft_addr: expected host:port, such as 127.0.0.1:9001, got 'nowhere'"),
        ("raft_addr: 127.0.0.1:9001\n", "raft_addr: expected another port than listen_addr (127.0.0.1:9001)"),
        ("advertise_addr: 0.0.0.0:9001\n", "advertise_addr: expected an address that others can connect to"),
        ("election_timeout_ms: 500\n", "election_timeout_ms: expected a list of two whole numbers from 1 to 600000,"),
        ("election_timeout_ms: [1, 2, 3]\n", "election_timeout_ms: expected a list of two whole numbers"),
        ("election_timeout_ms: [500, 500]\n", "election_timeout_ms: expected [shortest, longest] with room"),
        ("election_timeout_ms: [900, 500]\n", "election_timeout_ms: expected [shortest, longest] with room"),
        (
            "heartbeat_ms: 167\n",
            "heartbeat_ms: expected at most 166, a third of the shortest election timeout (500 ms)",
        ),
        ("election_timeout_ms: [90, 100]\n", "heartbeat_ms: expected at most 30"),
        ("join_url: 127.0.0.1:9001\n", "join_url: expected the HTTP base of a member, such as http://127.0.0.1:9001"),
        ("join_url: ftp://a:1\n", "join_url: expected the HTTP base of a member"),
        ("join_url: http://\n", "join_url: expected the HTTP base of a member"),
        ("join_url: http://a:99999\n", "join_url: expected the HTTP base of a member"),
        ("join_url: http://me:pass@a:1\n", "join_url: expected the HTTP base of a member"),
        ("join_url: http://a:1/?x=1\n", "join_url: expected the HTTP base of a member"),
        ("join_url: [1]\n", "join_url: expected an http:// URL, or several (a list, or commas between them)"),
        ("allowed_hosts: {a: b}\n", "allowed_hosts: expected a host name, or several (a list, or commas"),
        ("auth_reads: true\n", "auth_token: expected a token, because auth_reads is true"),
        ("tls: yes\n", "tls: expected a mapping, got true"),
        ("tls: {certificate: x}\n", "tls.certificate: expected a known key; did you mean cert?"),
        ("tls: {zzz: x}\n", "tls.zzz: expected a known key, one of ca, cert, key, peer_ca, peer_cert, peer_key"),
        ("tls: {cert: none.pem}\n", "tls.cert: expected the path of a PEM file that exists, got 'none.pem'"),
        ("tls: {cert: node.yaml}\n", "tls.key: expected a PEM file: cert, key go together"),
        ("tls: {peer_ca: node.yaml}\n", "tls.peer_cert: expected a PEM file: peer_cert, peer_key, peer_ca go together"),
    ],
)
def test_a_bad_key_is_named_with_what_was_expected(complaint, text: str, line: str) -> None:
    assert complaint(text).startswith(f"node.yaml: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "expected a YAML mapping of keys to values, got nothing"),
        ("- a\n", "expected a YAML mapping of keys to values, got a list"),
        ("just words\n", "expected a YAML mapping of keys to values, got 'just words'"),
        ("1: a\n", "expected keys that are words, got 1"),
        ("a: b: c\n", "line 1, column 5: expected valid YAML: mapping values are not allowed here"),
        ("node_id: a\nnode_id: b\n", "line 2, column 1: expected valid YAML: key 'node_id' stands here twice"),
        ("tls: {key: a, key: b}\n", "line 1, column 15: expected valid YAML: key 'key' stands here twice"),
        ("[a]: b\n", "line 1, column 1: expected valid YAML: a list or a mapping is no key"),
        ("a: !!python/object:os.system {}\n", "line 1, column 4: expected valid YAML: could not determine"),
        ("a: &a {b: *a}\n", "line 1, column 4: expected valid YAML: found unconstructable recursive node"),
        ("a: 2001-99-99\n", "line 1, column 4: expected valid YAML: month must be in 1..12"),
        (b"node_id: \xff\xfe\xfd\n", "expected valid YAML: "),
        ("listen_addr: 127.0.0.1:9001\n", "node_id: expected a name for this node, 1 to 64 of A-Z a-z 0-9 . _ -, got"),
        ("node_id: 7\nlisten_addr: a:1\n", "node_id: expected a string"),
        ("node_id: a b\nlisten_addr: a:1\n", "node_id: expected a name for this node"),
        (f"node_id: {'a' * 65}\nlisten_addr: a:1\n", "node_id: expected a name for this node"),
        ("node_id: ..\nlisten_addr: a:1\n", "node_id: expected a name for this node"),
        ("node_id: n\n", "listen_addr: expected host:port, such as 127.0.0.1:9001, got nothing"),
        ("node_id: n\nlisten_addr: :9001\n", "listen_addr: expected host:port, such as 127.0.0.1:9001, got ':9001'"),
        ("node_id: n\nlisten_addr: 127.0.0.1:65530\n", "raft_addr: expected host:port; 65540, the HTTP port + 10,"),
        (WILDCARD, "advertise_addr: expected host:port that others use for this node, because listen_addr"),
        (WILDCARD + "advertise_addr: a:1\nraft_addr: a:9001\n", "raft_addr: expected another port than listen_addr"),
        (REMOTE, "auth_token: expected a token, because listen_addr 192.168.0.1:9001 can be"),
        (
            REMOTE + "auth_token: t\n",
            "cluster_secret: expected a secret that all nodes share, because raft_addr 192.168",
        ),
        (REMOTE + "allow_open_writes: true\n", "cluster_secret: expected a secret that all nodes share"),
    ],
)
def test_a_bad_file_is_named_with_what_was_expected(complaint, text: str, line: str) -> None:
    assert complaint(text, whole=True).startswith(f"node.yaml: {line}")


def test_a_secret_that_is_wrong_is_not_repeated(complaint) -> None:
    assert complaint("auth_token: 'hush hush'\n").endswith(
        "at most 4096 letters, digits and signs of ASCII, without spaces"
    )
    assert "1234567" not in complaint("auth_token: 1234567\n")
    assert "1234567" not in complaint("cluster_secret: 1234567\n")


def test_a_long_wrong_value_is_shortened(complaint) -> None:
    assert len(complaint(f"log_format: {'x' * 10_000}\n")) < 200


def test_a_value_with_a_line_break_makes_no_second_line(complaint) -> None:
    assert complaint('log_format: "a\\nb"\n').endswith(r"got 'a\nb'")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "MINICLOUD_HEARTBEAT_MS",
            "fast",
            "MINICLOUD_HEARTBEAT_MS: expected a whole number from 10 to 600000, got 'fast'",
        ),
        ("MINICLOUD_ELECTION_TIMEOUT_MS", "[1", "MINICLOUD_ELECTION_TIMEOUT_MS: line 1, column 3: expected valid YAML"),
        ("MINICLOUD_TLS", "{cert: no.pem}", "MINICLOUD_TLS.cert: expected the path of a PEM file that exists, got"),
        ("AUTH_TOKEN", "two words", "AUTH_TOKEN: expected at most 4096 letters"),
        ("MINICLOUD_JOIN_URL", "[http://a", "MINICLOUD_JOIN_URL: line 1, column 10: expected valid YAML"),
    ],
)
def test_a_bad_variable_is_named_instead_of_the_file(complaint, name: str, value: str, line: str) -> None:
    assert complaint(environ={name: value}).startswith(f"environment: {line}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file; expected a YAML config"):
        load_settings(tmp_path / "nowhere.yaml", {})


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a readable file: "):
        load_settings(tmp_path, {})


def test_a_file_of_another_kind_is_not_read_whole(complaint) -> None:
    assert "expected a YAML config of at most 1048576 bytes" in complaint(b"\0" * (1024 * 1024 + 1), whole=True)

"""What the keys of a config file mean, and their defaults."""

from pathlib import Path

import pytest

from minicloud.addresses import Address
from minicloud.config import Settings, TlsSettings


def test_two_keys_are_enough_and_the_rest_has_the_defaults_of_the_contract(load) -> None:
    assert load() == Settings(
        node_id="node1",
        listen_addr=Address("127.0.0.1", 9001),
        raft_addr=Address("127.0.0.1", 9011),
        advertise_addr=Address("127.0.0.1", 9001),
        data_dir=Path("data/node1"),
        bootstrap=False,
        join_url=(),
        auth_token="",
        auth_reads=False,
        allow_open_writes=False,
        cluster_secret="",
        allowed_hosts=None,
        follower_writes="redirect",
        max_value_bytes=1048576,
        election_timeout_ms=(500, 1000),
        heartbeat_ms=100,
        snapshot_entries=10000,
        snapshot_trailing_entries=5000,
        log_format="text",
        tls=TlsSettings(),
    )


def test_a_key_without_a_value_has_its_default(load) -> None:
    assert load("join_url:\nheartbeat_ms:\nraft_addr: ''\ntls:\ndata_dir:\nallowed_hosts:\n") == load()


def test_every_key_can_be_set(load) -> None:
    for name in ("cert", "key", "ca", "peer_cert", "peer_key", "peer_ca"):
        Path(f"{name}.pem").write_text("")
    settings = load(
        """
        node_id: a.B-c_9
        listen_addr: 0.0.0.0:9001
        raft_addr: node1:9999
        advertise_addr: kv.example:80
        data_dir: somewhere/else
        bootstrap: true
        join_url: "http://node2:9001/"
        auth_token: t0ken
        auth_reads: true
        allow_open_writes: true
        cluster_secret: a secret, with anything in it
        allowed_hosts: [KV.example, other]
        follower_writes: forward
        max_value_bytes: 10
        election_timeout_ms: [50, 51]
        heartbeat_ms: 16
        snapshot_entries: 1
        snapshot_trailing_entries: 0
        log_format: json
        tls:
          cert: cert.pem
          key: key.pem
          ca: ca.pem
          peer_cert: peer_cert.pem
          peer_key: peer_key.pem
          peer_ca: peer_ca.pem
        """,
        whole=True,
    )
    assert settings == Settings(
        node_id="a.B-c_9",
        listen_addr=Address("0.0.0.0", 9001),
        raft_addr=Address("node1", 9999),
        advertise_addr=Address("kv.example", 80),
        data_dir=Path("somewhere/else"),
        bootstrap=True,
        join_url=("http://node2:9001",),
        auth_token="t0ken",
        auth_reads=True,
        allow_open_writes=True,
        cluster_secret="a secret, with anything in it",
        allowed_hosts=("kv.example", "other"),
        follower_writes="forward",
        max_value_bytes=10,
        election_timeout_ms=(50, 51),
        heartbeat_ms=16,
        snapshot_entries=1,
        snapshot_trailing_entries=0,
        log_format="json",
        tls=TlsSettings(
            cert=Path("cert.pem"),
            key=Path("key.pem"),
            ca=Path("ca.pem"),
            peer_cert=Path("peer_cert.pem"),
            peer_key=Path("peer_key.pem"),
            peer_ca=Path("peer_ca.pem"),
        ),
    )
    assert settings.http_base == "https://kv.example:80"
    assert settings.tls.protects_peers


@pytest.mark.parametrize(
    "text",
    ["join_url: http://a:1, https://b:2/ ,\n", "join_url: [http://a:1, https://b:2]\n"],
)
def test_join_url_is_one_base_or_several_with_commas_or_as_a_list(load, text: str) -> None:
    assert load(text).join_url == ("http://a:1", "https://b:2")


def test_raft_addr_is_derived_from_the_advertised_host_where_http_listens_on_every_interface(load) -> None:
    settings = load(
        "node_id: n\nlisten_addr: 0.0.0.0:9001\nadvertise_addr: node1:80\nallow_open_writes: true\ncluster_secret: s\n",
        whole=True,
    )
    assert settings.raft_addr == Address("node1", 9011)
    assert settings.http_base == "http://node1:80"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_powershell_wrote_with_a_byte_order_mark_is_read(load, encoding: str) -> None:
    text = "node_id: node1\r\nlisten_addr: 127.0.0.1:9001\r\n"
    assert load(text.encode(encoding), whole=True) == load()


def test_the_secrets_appear_in_no_representation(load) -> None:
    settings = load("auth_token: hush-token\ncluster_secret: hush-secret\n")
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)
    assert (settings.auth_token, settings.cluster_secret) == ("hush-token", "hush-secret")


def test_yaml_merge_keys_still_work(load) -> None:
    settings = load("tls: {}\n<<: {heartbeat_ms: 50}\n")
    assert settings.heartbeat_ms == 50


class TestEnvironment:
    def test_it_wins_over_the_file_and_the_file_over_the_default(self, load) -> None:
        text = "heartbeat_ms: 50\nsnapshot_entries: 7\n"
        settings = load(text, {"MINICLOUD_HEARTBEAT_MS": "60"})
        assert (settings.heartbeat_ms, settings.snapshot_entries, settings.snapshot_trailing_entries) == (60, 7, 5000)

    def test_auth_token_wins_over_everything(self, load) -> None:
        environ = {"AUTH_TOKEN": "short", "MINICLOUD_AUTH_TOKEN": "long"}
        assert load("auth_token: file\n", environ).auth_token == "short"
        assert load("auth_token: file\n", {"MINICLOUD_AUTH_TOKEN": "long"}).auth_token == "long"

    def test_an_empty_variable_counts_as_not_set_so_that_it_never_removes_a_token(self, load) -> None:
        settings = load("auth_token: file\nheartbeat_ms: 50\n", {"AUTH_TOKEN": "", "MINICLOUD_HEARTBEAT_MS": ""})
        assert (settings.auth_token, settings.heartbeat_ms) == ("file", 50)

    def test_text_is_taken_as_it_stands_and_the_rest_as_yaml(self, load) -> None:
        Path("c.pem").write_text("")
        settings = load(
            environ={
                "MINICLOUD_NODE_ID": "007",
                "MINICLOUD_CLUSTER_SECRET": "no",
                "MINICLOUD_BOOTSTRAP": "true",
                "MINICLOUD_ELECTION_TIMEOUT_MS": "[300, 400]",
                "MINICLOUD_TLS": "{cert: c.pem, key: c.pem}",
                "MINICLOUD_JOIN_URL": "http://a:1,http://b:2",
                "MINICLOUD_ALLOWED_HOSTS": "one, two",
            }
        )
        assert (settings.node_id, settings.cluster_secret, settings.bootstrap) == ("007", "no", True)
        assert settings.election_timeout_ms == (300, 400)
        assert settings.tls.serves_https
        assert settings.join_url == ("http://a:1", "http://b:2")
        assert settings.allowed_hosts == ("one", "two")

    def test_lists_can_be_written_as_yaml_too(self, load) -> None:
        environ = {"MINICLOUD_JOIN_URL": "[http://a:1, 'http://b:2']", "MINICLOUD_ALLOWED_HOSTS": "[one, two]"}
        settings = load(environ=environ)
        assert settings.join_url == ("http://a:1", "http://b:2")
        assert settings.allowed_hosts == ("one", "two")

    def test_a_required_key_may_be_there_only(self, load) -> None:
        environ = {"MINICLOUD_NODE_ID": "n", "MINICLOUD_LISTEN_ADDR": "127.0.0.1:9001"}
        assert load("{}", environ, whole=True).node_id == "n"

    def test_variables_that_name_no_key_are_left_alone(self, load) -> None:
        environ = {"MINICLOUD_PORT": "tcp://10.0.0.1:9001", "MINICLOUD_SERVER": "http://x"}
        assert load(environ=environ) == load()

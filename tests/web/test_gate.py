import pytest

from minicloud.web.gate import host_of
from tests.web.memory_http import encode_request

TOKEN = "s3cret-ключ"
BEARER = {"Authorization": ("Bearer " + TOKEN).encode().decode("latin-1")}


@pytest.fixture
def guarded(make_world):
    return make_world(auth_token=TOKEN)


@pytest.mark.parametrize(("method", "body"), [("PUT", b"x"), ("DELETE", None)])
def test_writes_need_the_token(guarded, method, body, node):
    revision = guarded.put("a", b"kept", headers=BEARER)
    response = guarded.ask(method, "/kv/a", body=body, node=node)
    assert (response.code, response.problem) == (401, "unauthorized")
    assert response["WWW-Authenticate"] == "Bearer"
    assert (guarded.value("a"), guarded.revision()) == (b"kept", revision)


def test_the_token_opens(guarded):
    assert guarded.ask("PUT", "/kv/a", BEARER, b"x").code == 200
    assert (
        guarded.ask("PUT", "/kv/a", {"Authorization": BEARER["Authorization"].replace("Bearer", "bearer")}, b"x").code
        == 200
    )


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret-\xff\xfe", "Bearer s3cret-"],
)
def test_another_token_does_not(guarded, value):
    assert guarded.ask("PUT", "/kv/a", {"Authorization": value}, b"x").problem == "unauthorized"


def test_two_tokens_do_not(guarded):
    headers = [("Authorization", BEARER["Authorization"])] * 2
    assert guarded.ask("PUT", "/kv/a", headers, b"x").problem == "unauthorized"


@pytest.mark.parametrize("path", ["/kv/a", "/health", "/raft/status", "/cluster/members", "/metrics", "/readyz"])
def test_reading_needs_no_token(guarded, path):
    assert guarded.ask("GET", path).code in (200, 404)


def test_reading_keys_needs_it_where_that_is_configured(make_world):
    world = make_world(auth_token=TOKEN, auth_reads=True)
    assert world.ask("GET", "/kv/a").problem == "unauthorized"
    assert world.ask("HEAD", "/kv/a").code == 401
    assert world.ask("GET", "/kv/a", BEARER).problem == "key_not_found"
    assert world.ask("GET", "/livez").code == 200


def test_the_token_is_checked_before_the_body_is_read(guarded):
    connection = guarded.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", {"Content-Length": "1000"}))
    response = connection.answer()
    assert response.code == 401
    assert response["Connection"] == "close"
    assert not connection.closing, "what the client still sends must not meet a reset that overtakes the answer"
    connection.send(b"x" * 1000)
    assert connection.closing


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9001",
        "127.0.0.1",
        "192.0.2.7:80",
        "[::1]:9001",
        "[2001:db8::1]",
        "localhost",
        "LOCALHOST:9001",
        "localhost.:9001",
        "kv.example",
        "KV.Example:1234",
    ],
)
def test_own_names_and_literal_addresses_are_accepted_hosts(make_world, host):
    world = make_world(allowed_hosts=("kv.example",))
    assert world.ask("GET", "/health", host=host).code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "a:b",
        "user@127.0.0.1",
        "127.0.0.1:port",
        "[::1",
        "x y",
    ],
)
def test_a_foreign_host_is_misdirected(world, host, node):
    for method, body in (("GET", None), ("PUT", b"x")):
        response = world.ask(method, "/kv/a", body=body, host=host, node=node)
        assert (response.code, response.problem) == (421, "misdirected_request")


def test_the_advertised_name_is_an_accepted_host():
    assert host_of("Node1.Example:9001") == "node1.example"


def test_a_request_without_a_host_is_malformed(world):
    assert world.ask("GET", "/health", host=None).problem == "bad_request"


def test_two_hosts_are_malformed(world):
    assert (
        world.ask("GET", "/health", [("Host", "127.0.0.1"), ("Host", "127.0.0.1")], host=None).problem == "bad_request"
    )


def test_http_1_0_needs_no_host(world):
    connection = world.connect()
    connection.methods.append("GET")
    connection.send(b"GET /health HTTP/1.0\r\n\r\n")
    assert connection.answer().body == b"OK"
    assert connection.closing


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9002"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "127.0.0.1:9001"},
    {"Origin": "file://127.0.0.1:9001"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:9001"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/kv/a"), ("DELETE", "/kv/a"), ("POST", "/raft/join"), ("POST", "/x")]
)
def test_pages_of_other_sites_change_nothing(scripted, headers, method, path):
    response = scripted.ask(method, path, headers, b"x")
    assert (response.code, response.problem) == (403, "foreign_origin")
    assert scripted.leader.calls == []


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_other_sites_may_link_here(world, headers):
    assert world.ask("GET", "/health", headers).code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:9001"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://127.0.0.1:9001"},
        {"Origin": "HTTP://127.0.0.1:9001"},
    ],
    ids=str,
)
def test_our_own_page_may_write(world, headers):
    assert world.ask("PUT", "/kv/a", headers, b"x").code == 200


def test_a_foreign_page_is_refused_before_the_body_is_read(world):
    connection = world.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", {"Content-Length": "1000", "Origin": "http://evil.example"}))
    assert connection.answer().problem == "foreign_origin"


def test_many_hosts_are_checked_without_being_remembered(world):
    for n in range(200):
        assert world.ask("GET", "/health", host=f"127.0.0.1:{n + 1}").code == 200
    assert world.ask("GET", "/health", host="evil.example").code == 421
    assert len(world.sites[world.id_of("leader")].gate._remembered) <= 64

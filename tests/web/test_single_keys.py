import re

import pytest

from minicloud.kv.commands import ALWAYS, Delete, Put


def test_put_stores_any_bytes_and_tells_the_revision(world):
    value = bytes(range(256)) * 4
    response = world.ask("PUT", "/kv/a", body=value)
    assert response.code == 200
    assert response["Content-Type"] == "application/json"
    revision = world.revision()
    assert response.json == {"key": "a", "revision": revision, "created": True}
    assert response["ETag"] == f'"{revision}"'
    assert response["Minicloud-Revision"] == str(revision)
    assert world.ask("GET", "/kv/a").body == value


def test_put_over_a_key_says_that_it_was_there(world):
    first = world.put("a")
    assert world.ask("PUT", "/kv/a", body=b"2").json == {"key": "a", "revision": first + 1, "created": False}


def test_an_empty_value_is_a_value(world):
    world.put("a", b"")
    response = world.ask("GET", "/kv/a")
    assert (response.code, response.body, response["Content-Length"]) == (200, b"", "0")


def test_put_without_a_body_stores_the_empty_value(world):
    assert world.ask("PUT", "/kv/a").code == 200
    assert world.value("a") == b""


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
        "text/plain; charset=latin-1",
    ],
)
def test_a_value_is_stored_as_sent_whatever_its_content_type(world, content_type):
    body = b"a=1&b=%20+\r\n--x\r\n"
    assert world.ask("PUT", "/kv/a", {"Content-Type": content_type}, body).code == 200
    assert world.value("a") == body


def test_get_answers_raw_bytes_that_a_browser_does_not_run(world, node):
    revision = world.put("a", b"<script>alert(1)</script>")
    response = world.ask("GET", "/kv/a", node=node)
    assert response.code == 200
    assert response.body == b"<script>alert(1)</script>"
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox"
    assert response["ETag"] == f'"{revision}"'
    assert response["Minicloud-Revision"] == str(revision)


def test_a_missing_key_is_a_404_problem(world, node):
    response = world.ask("GET", "/kv/missing", node=node)
    assert (response.code, response.problem) == (404, "key_not_found")
    assert response.json["title"] == "Key not found"
    assert response.json["retryable"] is False


def test_head_answers_as_get_without_the_body(world, node):
    world.put("a", b"12345")
    get, head = world.ask("GET", "/kv/a", node=node), world.ask("HEAD", "/kv/a", node=node)
    assert head.code == 200
    assert head.body == b""
    volatile = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in volatile} == {
        k: v for k, v in get.headers.items() if k not in volatile
    }
    assert head["Content-Length"] == "5"


def test_head_of_a_missing_key_is_a_404_without_a_body(world):
    response = world.ask("HEAD", "/kv/missing")
    assert (response.code, response.body) == (404, b"")
    assert int(response["Content-Length"]) > 0


def test_delete_says_whether_there_was_something(world):
    put = world.put("a")
    assert world.ask("DELETE", "/kv/a").json == {"key": "a", "revision": put + 1, "deleted": True}
    assert world.ask("DELETE", "/kv/a").json == {"key": "a", "revision": put + 2, "deleted": False}
    assert world.ask("GET", "/kv/a").code == 404


# format=json


def test_json_format_shows_text_as_text(world, node):
    created = world.put("ключ", "значение".encode())
    written = world.put("ключ", "новое\n".encode())
    response = world.ask("GET", "/kv/ключ?format=json", node=node)
    assert response["Content-Type"] == "application/json"
    assert response["ETag"] == f'"{written}"'
    assert response.json == {
        "key": "ключ",
        "value": "новое\n",
        "revision": written,
        "create_revision": created,
        "version": 2,
        "expires_in": None,
    }


def test_json_format_shows_other_bytes_in_base64(world):
    world.put("a", b"\xff\x00\xfe")
    item = world.ask("GET", "/kv/a?format=json").json
    assert item["value_base64"] == "/wD+"
    assert "value" not in item


def test_raw_is_the_default_format_by_name(world):
    world.put("a", b"x")
    assert world.ask("GET", "/kv/a?format=raw").body == b"x"


def test_an_unknown_format_is_refused(world):
    assert world.ask("GET", "/kv/a?format=xml").problem == "bad_parameter"


# Conditions


def test_if_match_lets_the_write_happen_at_that_revision(world):
    first = world.put("a")
    second = world.ask("PUT", "/kv/a", {"If-Match": f'"{first}"'}, b"new").json["revision"]
    assert world.ask("DELETE", "/kv/a", {"If-Match": f'"{first}", "{second}"'}).code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_if_match_of_another_revision_fails_with_the_current_one(world, method):
    revision = world.put("a")
    response = world.ask(method, "/kv/a", {"If-Match": f'"{revision - 1}"'}, b"new")
    assert (response.code, response.problem) == (412, "precondition_failed")
    assert response.json["current_revision"] == revision
    assert response["ETag"] == f'"{revision}"'
    assert world.value("a") == b"value"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_if_match_star_needs_the_key_to_exist(world, method):
    response = world.ask(method, "/kv/a", {"If-Match": "*"}, b"new")
    assert response.problem == "precondition_failed"
    assert response.json["current_revision"] is None
    world.put("a")
    assert world.ask(method, "/kv/a", {"If-Match": "*"}, b"new").code == 200


def test_if_none_match_star_creates_once(world):
    created = world.ask("PUT", "/kv/a", {"If-None-Match": "*"}, b"1")
    assert created.code == 200
    response = world.ask("PUT", "/kv/a", {"If-None-Match": "*"}, b"2")
    assert (response.code, response.json["current_revision"]) == (412, created.json["revision"])
    assert world.value("a") == b"1"


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": 'W/"4"'},
        {"If-Match": "4"},
        {"If-Match": "'4'"},
        {"If-Match": '"04"'},
        {"If-Match": '"abc"'},
        {"If-Match": '"-1"'},
        {"If-Match": '""'},
        {"If-Match": ""},
        {"If-Match": '"4",'},
        {"If-Match": '"4" "5"'},
        {"If-Match": '"4", *'},
        {"If-Match": '"9223372036854775808"'},
        {"If-Match": '"99999999999999999999"'},
        {"If-Match": ",".join(['"4"'] * 66)},
        {"If-None-Match": '"4"'},
        {"If-None-Match": 'W/"4"'},
        {"If-None-Match": "**"},
        {"If-None-Match": ""},
        {"If-None-Match": "*", "If-Match": '"4"'},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_condition_that_can_never_hold_is_refused(world, method, headers):
    world.put("a")
    response = world.ask(method, "/kv/a", headers, b"new")
    assert (response.code, response.problem) == (400, "bad_condition")
    assert world.value("a") == b"value"


def test_tags_in_several_header_lines_are_one_list(world):
    revision = world.put("a")
    assert world.ask("PUT", "/kv/a", [("If-Match", '"0"'), ("If-Match", f'"{revision}"')], b"new").code == 200


@pytest.mark.parametrize("tag", ['"%d"', 'W/"%d"', "*", '"3", "%d"', '"x" , W/"%d"', ',"%d",'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match_of_the_current_revision_is_304(world, method, tag, node):
    revision = world.put("a")
    response = world.ask(method, "/kv/a", {"If-None-Match": tag.replace("%d", str(revision))}, node=node)
    assert (response.code, response.body, response["ETag"]) == (304, b"", f'"{revision}"')
    assert response["Minicloud-Revision"] == str(revision)
    assert response.get("Content-Length") is None


@pytest.mark.parametrize("tag", ['"0"', '"%d0"', '"opaque"', '"%d1","%d2"', '""'])
def test_if_none_match_of_another_revision_is_the_value(world, tag):
    for _ in range(3):
        revision = world.put("a")
    assert world.ask("GET", "/kv/a", {"If-None-Match": tag.replace("%d", str(revision))}).code == 200


@pytest.mark.parametrize("tag", ["4", '"4', 'W"4"', '"a" "b"'])
def test_a_malformed_tag_on_get_is_refused(world, tag):
    world.put("a")
    assert world.ask("GET", "/kv/a", {"If-None-Match": tag}).problem == "bad_condition"


def test_if_match_on_get_is_honoured(world):
    revision = world.put("a")
    assert world.ask("GET", "/kv/a", {"If-Match": f'"{revision}"'}).code == 200
    assert world.ask("GET", "/kv/a", {"If-Match": f'W/"{revision}"'}).code == 412
    assert world.ask("GET", "/kv/a", {"If-Match": f'"{revision + 1}"'}).json["current_revision"] == revision
    assert world.ask("GET", "/kv/b", {"If-Match": "*"}).code == 412


# What later versions do


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_idempotency_key_is_refused_not_ignored(world, method):
    before = world.revision()
    response = world.ask(method, "/kv/a", {"Idempotency-Key": "k1"}, b"x")
    assert (response.code, response.problem) == (400, "unsupported")
    assert world.revision() == before


@pytest.mark.parametrize("query", ["ttl=30s", "ttl", "timeout=1s&ttl=5m"])
def test_a_time_to_live_is_refused_not_ignored(world, query):
    before = world.revision()
    response = world.ask("PUT", f"/kv/a?{query}", body=b"x")
    assert (response.code, response.problem) == (400, "unsupported")
    assert world.revision() == before


# Every response


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/kv/a"),
        ("PUT", "/kv/a?redirect"),
        ("GET", "/health"),
        ("GET", "/raft/status"),
        ("GET", "/nothing"),
        ("POST", "/raft/join"),
        ("GET", "/metrics"),
    ],
)
def test_every_response_tells_who_answers(world, method, target, node):
    response = world.ask(method, target, node=node)
    assert response["Minicloud-Node"] == world.id_of(node)
    assert response["Minicloud-Leader"] == world.id_of("leader")
    assert response["Minicloud-Revision"] == str(world.revision(node))
    assert re.fullmatch(rf"{world.id_of(node)}-[0-9a-f]+", response["X-Request-ID"])
    assert response["Date"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "access-control-allow-origin" not in response.headers


def test_the_leader_is_not_named_where_none_is_known(scripted):
    scripted.cluster.leader = None
    assert scripted.ask("GET", "/health").get("Minicloud-Leader") is None


def test_the_request_id_is_echoed(world):
    assert world.ask("GET", "/kv/a", {"X-Request-ID": "abc/123:x"})["X-Request-ID"] == "abc/123:x"


@pytest.mark.parametrize(
    ("sent", "echoed"), [("a b\tc", "abc"), ("i\xe9d", "id"), ("x" * 500, "x" * 128)], ids=["spaces", "latin-1", "long"]
)
def test_a_wild_request_id_is_tamed(world, sent, echoed):
    assert world.ask("GET", "/kv/a", {"X-Request-ID": sent})["X-Request-ID"] == echoed


@pytest.mark.parametrize("sent", ["", "\xff\xfe"])
def test_an_unusable_request_id_is_replaced(world, sent):
    assert world.ask("GET", "/kv/a", {"X-Request-ID": sent})["X-Request-ID"].startswith(world.id_of("leader") + "-")


def test_made_request_ids_differ(world):
    assert world.ask("GET", "/health")["X-Request-ID"] != world.ask("GET", "/health")["X-Request-ID"]


# What the node is asked


def test_the_command_carries_key_and_value_and_no_condition(scripted):
    scripted.ask("PUT", "/kv/a", body=b"x")
    scripted.ask("DELETE", "/kv/a?timeout=250ms")
    assert scripted.leader.calls == [("propose", Put("a", b"x", ALWAYS), 10.0), ("propose", Delete("a", ALWAYS), 0.25)]


def test_operations_and_requests_are_counted_by_template(world):
    world.put("secret-key")
    world.ask("GET", "/kv/secret-key")
    world.ask("DELETE", "/kv/secret-key")
    world.ask("GET", "/kv/secret-key")
    world.ask("BREW", "/kv/secret-key")
    world.ask("GET", "/secret-path")
    assert world.counts.operations == ["put", "get", "delete", "get"]
    assert [labels[:3] for labels in world.counts.requests] == [
        ("PUT", "/kv/{key}", 200),
        ("GET", "/kv/{key}", 200),
        ("DELETE", "/kv/{key}", 200),
        ("GET", "/kv/{key}", 404),
        ("other", "/kv/{key}", 405),
        ("GET", "unmatched", 404),
    ]

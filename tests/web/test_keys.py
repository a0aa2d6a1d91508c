import pytest

from minicloud.web.keys import decode_key
from minicloud.web.problems import Problem

STRANGE_KEYS = {
    "/kv/a//b": "a//b",
    "/kv//": "/",
    "/kv///x": "//x",
    "/kv/a/../b": "a/../b",
    "/kv/..": "..",
    "/kv/.": ".",
    "/kv/./a": "./a",
    "/kv/%2Fx": "/x",
    "/kv/%2fx": "/x",
    "/kv/a%2F%2Fb": "a//b",
    "/kv/%252F": "%2F",
    "/kv/%D0%BA%D0%BB%D1%8E%D1%87": "ключ",
    "/kv/ключ": "ключ",
    "/kv/a+b": "a+b",
    "/kv/a%20b": "a b",
    "/kv/a%3Fb": "a?b",
    "/kv/a%23b": "a#b",
    "/kv/a;": "a;",
    "/kv/a;b;c": "a;b;c",
    "/kv/a&b=c": "a&b=c",
    "/kv/a/": "a/",
    "/kv/{key}": "{key}",
    "/kv/<key>": "<key>",
    "/kv/%F0%9F%94%91": "🔑",
    "/kv/" + "k" * 1024: "k" * 1024,
    "/kv/" + "%D1%8E" * 512: "ю" * 512,
    '/kv/"quoted\\"': '"quoted\\"',
}


@pytest.mark.parametrize(("path", "key"), STRANGE_KEYS.items())
def test_a_strange_key_round_trips_exactly(world, path, key, node):
    put = world.ask("PUT", path + "?forward", body=b"strange", node=node)
    assert (put.code, put.json["key"]) == (200, key)
    got = world.ask("GET", path, node=node)
    assert (got.code, got.body) == (200, b"strange")
    assert world.value(key) == b"strange"
    deleted = world.ask("DELETE", path + "?forward", node=node)
    assert deleted.json == {"key": key, "revision": put.json["revision"] + 1, "deleted": True}


BAD_KEYS = {
    "empty": "/kv/",
    "1025 bytes": "/kv/" + "k" * 1025,
    "1026 bytes of UTF-8": "/kv/" + "%D1%8E" * 513,
    "bad UTF-8": "/kv/%FF",
    "truncated UTF-8": "/kv/a%D0",
    "surrogate": "/kv/%ED%A0%80",
    "overlong": "/kv/%C0%AF",
    "NUL": "/kv/a%00b",
    "line feed": "/kv/a%0Ab",
    "escape": "/kv/%1B",
    "delete": "/kv/%7F",
    "C1 control": "/kv/%C2%85",
    "broken escape": "/kv/a%2",
    "bare percent": "/kv/100%",
    "no hexadecimal": "/kv/%zz",
}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key_is_refused_with_a_problem(world, method, path, node):
    response = world.ask(method, path, body=b"x" if method == "PUT" else None, node=node)
    assert (response.code, response.problem) == (400, "invalid_key")


def test_a_fragment_in_the_target_is_refused(world):
    assert world.ask("GET", "/kv/a#b").problem == "bad_request"


def test_a_question_mark_ends_the_key(world):
    world.put("a?timeout=1s&")
    assert world.value("a") == b"value"


def test_a_key_is_decoded_once():
    assert decode_key(b"%252F") == "%2F"


def test_no_normal_form_is_applied():
    composed, decomposed = "\u00e9", "e\u0301"
    assert decode_key(composed.encode()) != decode_key(decomposed.encode())


def test_the_refusal_says_what_a_key_is():
    with pytest.raises(Problem, match="1024"):
        decode_key(b"k" * 2000)

"""GET and HEAD of /kv: pages of keys, and their number."""

import itertools
from urllib.parse import quote

import pytest
from twisted.internet.defer import Deferred, gatherResults

from minicloud.kv.commands import Delete, Put, Record
from minicloud.node.errors import NotLeader, ReadTimeout
from minicloud.web.limits import MAX_PAGE_BYTES

TIME_LIMIT_S = 30.0


def apply(world, *commands):
    """Let a real cluster apply these, in that order, in one go."""
    done = []
    gatherResults([world.node().propose(command, TIME_LIMIT_S) for command in commands]).addBoth(done.append)
    world.cluster.until(lambda: done)
    assert len(done[0]) == len(commands)


def fill(world, keys, value=b"v"):
    apply(world, *(Put(key, value) for key in keys))


def encoded(**parameters):
    return "&".join(f"{name}={quote(str(text), safe='')}" for name, text in parameters.items())


def page(world, node="leader", flags="", **parameters):
    response = world.ask("GET", f"/kv?{encoded(**parameters)}{flags}", node=node)
    assert response.code == 200, response
    return response.json


def keys_of(found):
    return [item["key"] for item in found["items"]]


def walk(world, node="leader", between=lambda: None, **parameters):
    """Return the keys of all pages, and how many pages there were."""
    found = page(world, node, **parameters)
    keys, pages = keys_of(found), 1
    while found["next_cursor"] is not None:
        between()
        found = page(world, node, cursor=found["next_cursor"], **parameters)
        keys, pages = keys + keys_of(found), pages + 1
    return keys, pages


# What a page holds


def test_items_are_as_the_json_of_single_keys(world, node):
    world.put("text", "значение".encode())
    world.put("text", b"new")
    world.put("bytes", b"\xff\x00")
    found = page(world, node)
    assert found["items"] == [world.ask("GET", f"/kv/{key}?format=json").json for key in ("bytes", "text")]
    assert found["next_cursor"] is None
    assert found["revision"] == world.revision()


def test_keys_only_leaves_values_out_and_tells_their_length(world, node):
    created = world.put("a", b"1")
    written = world.put("a", b"12345")
    (item,) = page(world, node, flags="&keys_only")["items"]
    assert item == {
        "key": "a",
        "size_bytes": 5,
        "revision": written,
        "create_revision": created,
        "version": 2,
        "expires_in": None,
    }


def test_an_empty_store_has_an_empty_last_page(world, node):
    found = page(world, node, prefix="a")
    assert (found["items"], found["next_cursor"]) == ([], None)


def test_the_head_lines(world, node):
    world.put("a")
    response = world.ask("GET", "/kv", {"X-Request-ID": "mine"}, node=node)
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert response["Minicloud-Node"] == world.id_of(node)
    assert response["Minicloud-Leader"] == world.id_of("leader")
    assert response["Minicloud-Revision"] == str(response.json["revision"]) == str(world.revision(node))
    assert response["X-Request-ID"] == "mine"


@pytest.mark.parametrize("query", ["", "?prefix=a&limit=1", "?count"])
def test_head_answers_as_get_without_the_body(world, query, node):
    fill(world, ["a1", "a2"])
    world.ask("GET", "/kv", node=node)
    get, head = (world.ask(method, f"/kv{query}", {"X-Request-ID": "x"}, node=node) for method in ("GET", "HEAD"))
    assert (head.code, head.body, head.headers) == (200, b"", get.headers)
    assert int(head["Content-Length"]) == len(get.body)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH", "OPTIONS"])
def test_other_methods_are_told_which_there_are(world, method, node):
    response = world.ask(method, "/kv?prefix=a", body=b"x", node=node)
    assert (response.code, response.problem, response["Allow"]) == (405, "method_not_allowed", "GET, HEAD")


def test_requests_are_counted_by_template_and_are_no_gets_of_a_key(world):
    world.ask("GET", "/kv?prefix=secret")
    world.ask("HEAD", "/kv?limit=0")
    world.ask("POST", "/kv")
    assert [labels[:3] for labels in world.counts.requests] == [
        ("GET", "/kv", 200),
        ("HEAD", "/kv", 400),
        ("POST", "/kv", 405),
    ]
    assert world.counts.operations == []


# Prefix, start, order

ODD_KEYS = [
    "a",
    "a b",
    "a+b",
    "a/../b",
    "a//b",
    "a//c",
    "a/b",
    "%2Fx",
    "/x",
    "100%",
    "?&=#",
    "é",
    "ключ/1",
    "ключ/2",
    "\ud7ff1",
    "\ue0001",
    "\uffff",
    "🔑",
    "🔑🔑",
    "\U0010ffff",
    "\U0010ffff\U0010ffffz",
]
ODD_PREFIXES = [
    "a//b",
    "a//",
    "a/",
    "a+",
    "a ",
    "%2Fx",
    "%",
    "/",
    "?&=",
    "100%",
    "клю",
    "ключ/",
    "🔑",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\U0010ffff",
    "\U0010ffff\U0010ffff",
    "none",
    "",
]


def by_bytes(keys):
    return sorted(keys, key=str.encode)


@pytest.fixture
def odd_world(world):
    fill(world, ODD_KEYS)
    return world


def test_odd_prefixes_find_what_begins_with_them(odd_world, node):
    for prefix in ODD_PREFIXES:
        wanted = by_bytes(key for key in ODD_KEYS if key.startswith(prefix))
        assert keys_of(page(odd_world, node, prefix=prefix)) == wanted
        assert walk(odd_world, node, prefix=prefix, limit=1)[0] == wanted
        assert page(odd_world, node, prefix=prefix, flags="&count")["count"] == len(wanted)


def test_start_is_inclusive_and_counts_in_the_order_of_bytes(odd_world, node):
    for start in ODD_PREFIXES:
        wanted = by_bytes(key for key in ODD_KEYS if key.encode() >= start.encode())
        assert keys_of(page(odd_world, node, start=start)) == wanted
        assert walk(odd_world, node, start=start, limit=3)[0] == wanted
        assert page(odd_world, node, start=start, flags="&count")["count"] == len(wanted)


def test_prefix_and_start_both_hold(world):
    fill(world, ["a", "b1", "b2", "b3", "c"])
    assert keys_of(page(world, prefix="b", start="b2")) == ["b2", "b3"]
    assert keys_of(page(world, prefix="b", start="a")) == ["b1", "b2", "b3"]
    assert keys_of(page(world, prefix="b", start="c")) == []
    assert walk(world, prefix="b", start="b2", limit=1) == (["b2", "b3"], 2)


def test_a_plus_sign_is_a_blank_and_raw_utf8_is_taken(odd_world):
    assert keys_of(odd_world.ask("GET", "/kv?prefix=a+").json) == ["a b"]
    assert keys_of(odd_world.ask("GET", "/kv?prefix=a%2B").json) == ["a+b"]
    assert keys_of(odd_world.ask("GET", "/kv?prefix=ключ").json) == ["ключ/1", "ключ/2"]


def test_the_longest_prefix_start_and_cursor_fit(world):
    keys = ["ю" * 511 + "1", "ю" * 511 + "2", "ю" * 511 + "3"]
    fill(world, keys)
    assert walk(world, prefix="ю" * 511, start=keys[0], limit=1, timeout="300000ms") == (keys, 3)
    assert keys_of(page(world, prefix="ю" * 512)) == []


# Pages


def test_a_page_has_100_items_unless_told_otherwise(world, node):
    fill(world, [f"k{n:04}" for n in range(1001)])
    assert len(page(world, node)["items"]) == 100
    assert len(page(world, node, limit=1)["items"]) == 1
    assert len(page(world, node, limit=1000)["items"]) == 1000
    assert keys_of(page(world, node, limit=1000, cursor=page(world, node, limit=1000)["next_cursor"])) == ["k1000"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_the_last_page_is_known_to_be_the_last(world, limit):
    fill(world, ["a", "b", "c", "d"])
    assert walk(world, limit=limit) == (["a", "b", "c", "d"], -(-4 // limit))


def test_2500_keys_come_once_each_while_others_change(world, node):
    keys = [f"stay/{n:04}" for n in range(2500)]
    passing = [f"{key}/passing" for key in keys[::10]]
    fill(world, [*keys, *passing, "other", "stay"])
    turns = itertools.count()

    def disturb():
        turn = next(turns)
        apply(
            world,
            *(Delete(key) for key in passing[turn * 12 : turn * 12 + 20]),
            *(Put(key, b"changed") for key in keys[turn::40]),
            Put(f"stay/{turn * 97:04}/new", b""),
            Put("stay/", b""),
        )

    found, pages = walk(world, node, between=disturb, prefix="stay/", limit=130)
    assert pages > 19
    assert found == by_bytes(set(found))
    assert [key for key in found if key in set(keys)] == keys
    assert set(found) - set(keys) <= set(passing) | {f"stay/{n * 97:04}/new" for n in range(30)}


def test_a_cursor_goes_on_after_a_key_that_is_gone(world, node):
    fill(world, ["a", "b", "c"])
    cursor = page(world, node, limit=2)["next_cursor"]
    apply(world, Delete("b"), Put("b0", b""), Put("a9", b""))
    assert keys_of(page(world, node, cursor=cursor)) == ["b0", "c"]


def test_a_cursor_holds_on_every_node_and_whatever_else_changes(world):
    fill(world, ["a", "b", "c", "d"])
    cursor = page(world, limit=1)["next_cursor"]
    assert keys_of(page(world, "follower", cursor=cursor, limit=2, flags="&keys_only")) == ["b", "c"]
    assert keys_of(page(world, "other", cursor=cursor, start="c")) == ["c", "d"]


def test_a_cursor_needs_no_encoding_and_an_empty_one_is_none(world):
    fill(world, ODD_KEYS)
    for limit in range(1, len(ODD_KEYS)):
        cursor = page(world, limit=limit)["next_cursor"]
        assert quote(cursor, safe="") == cursor
    assert len(world.ask("GET", "/kv?cursor=").json["items"]) == len(ODD_KEYS)


# The bound in bytes


@pytest.fixture
def large(scripted):
    """Ten keys with values of 900 KiB: text, and what must be written in base64."""
    for n in range(10):
        scripted.cluster.store.records[f"k{n}"] = Record((b"x", b"\xff")[n % 2] * 900 * 1024, n, n, 1)
    return scripted


def test_a_page_of_large_values_ends_early(large):
    response = large.ask("GET", "/kv?limit=1000")
    assert keys_of(response.json) == ["k0"]
    assert walk(large, limit=1000) == ([f"k{n}" for n in range(10)], 10)


def test_no_page_of_several_items_is_longer_than_the_bound(scripted):
    sizes = [0, 1, 500_000, 1_000_000, 900_000, 2 * 1024 * 1024, 700_000, 3 * 1024 * 1024, 10, 1_048_000, 1_048_500, 9]
    for n, size in enumerate(sizes):
        scripted.cluster.store.records[f"k{n:02}"] = Record(b"x" * size, n, n, 1)
    keys, cursor = [], ""
    while cursor is not None:
        response = scripted.ask("GET", f"/kv?cursor={cursor}")
        items = response.json["items"]
        assert len(items) == 1 or sum(len(item["value"]) for item in items) <= MAX_PAGE_BYTES
        assert len(items) == 1 or len(response.body) <= MAX_PAGE_BYTES + 1024
        keys, cursor = keys + keys_of(response.json), response.json["next_cursor"]
    assert keys == sorted(scripted.cluster.store.records)


def test_text_that_json_makes_longer_counts_as_what_it_becomes(scripted):
    for n in range(3):
        scripted.cluster.store.records[f"k{n}"] = Record(b"\0" * 300_000, n, n, 1)
    assert keys_of(page(scripted)) == ["k0"]
    assert walk(scripted) == (["k0", "k1", "k2"], 3)


def test_one_item_always_fits(scripted):
    scripted.cluster.store.records["k"] = Record(b"\0" * 8 * 1024 * 1024, 1, 1, 1)
    (item,) = page(scripted)["items"]
    assert len(item["value"]) == 8 * 1024 * 1024


def test_values_that_are_not_shown_do_not_count(large):
    large.cluster.store.records["k9"] = Record(b"x" * (MAX_PAGE_BYTES + 1), 9, 9, 1)
    found = page(large, flags="&keys_only")
    assert (len(found["items"]), found["next_cursor"]) == (10, None)


def test_a_thousand_small_values_fit(scripted):
    for n in range(1000):
        scripted.cluster.store.records[f"k{n:04}"] = Record(b"x" * 1024, n, n, 1)
    assert len(page(scripted, limit=1000)["items"]) == 1000


# Counting


def test_count_tells_how_many_and_at_which_revision(world, node):
    fill(world, ["a/1", "a/2", "b"])
    assert world.ask("GET", "/kv?count", node=node).json == {"count": 3, "revision": world.revision()}
    assert world.ask("GET", "/kv?count&prefix=a/", node=node).json["count"] == 2
    assert world.ask("GET", "/kv?count=true&prefix=a/&start=a/2", node=node).json["count"] == 1
    assert world.ask("GET", "/kv?count=0&limit=2", node=node).json["next_cursor"]
    apply(world, Delete("a/1"))
    response = world.ask("GET", "/kv?count&prefix=a/", node=node)
    assert response.json == {"count": 1, "revision": world.revision()}
    assert response["Minicloud-Revision"] == str(world.revision())


# Consistency: the same as for single keys


def test_a_listing_waits_for_the_barrier(scripted, node):
    barrier = Deferred()
    scripted.node(node).script.append(barrier)
    connection = scripted.connect(node)
    connection.request("GET", "/kv?timeout=3s")
    assert connection.responses == []
    scripted.put("a")
    barrier.callback(None)
    answer = connection.answer()
    assert keys_of(answer.json) == ["a"]
    assert answer.json["revision"] == scripted.revision() == int(answer["Minicloud-Revision"])
    assert ("read_barrier", 3.0) in scripted.node(node).calls


@pytest.mark.parametrize("what", ["", "&count"])
@pytest.mark.parametrize("query", ["stale", "consistency=stale"])
def test_a_stale_listing_asks_nobody_and_tells_its_age(world, query, what, node):
    revision = world.put("a")
    assert world.ask("GET", f"/kv?min_revision={revision}", node=node).code == 200
    world.lose_leader()
    response = world.ask("GET", f"/kv?{query}{what}", node=node)
    assert response.code == 200
    assert response.json["revision"] >= revision
    assert int(response["Minicloud-Last-Contact-Ms"]) >= 0


@pytest.mark.parametrize("what", ["", "&count"])
def test_without_a_leader_a_listing_is_a_503(world, what, node):
    world.lose_leader()
    response = world.ask("GET", f"/kv?timeout=200ms{what}", node=node)
    assert (response.code, response.problem, response["Retry-After"]) == (503, "no_leader", "1")


def test_min_revision_waits_for_that_revision(world, node):
    connection = world.connect(node)
    connection.request("GET", f"/kv?min_revision={world.revision(node) + 2}")
    world.put("a")
    assert connection.responses == []
    world.put("b")
    assert keys_of(connection.answer().json) == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "code", "problem"), [(ReadTimeout("late"), 504, "read_timeout"), (NotLeader(None), 503, "no_leader")]
)
def test_a_read_that_fails_says_why(scripted, error, code, problem):
    scripted.leader.script.append(error)
    response = scripted.ask("GET", "/kv")
    assert (response.code, response.problem) == (code, problem)


# Who may list


@pytest.mark.parametrize("query", ["", "?count", "?stale&keys_only", "?limit=0"])
def test_auth_reads_protects_listings_as_it_does_keys(make_world, query, node):
    world = make_world(auth_token="secret", auth_reads=True)
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        response = world.ask("GET", f"/kv{query}", headers, node=node)
        assert (response.code, response.problem, response["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
        assert world.ask("HEAD", f"/kv{query}", headers, node=node).code == 401
    answered = world.ask("GET", f"/kv{query}", {"Authorization": "Bearer secret"}, node=node)
    assert answered.code == (400 if "limit=0" in query else 200)


def test_a_token_alone_does_not_protect_listings(make_world, node):
    assert make_world(auth_token="secret").ask("GET", "/kv", node=node).code == 200

"""What GET /kv refuses: parameters that mean nothing, and cursors that were not made here."""

import pytest

from minicloud.web.cursors import Place, make_cursor, place_of_cursor
from minicloud.web.limits import MAX_DELIMITER_BYTES, MAX_LIST_QUERY_BYTES
from minicloud.web.problems import Problem

OTHERS = make_cursor("b", Place("b1"))
PAST_ALL = make_cursor("", Place("\U0010ffff", rolled_up=True))

BAD_QUERIES = [
    ("limit", "limit=0"),
    ("limit", "limit=1001"),
    ("limit", "limit=-1"),
    ("limit", "limit="),
    ("limit", "limit=ten"),
    ("limit", "limit=1.0"),
    ("limit", "limit=%D9%A3"),
    ("limit", "limit=99999999999999999999"),
    ("limit", "limit=5&limit=5"),
    ("keys_only", "keys_only=maybe"),
    ("count", "count=3"),
    ("count", "count&limit=5"),
    ("count", "count&keys_only"),
    ("count", "count&cursor="),
    ("prefix", "prefix=%FF"),
    ("prefix", "prefix=a%D0"),
    ("prefix", "prefix=%ED%A0%80"),
    ("prefix", "prefix=%C0%AF"),
    ("prefix", "prefix=100%"),
    ("prefix", "prefix=%zz"),
    ("prefix", "prefix=a%00"),
    ("prefix", "prefix=%0A"),
    ("prefix", "prefix=%C2%85"),
    ("prefix", "prefix=" + "k" * 1025),
    ("prefix", "prefix=" + "%D1%8E" * 513),
    ("start", "start=%FF"),
    ("start", "start=%7F"),
    ("start", "start=" + "k" * 1025),
    ("cursor", "cursor=x"),
    ("cursor", "cursor=abcde"),
    ("cursor", "cursor=%D0%BA"),
    ("cursor", "cursor=null"),
    ("cursor", f"cursor={OTHERS}"),
    ("cursor", f"prefix=a&cursor={OTHERS}"),
    ("cursor", f"prefix=b1&cursor={OTHERS}"),
    ("cursor", f"cursor={PAST_ALL}"),
    ("delimiter", "delimiter="),
    ("delimiter", "delimiter"),
    ("delimiter", "delimiter=" + "/" * (MAX_DELIMITER_BYTES + 1)),
    ("delimiter", "delimiter=" + "%D1%8E" * (MAX_DELIMITER_BYTES // 2 + 1)),
    ("delimiter", "delimiter=%00"),
    ("delimiter", "delimiter=%FF"),
    ("delimiter", "delimiter=/&delimiter=/"),
    ("delimiter", "count&delimiter=/"),
    ("stale", "stale=maybe"),
    ("consistency", "consistency=eventual"),
    ("min_revision", "min_revision=-1"),
    ("min_revision", "min_revision=1&stale"),
    ("timeout", "timeout=0"),
    ("format", "format=json"),
    ("forward", "forward"),
    ("unknown", "unknown=1"),
    ("PREFIX", "PREFIX=a"),
    ("query string", "prefix=" + "a" * MAX_LIST_QUERY_BYTES),
    ("query string", "%FF"),
    ("query string", "%q=1"),
]


@pytest.mark.parametrize(("named", "query"), BAD_QUERIES, ids=[query[:40] for _named, query in BAD_QUERIES])
def test_a_bad_parameter_is_refused_by_name(scripted, named, query, node):
    response = scripted.ask("GET", f"/kv?{query}", node=node)
    assert (response.code, response.problem) == (400, "bad_parameter")
    assert named in response.json["detail"]
    assert scripted.node(node).calls == []


@pytest.mark.parametrize("place", [Place("abc"), Place("ab/", rolled_up=True)], ids=["key", "rolled up"])
def test_a_cursor_that_was_not_made_here_is_refused(place):
    cursor = make_cursor("ab", place)
    assert place_of_cursor(cursor, "ab") == place
    cut = [cursor[:length] for length in range(1, len(cursor))]
    changed = [cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1 :] for n in range(len(cursor))]
    wild = [
        cursor + "A",
        cursor + "=",
        cursor + "==",
        " " + cursor,
        cursor[:4] + "\n" + cursor[4:],
        cursor + "é",
        "=",
        "-",
    ]
    for foreign in [*cut, *changed, *wild]:
        with pytest.raises(Problem, match="cursor"):
            place_of_cursor(foreign, "ab")


@pytest.mark.parametrize("rolled_up", [False, True])
@pytest.mark.parametrize(("prefix", "key"), [("", "a\n"), ("", "k" * 1025), ("", ""), ("x", "a"), ("xy", "x")])
def test_a_cursor_to_what_is_no_key_of_the_prefix_is_refused(prefix, key, rolled_up):
    with pytest.raises(Problem, match="cursor"):
        place_of_cursor(make_cursor(prefix, Place(key, rolled_up)), prefix)

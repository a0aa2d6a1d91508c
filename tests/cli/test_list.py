"""``list``: page by page, in each form."""

import io
import json
from typing import Any

import pytest

from tests.cli.conftest import Cloudctl, Terminal
from tests.client.network import Network, document, problem, silence

HERE = "127.0.0.1:9001"


def item(key: str, value: bytes | None = None, revision: int = 7) -> dict[str, Any]:
    known = {"key": key, "revision": revision, "create_revision": revision, "version": 1, "size_bytes": 3}
    return known if value is None else known | {"value": value.decode()}


def page(*items: dict[str, Any], then: str = "", revision: int = 40) -> Any:
    return document({"items": list(items), "revision": revision, "next_cursor": then})


def queries(network: Network) -> list[str]:
    return [seen.uri.partition("?")[2] for seen in network.seen]


def test_it_writes_a_key_on_each_line_and_goes_through_all_pages(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, page(item("a/1"), item("a/2"), then="here"), page(item("a/3")))
    ended = cloudctl("list", "a/")
    assert (ended.status, ended.out, ended.err) == (0, b"a/1\na/2\na/3\n", "")
    first, second = queries(network)
    assert "prefix=a%2F" in first
    assert "keys_only" in first
    assert "limit=1000" in first
    assert "cursor=here" in second


def test_pages_are_written_as_they_come(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, page(item("first"), then="more"), always=silence)
    ended = cloudctl("list", "--timeout", "1")
    assert (ended.status, ended.out) == (5, b"first\n")


def test_no_keys_are_no_error(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=page())
    assert cloudctl("list", "x").out == b""
    assert cloudctl("list", "x", "-o", "table").out == b""
    assert json.loads(cloudctl("list", "x", "-o", "json").out) == {"items": [], "revision": 40}


@pytest.mark.parametrize("form", ["plain", "json"])
def test_the_limit_holds_across_pages(network: Network, cloudctl: Cloudctl, form: str) -> None:
    network.serve(HERE, page(item("a"), item("b"), then="1"), page(item("c"), item("d"), then="2"))
    out = cloudctl("list", "--limit", "3", "-o", form).out.decode()
    keys = out.split() if form == "plain" else [listed["key"] for listed in json.loads(out)["items"]]
    assert keys == ["a", "b", "c"]
    assert "limit=3" in queries(network)[0]
    assert len(network.seen) == 2


def test_values_follow_after_a_tab_on_one_line(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, page(item("a", b"two\nlines"), item("b", b"\xc3\xa9")))
    assert cloudctl("list", "--values").out.decode() == "a\ttwo\\nlines\nb\té\n"
    assert "keys_only" not in queries(network)[0]


def test_json_is_one_document_with_an_item_on_each_line(network: Network, cloudctl: Cloudctl) -> None:
    binary = {**item("b"), "value_base64": "/wA="}
    network.serve(HERE, page(item("a", b"1"), then="x", revision=40), page(binary, revision=41))
    out = cloudctl("list", "--values", "-o", "json").out.decode()
    assert [line.rstrip(",")[:12] for line in out.splitlines()[1:3]] == ['{"key": "a",', '{"key": "b",']
    first, second = json.loads(out)["items"]
    assert json.loads(out)["revision"] == 41
    assert (first["value"], first["size_bytes"], first["create_revision"]) == ("1", 1, 7)
    assert (second["value_base64"], second["size_bytes"]) == ("/wA=", 2)


def test_a_table_has_its_heading_once_and_columns_that_stay_wide(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, page(item("long/key"), then="x"), page(item("k", revision=123)))
    assert cloudctl("list", "-o", "table").out.decode().splitlines() == [
        "key       revision  version  bytes",
        "long/key  7         1        3",
        "k         123       1        3",
    ]


def test_a_table_shows_the_beginning_of_a_long_value(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, page(item("k", b"x" * 61)))
    assert cloudctl("list", "-o", "table", "--values").out.endswith(b"  " + b"x" * 57 + b"...\n")


def test_on_a_terminal_it_counts_and_says_that_there_are_more(
    network: Network, cloudctl: Cloudctl, terminal: Terminal
) -> None:
    network.serve(HERE, page(item("a"), item("b\u202e"), then="1"))
    ended = cloudctl("list", "--limit", "2", on=terminal)
    assert "revision" in terminal.getvalue()
    assert "b\\u202e" in terminal.getvalue(), "nothing turns the line around"
    assert ended.err == "2 keys; there are more.\n"


def test_a_key_reaches_a_program_as_it_is(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, page(item("b\u202e")))
    assert cloudctl("list").out.decode() == "b\u202e\n"


@pytest.mark.parametrize("values", [(), ("--values",)])
def test_a_key_reaches_a_program_as_utf_8_whatever_the_code_page(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch, values: tuple[str, ...]
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="backslashreplace")
    monkeypatch.setattr("sys.stdout", stream)
    network.serve(HERE, page(item("中", b"\xe4\xb8\xad")))
    assert cloudctl("list", *values).status == 0
    assert stream.buffer.getvalue().decode() == ("中\t中\n" if values else "中\n")


def test_a_wrong_start_is_an_error_in_words(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, problem(400, "bad_query", "start: too long"))
    ended = cloudctl("list", "--start", "x" * 2000)
    assert (ended.status, ended.out, ended.err) == (1, b"", "cloudctl: start: too long\n")
    assert cloudctl("list", "--limit", "0").status == 2

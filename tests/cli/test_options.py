"""Options before the verb and after it, the environment, and the token."""

from pathlib import Path

import pytest

from minicloud.cli import command
from minicloud.cli.completion import SHELLS
from minicloud.cli.options import MAX_TOKEN_BYTES
from tests.cli.conftest import Cloudctl
from tests.client.network import Network, found

TOP = Path(__file__).parents[2]
A, B = "127.0.0.1:9001", "127.0.0.1:9002"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-server", "http://127.0.0.1:9002", "get", "k"),
        ("-server=http://127.0.0.1:9002", "get", "k"),
        ("get", "k", "-server", "http://127.0.0.1:9002"),
        ("get", "-server=http://127.0.0.1:9002", "k"),
        ("--server", "http://127.0.0.1:9002", "get", "k"),
        ("--server=127.0.0.1:9002", "get", "k"),
        ("-s", "127.0.0.1:9002", "get", "k"),
        ("-s127.0.0.1:9002", "get", "k"),
        ("get", "k", "-s", "127.0.0.1:9002"),
        ("-server", "127.0.0.1:1,127.0.0.1:9002", "get", "k"),
        ("-s", "127.0.0.1:1", "-s", "127.0.0.1:9002", "get", "k"),
        ("-server", A, "get", "k", "-server", B),
    ],
)
def test_the_server_can_be_named_in_each_of_these_ways(
    network: Network, cloudctl: Cloudctl, arguments: tuple[str, ...]
) -> None:
    network.serve(B, found(b"v", 1))
    assert cloudctl(*arguments).out == b"v"


def test_the_environment_names_servers_where_the_command_line_does_not(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINICLOUD_SERVER", f"127.0.0.1:1,{B}")
    network.serve(B, always=found(b"b", 1))
    network.serve(A, always=found(b"a", 1))
    assert cloudctl("get", "k").out == b"b"
    assert cloudctl("get", "k", "-server", A).out == b"a"


@pytest.mark.parametrize(
    "content",
    [
        b"from-file",
        b"from-file\r\n",
        # As PowerShell 5.1 writes it: with > and with Out-File, and with -Encoding utf8.
        b"\xff\xfe" + "from-file\r\n".encode("utf-16-le"),
        b"\xef\xbb\xbffrom-file\r\n",
        b"\xfe\xff" + "from-file\r\n".encode("utf-16-be"),
    ],
    ids=repr,
)
def test_the_token_comes_from_a_file_or_else_from_the_environment(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    network.serve(A, always=found(b"v", 1))
    file = tmp_path / "token"
    file.write_bytes(content)
    monkeypatch.setenv("AUTH_TOKEN", "from-environment\n")
    cloudctl("get", "k")
    cloudctl("get", "k", "--token-file", str(file))
    assert [seen.headers["authorization"] for seen in network.seen] == ["Bearer from-environment", "Bearer from-file"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16"])
def test_a_token_may_be_as_long_as_a_header_takes_in_each_encoding(
    network: Network, cloudctl: Cloudctl, tmp_path: Path, encoding: str
) -> None:
    network.serve(A, always=found(b"v", 1))
    file = tmp_path / "token"
    for length, status in ((MAX_TOKEN_BYTES, 0), (MAX_TOKEN_BYTES + 1, 2)):
        file.write_bytes(f"{'x' * length}\r\n".encode(encoding))
        assert cloudctl("get", "k", "--token-file", str(file)).status == status


NO_TOKENS = [
    b"",
    b" \n",
    b"two\nlines",
    b"\xff",
    b"x" * 5000,
    b"\xef\xbb\xbf\r\n",
    b"\xff\xfe",
    b"\xff\xfet\x00o",
    "\ufefft\u00e9".encode(),
    "t\u00e9".encode("utf-16"),
    "token".encode("utf-32"),
]


@pytest.mark.parametrize("content", NO_TOKENS, ids=lambda content: repr(content[:9]))
def test_a_file_that_holds_no_token_is_refused(cloudctl: Cloudctl, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    ended = cloudctl("get", "k", "--token-file", str(file))
    assert ended.status == 2
    assert "expected to hold a token" in ended.err


@pytest.mark.parametrize("token", ["\udcff", "\u4e2d", "two\nlines", "x" * 5000])
def test_a_variable_that_holds_no_token_is_refused(
    network: Network, cloudctl: Cloudctl, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    network.serve(A, always=found(b"v", 1))
    monkeypatch.setenv("AUTH_TOKEN", token)
    ended = cloudctl("get", "k")
    assert (ended.status, network.seen) == (2, [])
    assert "the environment variable AUTH_TOKEN is expected to hold a token" in ended.err


@pytest.mark.parametrize("arguments", [("get", "k"), ("join", "node4", "127.0.0.1:9014")])
@pytest.mark.parametrize("option", ["--token-file", "-s", "--server", "-o", "--timeout", "--http-addr"])
def test_an_empty_option_is_refused(
    network: Network, cloudctl: Cloudctl, arguments: tuple[str, ...], option: str
) -> None:
    network.serve(A, always=found(b"v", 1))
    for words in ([option, "", *arguments], [*arguments, option, ""], [*arguments, "-s", A, option, ""]):
        ended = cloudctl(*words)
        assert (ended.status, network.seen) == (2, [])
        assert "No such option" in ended.err or "Invalid value" in ended.err


def test_a_token_file_that_is_not_there_is_a_usage_error(cloudctl: Cloudctl) -> None:
    ended = cloudctl("--token-file", "nowhere", "get", "k")
    assert ended.status == 2
    assert "cannot read 'nowhere'" in ended.err


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "301", "soon"])
def test_a_time_limit_is_a_positive_number_of_seconds(cloudctl: Cloudctl, timeout: str) -> None:
    ended = cloudctl("get", "k", f"--timeout={timeout}")
    assert ended.status == 2
    assert "is not a number of seconds" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("get",),
        ("get", ""),
        ("delete", "\ud800"),
        ("get", "a", "b"),
        ("put", "k", "v", "--if-absent", "--if-revision", "3"),
        ("put", "k", "v", "--if-revision", "x"),
        ("-o", "xml", "get", "k"),
        (),
    ],
)
def test_wrong_usage_ends_in_two_with_words_on_stderr(cloudctl: Cloudctl, arguments: tuple[str, ...]) -> None:
    ended = cloudctl(*arguments)
    assert (ended.status, ended.out) == (2, b"")
    assert "Usage: cloudctl" in ended.err


def test_a_value_that_looks_like_an_option_gets_a_hint(network: Network, cloudctl: Cloudctl) -> None:
    assert "put -- before it" in cloudctl("put", "k", "-5").err
    network.serve(A, found(b"v", 1))
    assert cloudctl("get", "--", "-5").out == b"v"
    assert network.seen[0].uri.startswith("/kv/-5?")


@pytest.mark.parametrize("verb", [(), ("put",), ("get",), ("members",), ("transfer",)])
def test_help_is_there_for_every_verb(cloudctl: Cloudctl, verb: tuple[str, ...]) -> None:
    for option in ("--help", "-h"):
        ended = cloudctl(*verb, option)
        assert ended.status == 0
        assert ended.out.startswith(b"Usage: cloudctl")


@pytest.mark.parametrize(("verb", "told"), [("list", "for each page"), ("bench", "for each request")])
def test_help_says_what_the_time_limit_holds_for(cloudctl: Cloudctl, verb: str, told: str) -> None:
    assert f"--timeout holds {told}" in " ".join(cloudctl(verb, "--help").out.decode().split())


def test_the_readme_has_every_verb_and_how_to_complete_them() -> None:
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for verb in command.cli.commands:
        assert f"\n| `{verb}" in readme
    for shell in SHELLS:
        assert f"cloudctl completion {shell}" in readme


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command.cli, "main", broken)
    with pytest.raises(ZeroDivisionError):
        command.run(["get", "k"])

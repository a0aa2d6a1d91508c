"""The command line of a node, and where its log goes."""

import io
import sys
from pathlib import Path

import pytest
from twisted.application.service import Application
from twisted.application.twist._options import TwistOptions
from twisted.logger import ILogObserver
from twisted.python.usage import Options as UsageOptions
from twisted.scripts.twistd import ServerOptions

from minicloud.config import load_settings
from minicloud.logs import LineObserver
from minicloud.service import command
from minicloud.service.command import Options, give_up, log_and_give_up, say, take_over_logging
from minicloud.service.errors import StartError


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to the real standard error."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", stream)
    return stream


@pytest.fixture
def settings(tmp_path: Path):
    path = tmp_path / "node.yaml"
    path.write_text("node_id: node1\nlisten_addr: 127.0.0.1:9001\nlog_format: json\nauth_token: hush-hush\n")
    return load_settings(path, {})


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "minicloud: no config given; expected --config FILE, such as --config configs/node1.yaml\n"),
        (["--config"], "minicloud: option --config requires argument; expected --config FILE\n"),
        (["--confg", "x"], "minicloud: option --confg not recognized; expected --config FILE\n"),
        (["--config", "x", "y"], "minicloud: Wrong number of arguments.; expected --config FILE\n"),
    ],
)
def test_bad_use_ends_with_one_line_and_status_1(said: io.StringIO, arguments: list[str], line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(arguments)
    assert ended.value.code == 1
    assert said.getvalue() == line


@pytest.mark.parametrize("arguments", [["--config", "a.yaml"], ["-c", "a.yaml"], ["--config=a.yaml"]])
def test_the_config_can_be_named_in_the_usual_ways(arguments: list[str]) -> None:
    options = Options()
    options.parseOptions(arguments)
    assert options["config"] == "a.yaml"


@pytest.mark.parametrize(("wanted", "pidfile"), [("twistd.pid", ""), ("/run/mine.pid", "/run/mine.pid")])
def test_twistd_writes_no_pid_file_that_nobody_asked_for(wanted: str, pidfile: str) -> None:
    options = Options()
    options.parent = UsageOptions()
    options.parent["pidfile"] = wanted
    options.parseOptions(["-c", "a.yaml"])
    assert options.parent["pidfile"] == pidfile


def test_the_plugin_is_found_by_its_name_and_imports_nothing_of_the_node() -> None:
    from twisted.plugins import minicloud_plugin

    assert minicloud_plugin.minicloud.tapname == "minicloud"
    source = Path(minicloud_plugin.__file__).read_text(encoding="utf-8")
    assert [line for line in source.splitlines() if "import" in line and "imports" not in line] == [
        "from twisted.application.service import ServiceMaker"
    ]
    assert minicloud_plugin.minicloud.options is Options


def test_giving_up_says_one_line_whatever_is_in_it(said: io.StringIO) -> None:
    with pytest.raises(SystemExit) as ended:
        give_up("a\nb")
    assert ended.value.code == 1
    assert said.getvalue() == "minicloud: a\\nb\n"


def test_giving_up_works_without_a_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stderr__", None)
    with pytest.raises(SystemExit):
        give_up("a")


def test_a_daemon_gives_up_by_its_log_and_an_exception(captured_log) -> None:
    with pytest.raises(StartError):
        log_and_give_up("the port is taken")
    assert captured_log("minicloud.service.command") == ["the port is taken"]


class TestLogging:
    def test_twistd_in_the_foreground_logs_to_standard_output(self, settings) -> None:
        parent = ServerOptions()
        parent["nodaemon"] = True
        observer = take_over_logging(parent, settings)
        assert observer == LineObserver(sys.stdout, "node1", as_json=True, secrets=("hush-hush", ""))

    def test_twistd_logs_to_the_file_that_it_is_told(self, settings, tmp_path: Path) -> None:
        parent = ServerOptions()
        parent["nodaemon"] = True
        parent["logfile"] = str(tmp_path / "node1.log")
        observer = take_over_logging(parent, settings)
        observer({"log_namespace": "minicloud", "log_format": "hello"})
        assert '"message": "hello"' in (tmp_path / "node1.log").read_text()

    @pytest.mark.skipif(sys.platform == "win32", reason="twistd has no daemons on Windows")
    def test_a_daemon_logs_to_twistds_file(self, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        parent = ServerOptions()
        parent["nodaemon"] = False
        take_over_logging(parent, settings)
        assert Path("twistd.log").exists()
        assert command._becomes_daemon(parent)

    @pytest.mark.parametrize("option", ["logger", "syslog"])
    def test_an_observer_that_the_user_names_is_left_in_place(self, settings, option: str) -> None:
        parent = ServerOptions()
        parent[option] = "named"
        assert take_over_logging(parent, settings) is None

    def test_twist_makes_ours_for_the_stream_that_it_knows(self, settings) -> None:
        parent = TwistOptions()
        parent.selectDefaultLogObserver()
        assert take_over_logging(parent, settings) is None
        stream = io.StringIO()
        observer = parent["fileLogObserverFactory"](stream)
        observer({"log_namespace": "minicloud", "log_format": "hello"})
        assert '"message": "hello"' in stream.getvalue()

    def test_a_service_without_a_command_leaves_logging_alone(self, settings) -> None:
        assert take_over_logging(None, settings) is None


def test_the_application_gets_the_observer(settings) -> None:
    observer = LineObserver(io.StringIO(), "node1")
    service = command.NodeService(settings, Path("a.yaml"), None, say=say, on_refusal=give_up, observer=observer)
    application = Application("minicloud")
    service.setServiceParent(application)
    assert application.getComponent(ILogObserver) is observer

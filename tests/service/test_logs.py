"""What a node's log looks like."""

import io
import json

import pytest
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure

from minicloud.logs import LineObserver
from minicloud.storage.errors import FolderInUse


class Sink:
    """Logs through a real publisher and keeps what an observer wrote."""

    def __init__(
        self, *, as_json: bool = False, secrets: tuple[str, ...] = (), namespace: str = "minicloud.node"
    ) -> None:
        self.stream = io.StringIO()
        publisher = LogPublisher(LineObserver(self.stream, "node1", as_json, secrets), self._keep_time)
        self.log = Logger(namespace=namespace, observer=publisher)

    @staticmethod
    def _keep_time(event) -> None:
        """Observers run in order; this one is last and only proves that the publisher goes on."""

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def raised(error: Exception) -> Failure:
    def go_wrong() -> None:
        raise error

    try:
        go_wrong()
    except Exception:
        return Failure()


def test_a_text_line_tells_time_level_node_and_room() -> None:
    sink = Sink()
    LineObserver(sink.stream, "node1")(
        {
            "log_time": 0.25,
            "log_level": LogLevel.info,
            "log_namespace": "minicloud.node",
            "log_format": "leads term {term}",
            "term": 7,
        }
    )
    assert sink.lines == ["1970-01-01T00:00:00.250Z INFO node1 minicloud.node: leads term 7"]


def test_the_class_that_a_logger_belongs_to_is_left_out() -> None:
    sink = Sink(namespace="minicloud.web.site.MinicloudSite")
    sink.log.info("hello")
    assert sink.lines[0].endswith("INFO node1 minicloud.web.site: hello")


def test_a_json_line_holds_the_same_and_the_plain_fields() -> None:
    sink = Sink(as_json=True)
    sink.log.warn("leads term {term}", term=7, other=object())
    record = json.loads(sink.lines[0])
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "warn",
        "node_id": "node1",
        "logger": "minicloud.node",
        "message": "leads term 7",
        "term": 7,
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_an_unexpected_error_is_one_line_with_the_places_it_came_through(as_json: bool) -> None:
    sink = Sink(as_json=as_json)
    sink.log.failure("could not do it", failure=raised(ValueError("bad\nthing")))
    assert len(sink.lines) == 1
    assert "could not do it: ValueError: bad\\nthing" in sink.lines[0]
    assert "in go_wrong" in sink.lines[0]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("error", [ConnectionRefusedError(), FolderInUse("data/node1"), OSError(5, "I/O error")])
def test_an_expected_error_brings_no_traceback(as_json: bool, error: Exception) -> None:
    sink = Sink(as_json=as_json)
    sink.log.failure("could not do it", failure=raised(error))
    assert len(sink.lines) == 1
    assert "go_wrong" not in sink.lines[0]
    assert type(error).__name__ in sink.lines[0]


def test_a_failure_without_words_of_its_own_is_told_all_the_same() -> None:
    sink = Sink()
    LineObserver(sink.stream, "n")({"log_level": LogLevel.critical, "log_failure": raised(KeyError("x"))})
    assert "CRITICAL n unknown: KeyError: 'x' (at " in sink.lines[0]


def test_nothing_in_a_message_makes_a_second_line_or_moves_the_cursor() -> None:
    sink = Sink()
    sink.log.info("{key}", key="a\nb\r\x1b[2J\u2028ключ")
    assert sink.lines[0].endswith(r"a\nb\r\x1b[2J\u2028ключ")
    assert len(sink.lines) == 1


def test_the_libraries_are_heard_from_warnings_on() -> None:
    sink = Sink(namespace="twisted.internet.protocol")
    sink.log.info("Starting factory")
    sink.log.warn("something is odd")
    assert len(sink.lines) == 1
    assert "something is odd" in sink.lines[0]


def test_a_namespace_that_only_begins_alike_is_a_library() -> None:
    sink = Sink(namespace="minicloudish")
    sink.log.info("hello")
    assert sink.lines == []


def test_debug_is_left_out() -> None:
    sink = Sink()
    sink.log.debug("details")
    assert sink.lines == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_secret_that_slips_into_a_message_is_not_written(as_json: bool) -> None:
    sink = Sink(as_json=as_json, secrets=("hush-hush",))
    sink.log.info("token {token}", token="hush-hush")
    assert "hush-hush" not in sink.lines[0]
    assert "[secret]" in sink.lines[0]
    assert "hush-hush" not in repr(LineObserver(sink.stream, "n", secrets=("hush-hush",)))


def test_a_console_that_cannot_show_a_character_shows_its_number() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n")
    LineObserver(stream, "n")({"log_namespace": "minicloud", "log_format": "ключ", "log_level": LogLevel.info})
    assert stream.buffer.getvalue().decode("cp1252").endswith("\\u043a\\u043b\\u044e\\u0447\n")

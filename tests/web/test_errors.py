import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from minicloud.kv.commands import PutDone
from minicloud.node import errors
from minicloud.node.errors import NodeStopping, OutcomeUnknown, Overloaded
from minicloud.web.problems import explain


@pytest.fixture
def log():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


@pytest.mark.parametrize(
    ("error", "code", "problem", "retryable"),
    [
        (OutcomeUnknown(), 504, "outcome_unknown", False),
        (Overloaded(10_000), 503, "overloaded", True),
        (NodeStopping(), 503, "stopping", True),
    ],
    ids=["unknown", "overloaded", "stopping"],
)
def test_what_keeps_the_node_from_writing_is_told(scripted, error, code, problem, retryable):
    scripted.leader.script.append(error)
    response = scripted.ask("PUT", "/kv/a", body=b"x")
    assert (response.code, response.problem, response.json["retryable"]) == (code, problem, retryable)
    if code == 503:
        assert response["Retry-After"] == "1"


def test_every_error_of_the_node_has_an_explanation():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.NodeError)]
    kinds.remove(errors.NodeError)
    for kind in kinds:
        arguments = {"leader": None, "pending": 1, "detail": "d", "node_id": "n", "timed_out": True}
        names = [attribute.name for attribute in kind.__attrs_attrs__]
        problem = explain(kind(**{name: arguments[name] for name in names}))
        assert problem is not None, kind
        assert problem.status >= 400
    assert explain(ValueError()) is None


@pytest.mark.parametrize("how", ["fails", "raises"])
def test_the_unexpected_is_a_500_without_a_traceback_and_is_logged(scripted, log, monkeypatch, how):
    if how == "fails":
        scripted.leader.script.append(ZeroDivisionError("secret detail"))
    else:

        def propose(command, timeout_s):
            raise ZeroDivisionError("secret detail")

        scripted.leader.propose = propose
    response = scripted.ask("PUT", "/kv/a", {"X-Request-ID": "find-me"}, b"x")
    assert (response.code, response.problem) == (500, "internal_error")
    assert b"secret detail" not in response.body
    assert b"Traceback" not in response.body
    failures = [event for event in log if "log_failure" in event]
    assert [event["request_id"] for event in failures] == ["find-me"]


def test_a_client_that_hangs_up_takes_nothing_back_and_logs_nothing(scripted, log):
    cancelled = []
    done = Deferred(cancelled.append)
    scripted.leader.script.append(done)
    connection = scripted.connect()
    connection.request("PUT", "/kv/a", body=b"x")
    connection.hang_up()
    assert cancelled == []
    done.callback(PutDone(9, True))
    assert log == []
    assert scripted.counts.operations == ["put"]
    assert [labels[:3] for labels in scripted.counts.requests] == [("PUT", "/kv/{key}", 499)]


def test_a_client_that_hangs_up_before_a_failure_logs_nothing(scripted, log):
    done = Deferred()
    scripted.leader.script.append(done)
    connection = scripted.connect()
    connection.request("PUT", "/kv/a", body=b"x")
    connection.hang_up()
    done.errback(OutcomeUnknown())
    assert log == []


def test_a_client_that_hangs_up_in_the_middle_of_a_body_logs_nothing(scripted, log):
    connection = scripted.connect()
    connection.send(b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc")
    connection.hang_up()
    assert log == []
    assert scripted.leader.calls == []
    assert scripted.sites["node1"].body_bytes == 0


def test_requests_are_not_logged(scripted, log):
    scripted.put("a")
    scripted.ask("GET", "/kv/a")
    assert log == []


def test_an_answer_that_cannot_be_sent_is_logged(scripted, log):
    done = Deferred()
    scripted.leader.script.append(done)
    connection = scripted.connect()
    connection.request("PUT", "/kv/a", body=b"x")

    def write(data):
        raise OSError("no transport")

    connection.transport.write = write
    done.callback(PutDone(9, True))
    assert [type(event["log_failure"].value) for event in log] == [OSError]


def test_the_site_is_served_by_its_own_request_class_only(scripted):
    with pytest.raises(AssertionError):
        scripted.sites["node1"].root.render(None)

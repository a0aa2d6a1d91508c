"""The cluster event: what this node knows of the members, and what they say of themselves."""

import gzip
import json

import pytest
from attrs import evolve
from twisted.internet.protocol import Factory, Protocol

from minicloud.raft.configuration import Configuration, Suffrage
from minicloud.web.limits import (
    ASK_INTERVAL_S,
    ASK_LIMIT_S,
    MAX_ASK_ANSWER_BYTES,
    REPORT_FRESH_S,
    WATCH_S,
)
from tests.web.event_stage import Stage

REPORTED = {
    "state",
    "term",
    "commit_index",
    "applied_index",
    "last_log_index",
    "leader_id",
    "uptime_seconds",
    "version",
}


class Scripted(Protocol):
    """A server that is no node: takes whatever comes, and answers with what it is told to."""

    def dataReceived(self, data):
        self.factory.asked.append(data)
        if self.factory.answer is not None:
            self.transport.write(self.factory.answer)

    def connectionLost(self, reason):
        self.factory.lost += 1


def impostor(answer):
    """A site whose every answer is these bytes; None for one that never answers."""
    factory = Factory.forProtocol(Scripted)
    factory.answer, factory.asked, factory.lost, factory._channels = answer, [], 0, {}
    return factory


def response(body, head="HTTP/1.1 200 OK", further=""):
    length = f"Content-Length: {len(body)}\r\n"
    return f"{head}\r\n{length}{further}\r\n".encode() + body


@pytest.fixture
def stage():
    return Stage()


def own_status(stage, node_id, **changed):
    status = stage.ask("/raft/status", node_id).json
    return json.dumps({**status, **changed}).encode()


def member(document, node_id):
    return next(each for each in document["members"] if each["node_id"] == node_id)


def newest(page):
    return page.events("cluster")[-1]


def known(page, node_id="node3"):
    found = member(newest(page), node_id)
    return found["answers"], found["answered_ms"], found["reported"]


def test_it_is_made_of_the_documents_of_the_other_routes(stage):
    stage.ask("/kv/key", method="PUT", body=b"value")
    document = newest(stage.watch())
    status, members = stage.ask("/raft/status").json, stage.ask("/cluster/members").json
    assert list(document) == [
        "status",
        "members",
        "leader",
        "failure_tolerance",
        "quorum",
        "keys",
        "key_bytes",
        "pending_proposals",
        "at",
    ]
    assert list(document["status"]) == list(status)
    assert {**document["status"], "uptime_seconds": 0} == {**status, "uptime_seconds": 0}
    further = {"answers", "answered_ms", "reported"}
    assert [{k: v for k, v in each.items() if k not in further} for each in document["members"]] == members["members"]
    assert (document["leader"], document["failure_tolerance"]) == (members["leader"], members["failure_tolerance"])
    assert (document["keys"], document["key_bytes"], document["pending_proposals"]) == (1, 8, 0)
    assert document["at"] == pytest.approx(stage.now(), abs=0.1)


def test_it_holds_neither_keys_nor_values(stage):
    stage.ask("/kv/a-secret-key", method="PUT", body=b"a-secret-value")
    page = stage.watch()
    stage.pass_time(2.0)
    assert b"secret" not in page.body


def test_before_the_first_answer_nothing_is_known_of_others(stage):
    page = stage.watch()
    first = page.events("cluster")[0]
    for node_id in ("node2", "node3"):
        found = member(first, node_id)
        assert (found["answers"], found["answered_ms"], found["reported"]) == (None, None, None)
    own = member(first, "node1")
    assert (own["answers"], own["answered_ms"]) == (True, 0)
    assert own["reported"] == {name: first["status"][name] for name in REPORTED}


def test_others_are_asked_at_once_and_say_who_they_are(stage):
    stage.cluster.store.applied_index = 42
    page = stage.watch()
    stage.pass_time(0.25)
    answers, answered_ms, reported = known(page)
    assert answers is True
    assert 0 <= answered_ms <= 250
    assert set(reported) == REPORTED
    assert (reported["state"], reported["applied_index"], reported["leader_id"]) == ("Follower", 42, "node1")


def test_they_are_asked_every_half_second_and_without_a_token():
    stage = Stage(settings={"auth_token": "secret"})
    asked = stage.network.sites[stage.address("node3")] = impostor(None)
    asked.answer = response(own_status(stage, "node3"))
    page = stage.watch()
    stage.pass_time(10 * ASK_INTERVAL_S + 0.1)
    assert 10 <= len(asked.asked) <= 11
    assert known(page)[0] is True
    head = asked.asked[0].lower()
    assert head.startswith(b"get /raft/status http/1.1\r\n")
    assert b"authorization" not in head
    assert b"cookie" not in head


def test_nobody_is_asked_while_nobody_watches(stage):
    stage.pass_time(5.0)
    assert stage.network.dialled == []


def test_some_time_after_the_last_page_has_gone_nobody_is_asked_any_more(stage):
    page = stage.watch()
    stage.pass_time(1.0)
    page.connection.hang_up()
    stage.pass_time(WATCH_S + 1.0)
    stage.counted.clear()
    stage.pass_time(5.0)
    assert stage.counted == []


def test_who_asks_once_watches_for_a_while(stage):
    first = stage.ask("/events?format=json").json["cluster"]
    assert member(first, "node3")["answers"] is None
    stage.pass_time(1.0)
    again = stage.ask("/events?format=json").json["cluster"]
    assert member(again, "node3")["answers"] is True
    stage.pass_time(WATCH_S + 1.0)
    later = stage.ask("/events?format=json").json["cluster"]
    assert member(later, "node3")["answers"] is None  # not what was so long ago


def test_a_member_that_refuses_connections_does_not_answer(stage):
    stage.kill("node3")
    page = stage.watch()
    stage.pass_time(0.25)
    assert known(page) == (False, None, None)


def test_a_change_is_shown_within_a_quarter_of_a_second(stage):
    page = stage.watch()
    stage.pass_time(2.0)
    stage.kill("node3")
    stage.pass_time(ASK_INTERVAL_S + 0.25)
    assert known(page)[0] is False


def test_what_a_silent_member_said_last_is_shown_for_three_seconds(stage):
    page = stage.watch()
    stage.pass_time(2.0)
    stage.kill("node3")
    stage.pass_time(1.0)
    answers, answered_ms, reported = known(page)
    assert (answers, reported["state"]) == (False, "Follower")
    stage.pass_time(REPORT_FRESH_S + 1.0)
    answers, later_ms, reported = known(page)
    assert (answers, reported) == (False, None)
    assert later_ms > REPORT_FRESH_S * 1000 > answered_ms


def test_a_member_that_takes_no_connection_is_asked_once_at_a_time(stage):
    stage.network.silent.add(stage.address("node3"))
    page = stage.watch()
    stage.pass_time(ASK_LIMIT_S - 0.1)
    assert stage.network.dialled.count(stage.address("node3")) == 1
    assert known(page)[0] is None
    stage.pass_time(0.4)
    assert known(page)[0] is False
    stage.pass_time(3.0)
    assert stage.network.dialled.count(stage.address("node3")) <= 5


def test_a_member_that_never_answers_has_a_second(stage):
    stage.network.sites[stage.address("node3")] = asked = impostor(None)
    page = stage.watch()
    stage.pass_time(ASK_LIMIT_S - 0.1)
    assert known(page)[0] is None
    stage.pass_time(0.4)
    assert known(page)[0] is False
    assert asked.lost == 1


def test_an_answer_that_never_ends_has_a_second_too(stage):
    whole = response(own_status(stage, "node3"))
    stage.network.sites[stage.address("node3")] = asked = impostor(whole[:-1])
    page = stage.watch()
    stage.pass_time(ASK_LIMIT_S + 0.3)
    assert known(page)[0] is False
    assert asked.lost == 1


def test_another_node_at_its_address_does_not_answer_for_it(stage):
    stage.network.sites[stage.address("node3")] = stage.sites["node2"]
    page = stage.watch()
    stage.pass_time(1.0)
    assert known(page) == (False, None, None)
    assert known(page, "node2")[0] is True


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        response(b"{}"),
        response(b"[]"),
        response(b"not json"),
        response(b""),
        response(b'{"node_id":"node3"}'),
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_what_is_no_status_of_a_node_is_no_answer(stage, answer):
    stage.network.sites[stage.address("node3")] = impostor(answer)
    page = stage.watch()
    stage.pass_time(1.3)
    assert known(page) == (False, None, None)
    assert known(page, "node2")[0] is True


def _padded(body):
    return response(body + b" " * MAX_ASK_ANSWER_BYTES)


def _compressed(body):
    return response(gzip.compress(body), further="Content-Encoding: gzip\r\n")


def _chunked(body):
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("write", [_padded, _compressed, _chunked])
def test_an_answer_that_does_not_say_how_long_it_is_or_is_too_long_is_not_read(stage, write):
    """Something short can become very long when it is unpacked."""
    stage.network.sites[stage.address("node3")] = asked = impostor(response(own_status(stage, "node3")))
    page = stage.watch()
    stage.pass_time(0.25)
    assert known(page)[0] is True
    asked.answer = write(own_status(stage, "node3"))
    stage.pass_time(ASK_INTERVAL_S + 0.25)
    assert known(page)[0] is False


def test_redirects_are_not_followed(stage):
    elsewhere = stage.network.sites["127.0.0.1:9007"] = impostor(response(own_status(stage, "node3")))
    location = "Location: http://127.0.0.1:9007/raft/status\r\n"
    stage.network.sites[stage.address("node3")] = impostor(response(b"", "HTTP/1.1 307 Elsewhere", location))
    page = stage.watch()
    stage.pass_time(1.0)
    assert known(page) == (False, None, None)
    assert elsewhere.asked == []


@pytest.mark.parametrize("code", [401, 404, 500, 503])
def test_a_status_of_another_code_is_no_answer(stage, code):
    body = own_status(stage, "node3")
    stage.network.sites[stage.address("node3")] = impostor(response(body, f"HTTP/1.1 {code} No"))
    page = stage.watch()
    stage.pass_time(1.0)
    assert known(page) == (False, None, None)


@pytest.mark.parametrize(
    "wrong", [{"term": "many"}, {"term": None}, {"state": {}}, {"leader_id": 1}, {"uptime_seconds": "<b>"}]
)
def test_a_status_of_wrong_types_is_no_answer(stage, wrong):
    body = own_status(stage, "node3", **wrong)
    stage.network.sites[stage.address("node3")] = impostor(response(body))
    page = stage.watch()
    stage.pass_time(1.0)
    assert known(page) == (False, None, None)


def test_what_a_newer_version_tells_besides_is_left_out(stage):
    body = own_status(stage, "node3", mood="fine")
    stage.network.sites[stage.address("node3")] = impostor(response(body))
    page = stage.watch()
    stage.pass_time(1.0)
    assert set(known(page)[2]) == REPORTED


def test_a_member_without_an_http_address_is_not_asked(stage):
    node3 = evolve(stage.cluster.configuration.get("node3"), http_addr="")
    stage.cluster.configuration = stage.cluster.configuration.with_member(node3)
    page = stage.watch()
    stage.pass_time(1.0)
    assert known(page) == (None, None, None)


def test_a_member_that_moved_has_not_answered_there_yet(stage):
    page = stage.watch()
    stage.pass_time(1.0)
    node3 = evolve(stage.cluster.configuration.get("node3"), http_addr="127.0.0.1:9")
    stage.cluster.configuration = stage.cluster.configuration.with_member(node3)
    stage.pass_time(0.25)
    assert known(page)[0] in (None, False)
    stage.pass_time(1.0)
    assert known(page) == (False, None, None)


def test_a_member_that_was_removed_is_asked_no_more(stage):
    page = stage.watch()
    stage.pass_time(1.0)
    stage.network.sites[stage.address("node3")] = asked = impostor(None)
    stage.cluster.configuration = stage.cluster.configuration.without("node3")
    stage.pass_time(2.0)
    assert asked.asked == []
    assert [each["node_id"] for each in newest(page)["members"]] == ["node1", "node2"]


# The quorum


def test_voters_that_answer_or_are_heard_are_up(stage):
    page = stage.watch("node2")
    assert page.events("cluster")[0]["quorum"] == {"voters": 3, "needed": 2, "up": 1}
    stage.pass_time(1.0)
    assert newest(page)["quorum"] == {"voters": 3, "needed": 2, "up": 3}
    stage.kill("node3")
    stage.pass_time(1.0)
    assert newest(page)["quorum"] == {"voters": 3, "needed": 2, "up": 2}


def test_the_leader_hears_members_that_have_not_answered(stage):
    assert newest(stage.watch())["quorum"] == {"voters": 3, "needed": 2, "up": 3}


def test_a_follower_counts_who_does_not_answer_as_failed(stage):
    page = stage.watch("node2")
    stage.pass_time(1.0)
    assert newest(page)["failure_tolerance"] == 1
    stage.kill("node3")
    stage.pass_time(1.0)
    assert (newest(page)["failure_tolerance"], newest(page)["quorum"]["up"]) == (0, 2)


@pytest.mark.parametrize("healthy", [True, False])
def test_the_word_of_the_leader_counts_before_an_answer(stage, healthy):
    node = stage.cluster.nodes["node1"]
    members = node.members
    node.members = lambda: [
        evolve(each, healthy=healthy if each.member.node_id == "node3" else True) for each in members()
    ]
    page = stage.watch()
    if healthy:
        stage.kill("node3")
    stage.pass_time(1.0)
    assert known(page)[0] is not healthy
    assert newest(page)["quorum"] == {"voters": 3, "needed": 2, "up": 2 + healthy}
    assert newest(page)["failure_tolerance"] == int(healthy)


def test_learners_do_not_count(stage):
    first, second, third = stage.cluster.members
    learner = evolve(third, suffrage=Suffrage.LEARNER)
    stage.cluster.configuration = Configuration((first, second, learner))
    assert newest(stage.watch())["quorum"] == {"voters": 2, "needed": 2, "up": 2}


def test_a_node_that_is_no_member_counts_nobody(stage):
    stage.cluster.configuration = Configuration(())
    stage.cluster.leader = None
    document = newest(stage.watch())
    assert document["members"] == []
    assert document["quorum"] == {"voters": 0, "needed": 1, "up": 0}


# A fault of our own


def test_a_fault_once_does_not_end_the_questions(stage):
    page = stage.watch()
    stage.pass_time(1.05)
    node = stage.cluster.nodes["node1"]
    status = node.status

    def broken():
        node.status = status
        raise RuntimeError("a fault")

    node.status = broken
    stage.pass_time(0.5)
    assert node.status is status
    stage.kill("node3")
    stage.pass_time(1.0)
    assert known(page)[0] is False


# The end


def test_questions_that_are_under_way_end_with_the_node(stage):
    stage.network.sites[stage.address("node3")] = asked = impostor(None)
    stage.watch()
    stage.pass_time(0.2)
    stage.sites["node1"].shut_down(0.0)
    stage.pass_time(0.1)
    assert asked.lost == 1
    stage.pass_time(2.0)
    assert len(asked.asked) == 1

"""How a node gets itself into a cluster."""

import json
from itertools import pairwise

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.http_headers import Headers

from minicloud.client import exchange
from minicloud.client.exchange import Answer, Exchange, NoAnswer, NotSent
from minicloud.node.status import JoinRequest
from minicloud.service.joining import FIRST_DELAY_S, JOINED_CHECK_S, MAX_DELAY_S, Joiner
from tests.client.network import Network, raw

WISH = JoinRequest("node4", "10.0.0.4:9014", "10.0.0.4:9004", voter=True, instance_id="abc")
YES = 204


class Members:
    """Answers of a cluster, and what was asked of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[float, str]] = []
        self.requests = []
        self.tokens = []
        self.waiting: list[Deferred] = []

    async def send(self, server, request, token, limit_s) -> Answer:
        self.asked.append((self._clock.seconds(), server))
        self.requests.append(request)
        self.tokens.append(token)
        answer = self.answers[server]
        if isinstance(answer, Exception):
            raise answer
        if answer == "silence":
            self.waiting.append(Deferred())
            await self.waiting[-1]
        body = b"" if answer == YES else json.dumps({"detail": f"this is a {answer}."}).encode()
        return Answer(server, answer, Headers(), body)


class NoChance:
    def random(self) -> float:
        return 0.0


class Setting:
    def __init__(self, bases=("http://a:1", "http://b:2"), random=None) -> None:
        self.clock = Clock()
        self.members = Members(self.clock)
        self.is_member = False
        self.joiner = Joiner(
            bases,
            WISH,
            lambda: self.is_member,
            token="t0ken",
            exchange=self.members,
            reactor=self.clock,
            random=random or NoChance(),
        )

    def advance(self, seconds: float, step: float = 0.05) -> None:
        self.clock.pump([step] * round(seconds / step))


def test_it_says_who_it_is_and_shows_the_token() -> None:
    setting = Setting()
    setting.members.answers = {"http://a:1": YES}
    setting.joiner.start()
    (request,) = setting.members.requests
    assert (request.method, request.target) == ("POST", "/raft/join")
    assert dict(request.headers) == {"Content-Type": "application/json"}
    assert json.loads(request.body) == {
        "node_id": "node4",
        "raft_addr": "10.0.0.4:9014",
        "http_addr": "10.0.0.4:9004",
        "voter": True,
        "instance_id": "abc",
    }
    assert setting.members.tokens == ["t0ken"]


def test_a_member_asks_nobody() -> None:
    setting = Setting()
    setting.is_member = True
    setting.joiner.start()
    assert setting.members.asked == []


@pytest.mark.parametrize("bad", [503, 401, NotSent("connection refused"), NoAnswer("no answer within 15 s")])
def test_it_asks_the_next_one_where_one_says_no(bad: object) -> None:
    setting = Setting()
    setting.members.answers = {"http://a:1": bad, "http://b:2": YES}
    setting.joiner.start()
    assert [base for _, base in setting.members.asked] == ["http://a:1", "http://b:2"]


def test_it_asks_again_ever_less_often_until_one_says_yes() -> None:
    setting = Setting(bases=("http://a:1",))
    setting.members.answers = {"http://a:1": 503}
    setting.joiner.start()
    setting.advance(60)
    times = [when for when, _ in setting.members.asked]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:4] == pytest.approx([FIRST_DELAY_S * factor for factor in (1, 2, 4, 8)], abs=0.051)
    assert gaps[-1] == pytest.approx(MAX_DELAY_S, abs=0.1)


def test_chance_shortens_the_delays_by_half_at_most() -> None:
    class Most:
        def random(self) -> float:
            return 1.0

    setting = Setting(bases=("http://a:1",), random=Most())
    setting.members.answers = {"http://a:1": 503}
    setting.joiner.start()
    setting.advance(FIRST_DELAY_S * 0.49, step=0.001)
    assert len(setting.members.asked) == 1
    setting.advance(FIRST_DELAY_S * 0.02, step=0.001)
    assert len(setting.members.asked) == 2


def test_after_a_yes_it_ends_when_the_leader_has_reached_it() -> None:
    setting = Setting()
    setting.members.answers = {"http://a:1": YES}
    setting.joiner.start()
    setting.is_member = True
    setting.advance(100)
    assert len(setting.members.asked) == 1
    assert setting.clock.getDelayedCalls() == []


def test_after_a_yes_without_a_leader_that_comes_it_asks_again() -> None:
    setting = Setting()
    setting.members.answers = {"http://a:1": YES}
    setting.joiner.start()
    setting.advance(JOINED_CHECK_S * 1.1)
    assert len(setting.members.asked) == 2


@pytest.mark.parametrize("answer", [503, "silence"])
def test_stopping_ends_it_in_the_middle_of_whatever_it_waits_for(answer: object) -> None:
    setting = Setting(bases=("http://a:1",))
    setting.members.answers = {"http://a:1": answer}
    setting.joiner.start()
    setting.joiner.stop()
    setting.joiner.stop()
    setting.advance(100)
    assert len(setting.members.asked) == 1
    assert setting.clock.getDelayedCalls() == []


def test_the_same_yes_is_logged_once_and_a_change_of_mind_again(captured_log) -> None:
    setting = Setting(bases=("http://a:1",))
    for answer in (YES, 503, YES):
        setting.members.answers = {"http://a:1": answer}
        if answer == YES and not setting.members.asked:
            setting.joiner.start()
        setting.advance(30)
    assert [line.split(" ", 4)[:4] for line in captured_log("minicloud.service.joining")] == [
        ["http://a:1", "has", "let", "this"],
        ["http://a:1", "did", "not", "let"],
        ["http://a:1", "has", "let", "this"],
    ]


def test_the_same_refusal_is_logged_once(captured_log) -> None:
    setting = Setting()
    setting.members.answers = {"http://a:1": 503, "http://b:2": NotSent("connection refused")}
    setting.joiner.start()
    setting.advance(30)
    assert captured_log("minicloud.service.joining") == [
        "http://a:1 did not let this node into the cluster: status 503: this is a 503; it is asked again until it does",
        "http://b:2 did not let this node into the cluster: connection refused; it is asked again until it does",
    ]


def test_an_answer_that_is_no_problem_document_is_told_by_its_status(captured_log) -> None:
    setting = Setting(bases=("http://a:1",))

    async def send(*_) -> Answer:
        return Answer("http://a:1", 404, Headers(), b"<html>")

    setting.members.send = send
    setting.joiner.start()
    assert "status 404; it is asked" in captured_log("minicloud.service.joining")[0]
    setting.joiner.stop()


def test_an_error_of_our_own_ends_it_and_is_logged(captured_log) -> None:
    setting = Setting()
    setting.members.answers = {}
    setting.joiner.start()
    assert captured_log("minicloud.service.joining") == ["no longer trying to join the cluster"]


@pytest.mark.parametrize("server", ["a:1", "[::1]:1", "project_node-1:1", "[fe80::1%eth0]:1"])
def test_no_answer_ends_it_and_no_address_of_a_member(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 1000)
    network = Network()
    network.serve(server.strip("[").replace("]", ""), raw(200, b"x" * 1001), raw(200, b"<html>"), always=raw(204))
    joiner = Joiner(
        [f"http://{server}"],
        WISH,
        lambda: len(network.seen) == 3,
        token="t0ken",
        exchange=Exchange(network.clock, network.agent()),
        reactor=network.clock,
        random=NoChance(),
    )
    joiner.start()
    for _ in range(500):
        network.advance(0.01)
    assert network.asked() == [f"POST {server.strip('[').replace(']', '')}/raft/join"] * 3

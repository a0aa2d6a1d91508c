import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from minicloud.kv.commands import PutDone
from minicloud.node.errors import NotLeader, OutcomeUnknown, ProposalLost
from minicloud.raft.configuration import Configuration, Member
from minicloud.web.limits import FORWARD_MARGIN_S, MAX_FORWARD_ANSWER_BYTES, MAX_FORWARDS

TOKEN = "s3cret"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

# Redirects


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_write_on_a_follower_is_redirected_to_the_leader(world, method):
    response, leader = world.ask(method, "/kv/a", body=b"x", node="follower"), world.member()
    assert response.code == 307
    assert response["Location"] == f"http://{leader.http_addr}/kv/a"
    assert response.json == {"leader": leader.node_id, "location": f"http://{leader.http_addr}/kv/a"}
    assert response["Minicloud-Leader"] == leader.node_id
    assert world.value("a") is None


@pytest.mark.parametrize(
    "target", ["/kv/a%2Fb//c/../d?timeout=5s&redirect", "/kv/%D0%BA?redirect=1&timeout=1s", "/kv/a;?", "/kv/a%3b;=+"]
)
def test_the_location_keeps_path_and_query_as_they_were_sent(world, target):
    response = world.ask("PUT", target, body=b"x", node="follower")
    assert response["Location"] == f"http://{world.member().http_addr}{target}"


def test_the_redirect_leads_to_the_write(world):
    location = world.ask("PUT", "/kv/a%2Fb?timeout=5s", body=b"x", node="follower")["Location"]
    target = location.removeprefix(f"http://{world.member().http_addr}")
    assert world.ask("PUT", target, body=b"x").code == 200
    assert world.value("a/b") == b"x"


def test_an_absolute_target_is_redirected_by_its_path(world):
    response = world.ask("PUT", "http://127.0.0.1:9002/kv/a?timeout=1s", body=b"x", node="follower")
    assert response["Location"] == f"http://{world.member().http_addr}/kv/a?timeout=1s"


def test_the_location_is_https_where_the_cluster_speaks_it(make_world):
    world = make_world(tls=True)
    response = world.ask("PUT", "/kv/a", body=b"x", node="follower")
    assert response["Location"] == f"https://{world.member().http_addr}/kv/a"


def test_a_write_without_a_leader_is_a_503(world, node):
    world.lose_leader()
    response = world.ask("PUT", "/kv/a", body=b"x", node=node)
    assert (response.code, response.problem, response["Retry-After"]) == (503, "no_leader", "1")


def test_a_node_never_redirects_to_itself(scripted):
    scripted.leader.script.append(NotLeader(scripted.leader.member))
    assert scripted.ask("PUT", "/kv/a", body=b"x").problem == "no_leader"


def test_a_lost_proposal_may_be_retried(scripted):
    scripted.leader.script.append(ProposalLost(scripted.follower.member))
    response = scripted.ask("PUT", "/kv/a", body=b"x")
    assert (response.code, response.problem, response.json["retryable"]) == (503, "proposal_lost", True)
    assert response.json["leader"] == "node2"


# Forwarding


@pytest.fixture
def forwarding(make_world):
    return make_world(forward_writes=True)


@pytest.fixture
def scripted_forwarding(make_scripted):
    return make_scripted(forward_writes=True)


def test_a_follower_forwards_on_request(world):
    response = world.ask("PUT", "/kv/a?forward", body=b"x", node="follower")
    revision = world.revision()
    assert response.json == {"key": "a", "revision": revision, "created": True}
    assert response["ETag"] == f'"{revision}"'
    assert response["Minicloud-Forwarded-By"] == world.id_of("follower")
    assert response["Minicloud-Node"] == world.id_of("leader")
    assert response["Minicloud-Revision"] == str(revision)
    assert world.value("a") == b"x"


def test_a_follower_forwards_where_that_is_configured(forwarding):
    response = forwarding.ask("PUT", "/kv/a", body=b"x", node="other")
    assert response["Minicloud-Forwarded-By"] == forwarding.id_of("other")
    assert forwarding.ask("DELETE", "/kv/a", node="other").json["deleted"] is True


def test_a_redirect_can_be_asked_for_where_forwarding_is_configured(forwarding):
    assert forwarding.ask("PUT", "/kv/a?redirect", body=b"x", node="follower").code == 307


def test_both_at_once_are_refused(world, node):
    assert world.ask("PUT", "/kv/a?forward&redirect", body=b"x", node=node).problem == "bad_parameter"


def test_on_the_leader_forward_changes_nothing(world):
    response = world.ask("PUT", "/kv/a?forward", body=b"x")
    assert response.code == 200
    assert response.get("Minicloud-Forwarded-By") is None


@pytest.mark.parametrize("size", [0, 1, 70_000, 1024 * 1024])
def test_the_body_arrives_byte_by_byte(forwarding, size):
    value = bytes(i % 251 for i in range(size))
    assert forwarding.ask("PUT", "/kv/a", body=value, node="follower").code == 200
    assert forwarding.value("a") == value


def test_conditions_and_request_id_travel_along(forwarding):
    revision = forwarding.put("a")
    headers = {"If-Match": f'"{revision - 1}"', "X-Request-ID": "my-id"}
    response = forwarding.ask("PUT", "/kv/a", headers, b"x", node="follower")
    assert (response.code, response.problem) == (412, "precondition_failed")
    assert response.json["current_revision"] == revision
    assert response["ETag"] == f'"{revision}"'
    assert response.headers["x-request-id"] == ["my-id"]
    assert response["Minicloud-Forwarded-By"] == forwarding.id_of("follower")


def test_the_time_limit_travels_along(scripted_forwarding):
    scripted_forwarding.ask("PUT", "/kv/a?timeout=3s", body=b"x", node="follower")
    assert scripted_forwarding.leader.calls[-1][2] == 3.0


def test_a_request_takes_one_hop_only(scripted_forwarding):
    """Scenario 17: two nodes each believe that the other leads."""
    second = scripted_forwarding.cluster.nodes["node3"]
    scripted_forwarding.follower.script.append(NotLeader(second.member))
    second.script.append(NotLeader(scripted_forwarding.follower.member))
    response = scripted_forwarding.ask("PUT", "/kv/a", body=b"x", node="follower")
    assert (response.code, response.problem) == (503, "not_leader")
    assert response.json["retryable"] is True
    assert response.json["leader"] == "node2"
    assert response["Minicloud-Node"] == "node3"
    assert scripted_forwarding.network.dialled == ["127.0.0.1:9003"]
    assert scripted_forwarding.cluster.store.get("a") is None


def test_a_forwarded_request_is_not_redirected_either(world):
    response = world.ask("PUT", "/kv/a", {"Minicloud-Forwarded-From": "node3"}, b"x", node="follower")
    assert (response.code, response.problem) == (503, "not_leader")


def test_a_leader_that_refuses_the_connection_got_nothing(scripted_forwarding):
    del scripted_forwarding.network.sites["127.0.0.1:9001"]
    response = scripted_forwarding.ask("PUT", "/kv/a", body=b"x", node="follower")
    assert (response.code, response.problem, response.json["retryable"]) == (503, "leader_unreachable", True)
    assert response["Retry-After"] == "1"
    assert scripted_forwarding.network.dialled == ["127.0.0.1:9001"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_connection_lost_after_sending_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    scripted_forwarding, method
):
    """Scenario 15."""
    scripted_forwarding.leader.script.append(Deferred())
    connection = scripted_forwarding.connect("follower")
    connection.request(method, "/kv/a", body=b"x")
    for _ in range(5):
        scripted_forwarding.pump()
    assert len(scripted_forwarding.leader.calls) == 1
    scripted_forwarding.network.pumps[0].serverIO.loseConnection()
    response = connection.answer()
    assert (response.code, response.problem, response.json["retryable"]) == (504, "outcome_unknown", False)
    assert len(scripted_forwarding.leader.calls) == 1
    assert scripted_forwarding.network.dialled == ["127.0.0.1:9001"]


def test_a_leader_that_does_not_answer_leaves_the_outcome_unknown(scripted_forwarding):
    scripted_forwarding.leader.script.append(Deferred())
    connection = scripted_forwarding.connect("follower")
    connection.request("PUT", "/kv/a?timeout=2s", body=b"x")
    for _ in range(5):
        scripted_forwarding.pump()
    scripted_forwarding.clock.advance(1.9 + FORWARD_MARGIN_S)
    assert connection.responses == []
    scripted_forwarding.clock.advance(0.2)
    assert connection.answer().problem == "outcome_unknown"


def test_a_leader_that_does_not_even_take_the_connection_got_nothing(scripted_forwarding):
    scripted_forwarding.network.silent.add("127.0.0.1:9001")
    connection = scripted_forwarding.connect("follower")
    connection.request("PUT", "/kv/a?timeout=1s", body=b"x")
    scripted_forwarding.clock.advance(1.0 + FORWARD_MARGIN_S)
    response = connection.answer()
    assert (response.code, response.problem, response.json["retryable"]) == (503, "leader_unreachable", True)


def test_the_leaders_own_errors_are_relayed(scripted_forwarding):
    scripted_forwarding.leader.script.append(OutcomeUnknown())
    response = scripted_forwarding.ask("PUT", "/kv/a", body=b"x", node="follower")
    assert (response.code, response.problem) == (504, "outcome_unknown")
    assert response["Minicloud-Forwarded-By"] == "node2"


def test_a_client_that_hangs_up_does_not_stop_a_forwarded_write(scripted_forwarding):
    done = Deferred()
    scripted_forwarding.leader.script.append(done)
    connection = scripted_forwarding.connect("follower")
    connection.request("PUT", "/kv/a", body=b"x")
    for _ in range(5):
        scripted_forwarding.pump()
    connection.hang_up()
    done.callback(PutDone(9, True))
    for _ in range(5):
        scripted_forwarding.pump()
    assert ("PUT", "/kv/{key}", 499) in [labels[:3] for labels in scripted_forwarding.counts.requests]
    assert ("PUT", "/kv/{key}", 200) in [labels[:3] for labels in scripted_forwarding.counts.requests]


def test_connections_to_the_leader_are_reused(scripted_forwarding):
    for _ in range(5):
        assert scripted_forwarding.ask("PUT", "/kv/a", body=b"x", node="follower").code == 200
    assert scripted_forwarding.network.dialled == ["127.0.0.1:9001"]


def test_forwards_in_flight_are_bounded(scripted_forwarding):
    scripted_forwarding.network.silent.add("127.0.0.1:9001")
    for _ in range(MAX_FORWARDS):
        scripted_forwarding.connect("follower").request("PUT", "/kv/a", body=b"x")
    response = scripted_forwarding.ask("PUT", "/kv/a", body=b"x", node="follower")
    assert (response.code, response.problem) == (503, "overloaded")


def test_an_endless_answer_is_cut(scripted_forwarding):
    record = "k" * 1024
    scripted_forwarding.leader.script.append(Deferred())
    connection = scripted_forwarding.connect("follower")
    connection.request("PUT", f"/kv/{record}", body=b"x")
    for _ in range(5):
        scripted_forwarding.pump()
    server = scripted_forwarding.network.pumps[0].serverIO
    server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * (MAX_FORWARD_ANSWER_BYTES + 1))
    assert connection.answer().problem == "outcome_unknown"


def test_why_the_leader_was_not_reached_is_told_and_logged_once(scripted_forwarding, forwarding_log):
    del scripted_forwarding.network.sites["127.0.0.1:9001"]
    for _ in range(3):
        response = scripted_forwarding.ask("PUT", "/kv/a", body=b"x", node="follower")
        assert response.json["detail"] == "The leader could not be reached; nothing was sent (connection refused)."
    line = "no answer from the leader node1 at 127.0.0.1:9001 to a request that was passed on: "
    assert forwarding_log == [line + "connection refused"]
    scripted_forwarding.network.silent.add("127.0.0.1:9001")
    connection = scripted_forwarding.connect("follower")
    connection.request("PUT", "/kv/a?timeout=1s", body=b"x")
    scripted_forwarding.clock.advance(1.0 + FORWARD_MARGIN_S)
    connection.answer()
    assert forwarding_log[1:] == [line + "no connection within 3 s"]


@pytest.fixture
def forwarding_log():
    lines = []

    def observe(event):
        if event.get("log_namespace") == "minicloud.web.forwarding.Forwarder":
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


# The token


@pytest.fixture
def guarded(make_world):
    return make_world(forward_writes=True, auth_token=TOKEN)


def test_the_token_travels_to_the_leader(guarded):
    assert guarded.ask("PUT", "/kv/a", BEARER, b"x", node="follower").code == 200


def test_without_the_token_nothing_is_forwarded(guarded):
    assert guarded.ask("PUT", "/kv/a", body=b"x", node="follower").problem == "unauthorized"
    assert guarded.network.dialled == []


@pytest.fixture
def scripted_guarded(make_scripted):
    return make_scripted(forward_writes=True, auth_token=TOKEN)


def test_the_token_goes_to_members_of_the_committed_configuration_only(scripted_guarded):
    stranger = evolve(scripted_guarded.leader.member, node_id="node9", http_addr="127.0.0.1:6666")
    scripted_guarded.follower.script.append(NotLeader(stranger))
    response = scripted_guarded.ask("PUT", "/kv/a", BEARER, b"x", node="follower")
    assert (response.code, response.problem, response.json["retryable"]) == (503, "leader_unconfirmed", True)
    assert scripted_guarded.network.dialled == []


def test_the_token_does_not_go_to_a_members_uncommitted_address(scripted_guarded):
    assert scripted_guarded.ask("PUT", "/kv/a", BEARER, b"x", node="follower").code == 200
    moved = evolve(scripted_guarded.leader.member, http_addr="127.0.0.1:6666")
    scripted_guarded.cluster.configuration = Configuration((moved, *scripted_guarded.cluster.members[1:]))
    scripted_guarded.cluster.configuration_index = 1000
    scripted_guarded.follower.script.append(NotLeader(moved))
    assert scripted_guarded.ask("PUT", "/kv/a", BEARER, b"x", node="follower").problem == "leader_unconfirmed"
    assert scripted_guarded.network.dialled == ["127.0.0.1:9001"]


def test_an_uncommitted_change_elsewhere_stops_no_forwarding(scripted_guarded):
    added = Member("node4", "127.0.0.1:9014", "127.0.0.1:9004")
    scripted_guarded.cluster.configuration = scripted_guarded.cluster.configuration.with_member(added)
    scripted_guarded.cluster.configuration_index = 1000
    assert scripted_guarded.ask("PUT", "/kv/a", BEARER, b"x", node="follower").code == 200

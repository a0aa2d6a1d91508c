import pytest

from minicloud.node.errors import (
    ChangeInProgress,
    ChangeRefused,
    NodeStopping,
    OutcomeUnknown,
    Overloaded,
    QuorumAtRisk,
    TransferFailed,
    UnknownMember,
)
from minicloud.node.status import JoinRequest

JSON = {"Content-Type": "application/json"}
JOIN = b'{"node_id":"node4","raft_addr":"127.0.0.1:9014"}'


def post(world, path, body, headers=JSON, **options):
    return world.ask("POST", path, headers, body, **options)


def configuration(world, node="leader"):
    """The servers by id, and the index of the configuration."""
    told = world.ask("GET", "/raft/config", node=node).json
    return {server["node_id"]: server for server in told["servers"]}, told["index"]


def test_a_node_joins_through_any_member(world, node):
    response = post(world, "/raft/join", JOIN, node=node)
    assert (response.code, response.body) == (204, b"")
    joined = configuration(world)[0]["node4"]
    assert (joined["raft_addr"], joined["http_addr"]) == ("127.0.0.1:9014", "127.0.0.1:9004")


def test_joining_twice_is_joining_once(world, node):
    assert post(world, "/raft/join", JOIN, node=node).code == 204
    before = configuration(world)
    assert post(world, "/raft/join", JOIN, node=node).code == 204
    assert configuration(world) == before


def test_a_node_is_removed_through_any_member(world, node):
    removed = world.id_of("other")
    assert post(world, "/raft/remove", b'{"node_id":"%b"}' % removed.encode(), node=node).code == 204
    assert removed not in configuration(world)[0]


def test_removing_a_stranger_is_a_404(world, node):
    before = configuration(world)
    response = post(world, "/raft/remove", b'{"node_id":"node9"}', node=node)
    assert (response.code, response.problem) == (404, "unknown_member")
    assert configuration(world) == before


def test_leadership_is_transferred_through_any_member(world, node):
    target = world.id_of("other")
    assert post(world, "/raft/transfer", b'{"node_id":"%b"}' % target.encode(), node=node).code == 204
    assert world.ask("GET", "/raft/status", node=target).json["is_leader"] is True


def test_join_is_done_by_the_leader_whoever_is_asked(scripted, node):
    response = post(scripted, "/raft/join", JOIN, node=node)
    assert (response.code, response.body) == (204, b"")
    assert scripted.leader.calls == [("join", JoinRequest("node4", "127.0.0.1:9014", "127.0.0.1:9004", True, ""), 10.0)]


def test_join_takes_everything_that_a_node_tells(scripted):
    body = b'{"node_id":"n","raft_addr":"[::1]:9014","http_addr":"kv.example:80","voter":false,"instance_id":"0123abc"}'
    assert post(scripted, "/raft/join?timeout=2s", body).code == 204
    assert scripted.leader.calls == [("join", JoinRequest("n", "[::1]:9014", "kv.example:80", False, "0123abc"), 2.0)]


def test_remove_is_done_by_the_leader_whoever_is_asked(scripted, node):
    assert post(scripted, "/raft/remove", b'{"node_id":"node3"}', node=node).code == 204
    assert post(scripted, "/raft/remove", b'{"node_id":"node2","force":true}', node=node).code == 204
    assert scripted.leader.calls == [("remove", "node3", False, 10.0), ("remove", "node2", True, 10.0)]


@pytest.mark.parametrize(
    ("body", "target"), [(b"", None), (b"{}", None), (b'{"node_id":null}', None), (b'{"node_id":"node2"}', "node2")]
)
def test_transfer_names_a_member_or_leaves_the_choice(scripted, body, target, node):
    assert post(scripted, "/raft/transfer", body, node=node).code == 204
    assert scripted.leader.calls == [("transfer", target, 10.0)]


@pytest.mark.parametrize(
    ("error", "code", "problem", "retryable"),
    [
        (ChangeInProgress(), 409, "change_in_progress", True),
        (UnknownMember("node9"), 404, "unknown_member", False),
        (QuorumAtRisk("Two of three voters are down."), 409, "quorum_at_risk", False),
        (ChangeRefused("n1 is the last voter."), 409, "change_refused", False),
        (TransferFailed("node2 did not take over", timed_out=True), 504, "transfer_failed", True),
        (TransferFailed("node2 is a learner", timed_out=False), 409, "transfer_failed", True),
        (OutcomeUnknown(), 504, "outcome_unknown", False),
        (Overloaded(5000), 503, "overloaded", True),
        (NodeStopping(), 503, "stopping", True),
    ],
    ids=lambda value: getattr(value, "__class__", value).__name__,
)
def test_each_refusal_of_the_node_has_its_answer(scripted, error, code, problem, retryable, node):
    scripted.leader.script.append(error)
    response = post(scripted, "/raft/remove", b'{"node_id":"node9"}', node=node)
    assert (response.code, response.problem, response.json["retryable"]) == (code, problem, retryable)


def test_without_a_leader_admin_requests_are_503(world, node):
    world.lose_leader()
    assert post(world, "/raft/join", JOIN, node=node).problem == "no_leader"


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"],
)
def test_what_a_form_of_another_site_can_send_is_refused(world, content_type, node):
    headers = {} if content_type is None else {"Content-Type": content_type}
    before = configuration(world)
    response = post(world, "/raft/join", JOIN, headers, node=node)
    assert (response.code, response.problem) == (415, "unsupported_media_type")
    assert configuration(world) == before


def test_a_charset_beside_the_content_type_is_fine(world):
    assert post(world, "/raft/join", JOIN, {"Content-Type": "Application/JSON; charset=utf-8"}).code == 204


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/raft/join", b"", ""),
        ("/raft/join", b"{", ""),
        ("/raft/join", b"[]", ""),
        ("/raft/join", b"null", ""),
        ("/raft/join", b"{}", "node_id"),
        ("/raft/join", b'{"node_id":"n"}', "raft_addr"),
        ("/raft/join", b'{"node_id":7,"raft_addr":"h:1000"}', "node_id"),
        ("/raft/join", b'{"node_id":"a b","raft_addr":"h:1000"}', "node_id"),
        ("/raft/join", b'{"node_id":"","raft_addr":"h:1000"}', "node_id"),
        ("/raft/join", b'{"node_id":"n\\n","raft_addr":"h:1000"}', "node_id"),
        ("/raft/join", b'{"node_id":"' + b"n" * 65 + b'","raft_addr":"h:1000"}', "node_id"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h"}', "raft_addr"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:0"}', "raft_addr"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:99999"}', "raft_addr"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"0.0.0.0:9014"}', "raft_addr"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"127.0.0.1:90XX"}', "raft_addr"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:5"}', "http_addr"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:1000","http_addr":"[::]:80"}', "http_addr"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:1000","voter":1}', "voter"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:1000","voter":"yes"}', "voter"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:1000","votre":true}', "votre"),
        ("/raft/join", b'{"node_id":"n","raft_addr":"h:1000"} x', ""),
        ("/raft/join", b"\xff", ""),
        ("/raft/join", b"[" * 50_000, ""),
        ("/raft/join", b'{"n\xc8":1}', ""),
        ("/raft/remove", b"{}", "node_id"),
        ("/raft/remove", b'{"node_id":"n","force":"yes"}', "force"),
        ("/raft/transfer", b'{"node_id":5}', "node_id"),
        ("/raft/transfer", b'{"to":"n"}', "to"),
    ],
)
def test_a_bad_body_is_refused_naming_the_field(world, path, body, named, node):
    before = configuration(world)
    response = post(world, path, body, node=node)
    assert (response.code, response.problem) == (400, "bad_body")
    assert named in response.json["detail"]
    assert configuration(world) == before


@pytest.mark.parametrize("query", ["redirect", "ttl=1s", "timeout=never"])
def test_a_bad_query_is_refused(world, query):
    before = configuration(world)
    assert post(world, f"/raft/join?{query}", JOIN).code == 400
    assert configuration(world) == before


def test_forward_may_be_said_as_it_is_what_happens(world):
    assert post(world, "/raft/join?forward", JOIN, node="follower").code == 204


def test_a_forwarded_admin_request_tells_who_passed_it_on(world):
    response = post(world, "/raft/join", JOIN, node="follower")
    assert response["Minicloud-Forwarded-By"] == world.id_of("follower")
    assert response["Minicloud-Node"] == world.id_of("leader")


@pytest.mark.parametrize("path", ["/raft/join", "/raft/remove", "/raft/transfer"])
def test_admin_requests_need_the_token(make_world, path, node):
    world = make_world(auth_token="t")
    before, leader = configuration(world), world.id_of("leader")
    response = post(world, path, b'{"node_id":"%b","raft_addr":"h:1000"}' % world.id_of("other").encode(), node=node)
    assert (response.code, response.problem) == (401, "unauthorized")
    assert response["WWW-Authenticate"] == "Bearer"
    assert (configuration(world), world.ask("GET", "/raft/status").json["leader_id"]) == (before, leader)


@pytest.mark.parametrize("path", ["/raft/join", "/raft/remove", "/raft/transfer"])
def test_admin_requests_are_posts(world, path):
    response = world.ask("GET", path)
    assert (response.code, response["Allow"]) == (405, "POST")

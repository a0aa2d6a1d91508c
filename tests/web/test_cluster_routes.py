import pytest

from minicloud import __version__
from minicloud.raft.configuration import Configuration, Suffrage
from minicloud.web.cluster import failure_tolerance


@pytest.mark.parametrize("path", ["/health", "/livez"])
def test_a_living_process_says_ok(world, path, node):
    world.lose_leader()
    response = world.ask("GET", path, node=node)
    assert (response.code, response.body) == (200, b"OK")
    assert response["Content-Type"].startswith("text/plain")


def test_ready_tells_each_check(world, node):
    response = world.ask("GET", "/readyz", node=node)
    assert response.code == 200
    assert response.json == {"ready": True, "checks": {"leader_known": True, "caught_up": True, "member": True}}


def test_without_a_leader_a_node_is_not_ready(world, node):
    world.lose_leader()
    response = world.ask("GET", "/readyz", node=node)
    assert (response.code, response.problem, response["Retry-After"]) == (503, "not_ready", "1")
    assert response.json["checks"]["leader_known"] is False


@pytest.mark.parametrize("broken", ["leader_known", "caught_up", "member"])
def test_not_ready_is_a_503_that_tells_what_is_missing(scripted, broken):
    if broken == "leader_known":
        scripted.lose_leader()
    elif broken == "caught_up":
        scripted.follower.caught_up = False
    else:
        scripted.follower.state = "Removed"
    response = scripted.ask("GET", "/readyz", node="follower")
    assert (response.code, response.problem, response["Retry-After"]) == (503, "not_ready", "1")
    assert response.json["checks"] == {name: name != broken for name in ("leader_known", "caught_up", "member")}
    assert broken in response.json["detail"]


def test_raft_status_of_the_leader(world):
    world.put("a")
    status, leader = world.ask("GET", "/raft/status").json, world.member()
    assert list(status) == [
        "node_id",
        "state",
        "is_leader",
        "leader",
        "leader_id",
        "leader_http",
        "term",
        "commit_index",
        "applied_index",
        "last_log_index",
        "snapshot_index",
        "last_contact_ms",
        "uptime_seconds",
        "version",
    ]
    assert (status["node_id"], status["state"], status["is_leader"]) == (leader.node_id, "Leader", True)
    assert (status["leader"], status["leader_id"]) == (leader.raft_addr, leader.node_id)
    assert status["leader_http"] == leader.http_addr
    assert status["term"] >= 1
    assert status["commit_index"] == status["applied_index"] == status["last_log_index"] == world.revision()
    assert (status["snapshot_index"], status["last_contact_ms"], status["version"]) == (0, 0, __version__)


def test_uptime_is_in_seconds(world):
    before = world.ask("GET", "/raft/status").json["uptime_seconds"]
    world.pass_time(2.5)
    assert world.ask("GET", "/raft/status").json["uptime_seconds"] == pytest.approx(before + 2.5, abs=0.5)


def test_raft_status_of_a_follower(world):
    status = world.ask("GET", "/raft/status", node="follower").json
    assert (status["state"], status["is_leader"], status["leader_id"]) == ("Follower", False, world.id_of("leader"))
    assert 0 <= status["last_contact_ms"] < 1000


def test_raft_status_without_a_leader(world, node):
    world.lose_leader()
    status = world.ask("GET", "/raft/status", node=node).json
    assert (status["is_leader"], status["leader"], status["leader_id"], status["leader_http"]) == (
        False,
        None,
        None,
        None,
    )


def test_raft_config_lists_the_servers(world, node):
    config = world.ask("GET", "/raft/config", node=node).json
    assert config["index"] >= 1
    assert config["servers"] == [
        {
            "node_id": member.node_id,
            "raft_addr": member.raft_addr,
            "http_addr": member.http_addr,
            "suffrage": "Voter",
        }
        for member in map(world.member, sorted(map(world.id_of, ("leader", "follower", "other"))))
    ]


def test_members_as_the_leader_knows_them(world):
    world.put("a")
    world.pass_time(1.0)
    answer, leader = world.ask("GET", "/cluster/members").json, world.member()
    assert (answer["leader"], answer["failure_tolerance"]) == (leader.node_id, 1)
    told = {member["node_id"]: member for member in answer["members"]}
    assert told[leader.node_id] == {
        "node_id": leader.node_id,
        "raft_addr": leader.raft_addr,
        "http_addr": leader.http_addr,
        "suffrage": "Voter",
        "is_leader": True,
        "healthy": True,
        "match_index": world.revision(),
        "lag_entries": 0,
        "last_contact_ms": 0,
    }
    follower = told[world.id_of("follower")]
    assert (follower["is_leader"], follower["healthy"], follower["lag_entries"]) == (False, True, 0)
    assert follower["match_index"] == world.revision()


def test_members_as_a_follower_knows_them(world):
    answer = world.ask("GET", "/cluster/members", node="follower").json
    told = {member["node_id"]: member for member in answer["members"]}
    assert (answer["leader"], answer["failure_tolerance"]) == (world.id_of("leader"), 1)
    assert told[world.id_of("leader")]["is_leader"] is True
    assert (told[world.id_of("other")]["healthy"], told[world.id_of("other")]["match_index"]) == (None, None)


@pytest.mark.parametrize(
    ("healthy", "tolerance"),
    [
        ([True], 0),
        ([True, True], 0),
        ([True, True, True], 1),
        ([True, True, False], 0),
        ([True, False, False], 0),
        ([True, None, None], 1),
        ([True] * 5, 2),
        ([], 0),
    ],
)
def test_failure_tolerance_counts_what_may_still_fail(scripted, healthy, tolerance):
    from attrs import evolve

    template = scripted.leader.members()[0]
    assert failure_tolerance([evolve(template, healthy=each) for each in healthy]) == tolerance


def test_learners_do_not_count_for_failure_tolerance(scripted):
    from attrs import evolve

    learner = evolve(scripted.cluster.members[2], suffrage=Suffrage.LEARNER)
    scripted.cluster.configuration = Configuration((*scripted.cluster.members[:2], learner))
    assert scripted.ask("GET", "/cluster/members").json["failure_tolerance"] == 0


def test_cluster_status_tells_who_this_node_is(world, node):
    status, member = world.ask("GET", "/cluster/status", node=node).json, world.member(node)
    others = {world.member(role).http_addr for role in ("leader", "follower", "other")} - {member.http_addr}
    assert (status["node_id"], status["address"]) == (member.node_id, member.http_addr)
    assert set(status["peers"]) == others
    assert len(status["cluster_id"]) == 32


@pytest.mark.parametrize(
    "path",
    [
        "/health/",
        "/healthz",
        "/kvx",
        "/raft",
        "/raft/",
        "/raft//status",
        "/raft/../health",
        "/RAFT/status",
        "/raft/st%61tus",
        "/raft/backup",
        "/raft/restore",
        "/openapi.json",
        "//health",
        "//",
        "/dashboard/",
        "/static",
        "*",
        "health",
        "ftp://127.0.0.1:9001/health",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_a_404_problem(world, method, path, node):
    response = world.ask(method, path, body=b"x" if method == "POST" else None, node=node)
    assert (response.code, response.problem) == (404, "unknown_path")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/kv/a", "DELETE, GET, HEAD, PUT"),
        ("POST", "/kv", "GET, HEAD"),
        ("PATCH", "/kv/a", "DELETE, GET, HEAD, PUT"),
        ("OPTIONS", "/kv/a", "DELETE, GET, HEAD, PUT"),
        ("get", "/kv/a", "DELETE, GET, HEAD, PUT"),
        ("PUT", "/health", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("PUT", "/raft/join", "POST"),
        ("HEAD", "/raft/join", "POST"),
        ("POST", "/static/app.js", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_a_405_that_tells_the_right_ones(world, method, path, allow, node):
    response = world.ask(method, path, node=node)
    assert (response.code, response["Allow"]) == (405, allow)
    if method != "HEAD":
        assert response.problem == "method_not_allowed"


@pytest.mark.parametrize("path", ["/health", "/readyz", "/raft/status", "/cluster/members", "/metrics", "/"])
def test_head_works_on_every_get(world, path):
    get, head = world.ask("GET", path), world.ask("HEAD", path)
    assert (head.code, head.body, head["Content-Length"]) == (get.code, b"", str(len(get.body)))


def test_the_absolute_form_of_a_target_is_understood(world):
    """RFC 9112, section 3.2.2: a server must accept it."""
    assert world.ask("GET", "http://127.0.0.1:9001/health").body == b"OK"
    assert world.ask("GET", "http://127.0.0.1:9001").code == 302
    assert world.ask("GET", "http://evil.example/health").code == 421

import pytest
from twisted.internet.defer import Deferred

from minicloud.node.errors import NotLeader, ReadTimeout


def test_a_read_sees_what_was_written_before_it_on_any_node(world, node):
    for n in range(5):
        world.put("a", b"%d" % n)
        assert world.ask("GET", "/kv/a", node=node).body == b"%d" % n


def test_a_read_waits_for_the_barrier(scripted, node):
    scripted.put("a", b"old")
    barrier = Deferred()
    scripted.node(node).script.append(barrier)
    connection = scripted.connect(node)
    connection.request("GET", "/kv/a")
    assert connection.responses == []
    scripted.put("a", b"new")
    barrier.callback(None)
    assert connection.answer().body == b"new"


@pytest.mark.parametrize("query", ["stale", "stale=true", "stale=1", "consistency=stale"])
def test_a_stale_read_asks_nobody(world, query, node):
    revision = world.put("a", b"x")
    assert world.ask("GET", f"/kv/a?min_revision={revision}", node=node).code == 200
    world.lose_leader()
    response = world.ask("GET", f"/kv/a?{query}", node=node)
    assert (response.code, response.body) == (200, b"x")


def test_a_stale_read_tells_how_old_it_may_be(world):
    world.put("a")
    assert world.ask("GET", "/kv/a?stale")["Minicloud-Last-Contact-Ms"] == "0"
    for key in ("a", "missing"):
        response = world.ask("GET", f"/kv/{key}?stale", node="follower")
        assert 0 <= int(response["Minicloud-Last-Contact-Ms"]) < 1000


def test_a_stale_read_of_a_node_that_never_heard_a_leader_tells_no_age(scripted):
    scripted.follower.last_contact_ms = None
    assert scripted.ask("GET", "/kv/a?stale", node="follower").get("Minicloud-Last-Contact-Ms") is None


def test_stale_can_be_taken_back(world):
    world.lose_leader()
    assert world.ask("GET", "/kv/a?stale=false&timeout=1s").problem in ("no_leader", "read_timeout")


def test_linearizable_can_be_asked_for_by_name(scripted):
    scripted.put("a")
    assert scripted.ask("GET", "/kv/a?consistency=linearizable", node="follower").code == 200
    assert ("read_barrier", 10.0) in scripted.follower.calls


def test_min_revision_reads_own_writes_without_the_leader(world):
    revision = world.put("a", b"mine")
    world.ask("GET", "/kv/a", node="follower")
    world.lose_leader()
    assert world.ask("GET", f"/kv/a?min_revision={revision}", node="follower").body == b"mine"


def test_min_revision_waits_for_the_revision_of_a_write_that_is_still_on_its_way(world, node):
    connection = world.connect(node)
    connection.request("GET", f"/kv/a?min_revision={world.revision(node) + 3}")
    for n in range(3):
        assert connection.responses == []
        world.put("a", b"%d" % n)
    assert connection.answer().body == b"2"


def test_min_revision_that_does_not_come_is_a_504(world, node):
    response = world.ask("GET", "/kv/a?min_revision=99999&timeout=500ms", node=node)
    assert (response.code, response.problem, response.json["retryable"]) == (504, "read_timeout", True)


def test_a_read_without_a_leader_is_a_503_that_says_when_to_retry(world, node):
    world.lose_leader()
    response = world.ask("GET", "/kv/a?timeout=200ms", node=node)
    assert (response.code, response.problem, response["Retry-After"]) == (503, "no_leader", "1")
    assert response.json["retryable"] is True


def test_a_read_that_only_the_leader_could_serve_says_who_that_is(scripted):
    scripted.follower.script.append(NotLeader(scripted.leader.member))
    response = scripted.ask("GET", "/kv/a", node="follower")
    assert (response.code, response.problem, response.json["leader"]) == (503, "not_leader", "node1")
    assert response.json["leader_http"] == "127.0.0.1:9001"


def test_a_read_that_cannot_be_confirmed_in_time_is_a_504(scripted):
    scripted.leader.script.append(ReadTimeout("no majority answered"))
    response = scripted.ask("GET", "/kv/a?timeout=100ms")
    assert (response.code, response.problem) == (504, "read_timeout")
    assert scripted.leader.calls == [("read_barrier", 0.1)]


@pytest.mark.parametrize(
    "query",
    [
        "stale=maybe",
        "consistency=eventual",
        "consistency",
        "min_revision=-1",
        "min_revision=",
        "min_revision=1.5",
        "min_revision=9223372036854775808",
        "min_revision=1&stale",
        "min_revision=1&consistency=linearizable",
        "stale&consistency=linearizable",
        "timeout=0",
        "timeout=0ms",
        "timeout=-1s",
        "timeout=301s",
        "timeout=1h",
        "timeout=5%20s",
        "timeout=abc",
        "timeout=1e3",
        "timeout=٣s",
        "unknown=1",
        "STALE",
        "forward",
        "stale&stale",
        "stale=%FF",
        "stale=%zz",
        "%",
        "%FF",
        "stale" + "&" * 5000,
    ],
)
def test_a_bad_query_is_refused(world, query):
    response = world.ask("GET", f"/kv/a?{query}")
    assert (response.code, response.problem) == (400, "bad_parameter")


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("5s", 5.0), ("2m", 120.0), ("7", 7.0), ("300", 300.0)])
def test_timeouts_are_durations(scripted, text, seconds):
    scripted.ask("GET", f"/kv/a?timeout={text}")
    assert scripted.leader.calls == [("read_barrier", seconds)]


def test_an_empty_query_is_none(world):
    world.put("a")
    assert world.ask("GET", "/kv/a?").code == 200
    assert world.ask("GET", "/kv/a?&").code == 200

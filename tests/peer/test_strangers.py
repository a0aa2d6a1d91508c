"""Who may not come in, and what a stranger can do: nothing."""

import json

import pytest
from twisted.internet.protocol import Protocol

from minicloud.peer.interface import PeerAddress
from minicloud.peer.link import HANDSHAKE_DEADLINE_S
from minicloud.peer.links import MAX_STRANGERS
from minicloud.raft.messages import Heartbeat, TimeoutNow
from minicloud.wire.handshake import PROTOCOL_VERSION, Hello, decode_handshake, encode_handshake
from minicloud.wire.limits import MAX_HANDSHAKE_LINE_BYTES, MAX_LINE_BYTES
from minicloud.wire.messages import encode_message
from tests.peer.cluster import SECRET
from tests.peer.memory import join

HEARTBEAT = Heartbeat(3, 7)


class Stranger(Protocol):
    """Somebody with a TCP client."""

    def __init__(self, world, host="stranger"):
        self.world = world
        self.host = host
        self.heard = b""
        self.is_closed = False

    def connect(self, to):
        target = self.world.net.listening[to].buildProtocol(None)
        join(self.world.net, self.host, self, to, target)
        self.target = target
        return self

    def dataReceived(self, data):
        self.heard += data

    def connectionLost(self, reason=None):
        self.is_closed = True

    def say(self, *lines):
        self.transport.write(b"".join(line + b"\n" for line in lines))
        self.world.advance(0.05)


HELLO = Hello(PROTOCOL_VERSION, "c1", "n1", "n2", "n1-disk", "0" * 32, 1)


@pytest.fixture
def lone(world):
    """A node that waits for n1."""
    node = world.node("n2")
    node.knows(n1=PeerAddress("nowhere:1", "n1-disk"))
    world.advance(0.1)
    node.driver.all.clear()
    return node


def untouched(node):
    return node.driver.all == [] and node.driver.received == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET / HTTP/1.1",
        b"{}",
        b"null",
        b"\xff\xfe\x00",
        b'{"type":"hello"}',
        b'{"type":"welcome"}',
        encode_message(TimeoutNow(9)),
        encode_message(HEARTBEAT),
        b"[" * 4000,
        b'{"type":"proof","proof":"' + b"0" * 64 + b'"}',
    ],
    ids=repr,
)
def test_a_stranger_s_line_has_no_effect(world, lone, line):
    stranger = Stranger(world).connect("n2")
    stranger.say(line, encode_message(TimeoutNow(9)))
    assert stranger.is_closed
    assert stranger.heard == b""
    assert untouched(lone)


def test_lines_after_hello_are_not_taken_for_messages(world, lone):
    stranger = Stranger(world).connect("n2")
    stranger.say(encode_handshake(HELLO), encode_message(TimeoutNow(9)))
    assert json.loads(stranger.heard)["type"] == "challenge"
    assert stranger.is_closed
    assert untouched(lone)


def test_a_wrong_proof_is_refused_in_words(world, lone):
    stranger = Stranger(world).connect("n2")
    stranger.say(encode_handshake(HELLO))
    stranger.say(b'{"type":"proof","proof":"' + b"0" * 64 + b'"}')
    refusal = decode_handshake(stranger.heard.splitlines()[-1])
    assert refusal.code == "wrong_secret"
    assert stranger.is_closed
    assert untouched(lone)


def test_an_eavesdropper_cannot_replay_a_whole_handshake(world):
    n1, n2 = world.pair()
    dialled = next(each for each in world.net.open if each.host == "n1" and each.protocol.dialled_id)
    n1.links.stop()
    world.advance(1)
    recorded = []
    write = type(dialled).write

    def record(transport, data):
        if transport.host == "n1" and transport.protocol.dialled_id:
            recorded.append(data)
        write(transport, data)

    type(dialled).write = record
    try:
        n1 = world.node("n1")
        n1.knows(n2)
        world.advance(0.2)
        n1.send("n2", TimeoutNow(9))
        world.advance(0.1)
    finally:
        type(dialled).write = write
    assert n2.driver.received == [("n1", TimeoutNow(9))]
    assert len(recorded) == 3
    stranger = Stranger(world).connect("n2")
    stranger.say(recorded[0].strip())
    stranger.say(recorded[1].strip(), recorded[2].strip())
    assert stranger.is_closed
    assert len(n2.driver.received) == 1


def test_a_line_that_is_too_long_for_a_stranger_closes_the_connection(world, lone):
    stranger = Stranger(world).connect("n2")
    stranger.say(b"x" * (MAX_HANDSHAKE_LINE_BYTES + 1))
    assert stranger.is_closed
    assert untouched(lone)
    endless = Stranger(world).connect("n2")
    for _ in range(5):
        endless.transport.write(b"x" * 1000)
    world.advance(0.1)
    assert endless.is_closed
    assert len(endless.target._partial) == 0


def test_who_says_nothing_or_dribbles_is_cut_off_at_the_deadline(world, lone):
    silent, slow = Stranger(world).connect("n2"), Stranger(world).connect("n2")
    for _ in range(round(HANDSHAKE_DEADLINE_S) * 2 - 1):
        slow.transport.write(b" ")
        world.advance(0.5)
    assert not silent.is_closed and not slow.is_closed
    world.advance(0.6)
    assert silent.is_closed and slow.is_closed
    assert world.clock.getDelayedCalls() != []
    assert untouched(lone)


def test_who_reaches_the_second_half_of_the_handshake_gains_no_time(world, lone):
    stranger = Stranger(world).connect("n2")
    world.advance(HANDSHAKE_DEADLINE_S - 1)
    stranger.say(encode_handshake(HELLO))
    world.advance(1)
    assert stranger.is_closed


def test_a_peer_that_accepts_and_says_nothing_is_given_up_and_dialled_again(world):
    node = world.node("n1")
    silent = []

    class Silent:
        def buildProtocol(self, addr):
            silent.append(Stranger(world))
            return silent[-1]

    world.net.listening["n2"] = Silent()
    node.knows(n2=PeerAddress("n2:1", ""))
    world.advance(HANDSHAKE_DEADLINE_S + 1)
    assert len(silent) == 2
    assert silent[0].is_closed and not silent[1].is_closed
    assert any("no handshake within" in text for text in node.warnings())


def test_a_flood_of_strangers_costs_the_oldest_their_place_and_members_nothing(world, lone):
    strangers = [Stranger(world).connect("n2") for _ in range(3 * MAX_STRANGERS)]
    world.advance(0.1)
    assert sum(not stranger.is_closed for stranger in strangers) == MAX_STRANGERS
    assert all(stranger.is_closed for stranger in strangers[: 2 * MAX_STRANGERS])
    n1 = world.node("n1")
    n1.knows(lone)
    world.advance(0.1)
    assert n1.send("n2", HEARTBEAT)
    assert len(lone.warnings()) <= 2, "one line for the flood"


@pytest.mark.parametrize(
    "line",
    [b"garbage", b'{"type":"append_entries"}', b"x" * (MAX_LINE_BYTES + 1), encode_handshake(HELLO)],
    ids=["no JSON", "no fields", "too long", "handshake"],
)
def test_garbage_from_a_member_closes_that_connection_and_is_logged_once(world, line):
    n1, n2 = world.pair()
    for _ in range(2):
        ours = next(each for each in world.net.open if each.host == "n1" and each.protocol.dialled_id)
        ours.write(line + b"\n" + encode_message(HEARTBEAT) + b"\n")
        world.advance(0.05)
        assert not ours.is_open
        world.advance(1)
    assert n2.driver.received == []
    assert len(n2.warnings()) == 1
    assert n2.driver.count("lost", "n1") == 2
    assert n1.send("n2", HEARTBEAT), "linked again"


def test_another_secret_is_refused_and_logged_once_a_minute(world):
    n1, n2 = world.node("n1"), world.node("n2", secret=b"another")
    n1.knows(n2)
    n2.knows(n1)
    world.advance(50, step=0.05)
    for node in (n1, n2):
        assert node.driver.all == []
        assert 1 <= len(node.warnings()) <= 2, "as dialler and as acceptor"
        assert any("cluster_secret" in text for text in node.warnings())
        assert SECRET.decode() not in "".join(node.warnings())
    world.advance(60, step=0.05)
    assert any("times more before" in text for text in n1.warnings())


def test_scenario_34_a_peer_of_another_cluster_is_disconnected(world):
    n1, n2 = world.node("n1", cluster_id="c1"), world.node("n2", cluster_id="c2")
    n1.knows(n2)
    n2.knows(n1)
    world.advance(10, step=0.05)
    assert n1.driver.all == n2.driver.all == []
    assert not n1.send("n2", HEARTBEAT)
    assert any("belongs to cluster c2" in text for text in n2.warnings())
    assert any("wrong_cluster" in text for text in n1.warnings())


def test_scenario_33_a_known_id_on_an_empty_folder_gets_no_link(world):
    n1, n2 = world.node("n1"), world.node("n2", instance_id="new-disk", cluster_id="", index=0)
    n1.knows(n2=PeerAddress("n2:1", "old-disk"))
    world.advance(5)
    assert not n1.send("n2", HEARTBEAT)
    assert n1.driver.count("wrong instance", "n2", "new-disk") >= 1
    assert n1.driver.count("up") == 0
    assert n2.driver.all == [], "it became part of nothing"
    assert len(n1.warnings()) == 1


def test_scenario_33_a_known_id_with_another_folder_is_not_let_in(world):
    n1, n2 = world.node("n1"), world.node("n2", instance_id="other-disk")
    n1.knows(n2=PeerAddress("nowhere:1", "its-disk"))
    n2.knows(n1)
    world.advance(1)
    assert n1.driver.count("wrong instance", "n2", "other-disk") >= 1
    assert n2.driver.all == []
    assert any("another data folder" in text for text in n2.warnings())


def test_an_instance_that_a_newer_configuration_may_name_is_a_guest(world):
    late, leader = world.node("n1", index=4), world.node("n2", instance_id="new-disk", index=9)
    late.knows(committed=4, n2=PeerAddress("nowhere:1", "old-disk"))
    leader.knows(late, committed=9)
    world.advance(0.2)
    assert leader.send("n1", HEARTBEAT)
    world.advance(0.1)
    assert late.driver.received == [("n2", HEARTBEAT)]
    assert late.driver.count("wrong instance") == late.driver.count("up") == 0


def test_scenario_29_a_removed_node_is_told_so_and_from_which_index(world):
    n1, n2 = world.pair()
    n1.index = 7
    n1.knows(committed=7)
    world.advance(1)
    assert n2.driver.count("removed", "n1", 7) >= 1
    assert not n2.send("n1", HEARTBEAT)
    assert any("not_member" in text for text in n2.warnings())
    n2 = world.restart(n2)
    n2.knows(n1)
    world.advance(1)
    assert n2.driver.all[0] == ("removed", "n1", 7)
    assert n1.driver.received == []


def test_a_stranger_with_the_secret_is_refused_where_the_configuration_is_final(world):
    n1, n4 = world.node("n1"), world.node("n4")
    n1.knows(committed=1)
    n4.knows(n1)
    world.advance(0.5)
    assert n1.driver.all == []
    assert n4.driver.count("removed", "n1", 1) >= 1


def test_only_an_acceptor_that_proved_the_secret_can_tell_a_node_that_it_is_removed(world):
    n1, n2 = world.node("n1"), world.node("n2", secret=b"another")
    n2.knows(committed=99)
    n1.knows(n2)
    world.advance(1)

    class Liar(Stranger):
        def connectionMade(self):
            self.transport.write(b'{"type":"refused","code":"not_member","configuration_index":99}\n')

    class Liars:
        def buildProtocol(self, addr):
            return Liar(world)

    world.net.listening["n2"] = Liars()
    world.advance(10)
    assert n1.driver.all == []


def test_a_member_that_is_ahead_is_a_guest_until_its_configuration_arrives(world):
    late, leader = world.node("n1", index=4), world.node("n4", index=9)
    late.knows(committed=4)
    leader.knows(late, committed=9)
    world.advance(0.2)
    leader.send("n1", HEARTBEAT)
    world.advance(0.1)
    assert late.send("n4", HEARTBEAT), "a guest can be answered, though nobody knows its address"
    world.advance(0.1)
    assert late.driver.received == [("n4", HEARTBEAT)]
    assert leader.driver.received == [("n1", HEARTBEAT)]
    late.index = 9
    late.knows(committed=9)
    world.advance(0.1)
    assert not late.send("n4", HEARTBEAT), "the newer configuration has come, and does not name it"


def test_a_leader_that_removes_itself_is_heard_until_that_is_committed(world):
    leader, n2 = world.pair()
    n2.index = leader.index = 5
    n2.knows(committed=1)
    world.advance(0.1)
    assert leader.send("n2", HEARTBEAT) and n2.send("n1", HEARTBEAT)
    world.advance(0.1)
    assert n2.driver.received == [("n1", HEARTBEAT)]
    assert leader.driver.received == [("n2", HEARTBEAT)]
    n2.knows(committed=5)
    world.advance(0.1)
    assert not n2.send("n1", HEARTBEAT)


def test_a_new_node_is_taken_in_by_the_leader_that_dials_it(world):
    leader, new = world.node("n1", index=5), world.node("n2", cluster_id="", index=0)
    leader.knows(new, committed=4)
    world.advance(0.2)
    assert new.driver.all == [("offered", "c1")]
    assert new.driver.cluster_id == "c1"
    assert leader.driver.all == [("up", "n2", "n2-disk")]
    leader.send("n2", HEARTBEAT)
    new.send("n1", HEARTBEAT)
    world.advance(0.1)
    assert new.driver.received == [("n1", HEARTBEAT)]
    assert leader.driver.received == [("n2", HEARTBEAT)]
    new.index = 5
    new.knows(leader, committed=0)
    world.advance(0.2)
    assert new.driver.count("up", "n1") == 2, "as the member that it is now, then on our own link"


def test_a_new_node_that_declines_the_cluster_gets_no_link(world):
    leader, new = world.node("n1"), world.node("n2", cluster_id="", index=0)
    new.driver.joins = False
    leader.knows(new)
    world.advance(0.2)
    assert new.driver.all[0] == ("offered", "c1")
    assert leader.driver.all == []
    assert any("does not join" in text for text in leader.warnings())


def test_a_stranger_cannot_make_a_new_node_join(world):
    new = world.node("n2", cluster_id="", index=0)
    world.node("n1", secret=b"another").knows(new)
    world.advance(1)
    assert new.driver.all == []


def test_of_two_clusters_that_dial_a_new_node_at_once_one_gets_it(world):
    leaders = world.node("n1", cluster_id="c1"), world.node("n3", cluster_id="c3")
    new = world.node("n2", cluster_id="", index=0)
    for leader in leaders:
        leader.knows(new)
    world.advance(0.5)
    assert new.driver.count("offered") == 1
    assert sorted(leader.driver.count("up") for leader in leaders) == [0, 1]


def test_a_new_node_that_knows_its_cluster_but_no_configuration_takes_any_peer_of_it(world):
    leader, new = world.node("n1"), world.node("n2", index=0)
    leader.knows(new)
    world.advance(0.2)
    assert leader.send("n2", HEARTBEAT)
    world.advance(0.1)
    assert new.driver.received == [("n1", HEARTBEAT)]


def test_who_answers_at_a_peer_s_address_but_is_another_node_is_refused(world):
    n1, n3 = world.node("n1"), world.node("n3")
    n1.knows(n2=PeerAddress("n3:1", ""))
    world.advance(1)
    assert n1.driver.all == n3.driver.all == []
    assert any("this is node n3, not n2" in text for text in n1.warnings())

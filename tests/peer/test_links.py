"""Links between nodes: up, down, and up again."""

import itertools

from minicloud.peer.interface import PeerAddress
from minicloud.peer.lines import MAX_UNSENT_BYTES
from minicloud.peer.link import KEEP_ALIVE_INTERVAL_S, MAX_SILENT_INTERVALS
from minicloud.raft.entries import Entry
from minicloud.raft.messages import AppendEntries, AppendReply, Heartbeat, HeartbeatReply, ReadIndexReply
from tests.peer.memory import LATENCY_S

HEARTBEAT = Heartbeat(3, 7)
REPLY = HeartbeatReply(3, 0)


def test_two_nodes_link_both_ways_and_exchange_messages(world):
    n1, n2 = world.pair()
    assert n1.driver.all[-1] == ("up", "n2", "n2-disk")
    assert n2.driver.all[-1] == ("up", "n1", "n1-disk")
    assert n1.send("n2", HEARTBEAT)
    assert n2.send("n1", REPLY)
    world.advance(0.1)
    assert n2.driver.received == [("n1", HEARTBEAT)]
    assert n1.driver.received == [("n2", REPLY)]
    assert n1.links.dropped == n2.links.dropped == 0
    assert len(world.net.open) == 4, "one connection in each direction"


def test_links_ask_tcp_for_no_delay_and_keep_alive(world):
    world.pair()
    assert all(each.is_no_delay and each.is_kept_alive for each in world.net.open)


def test_a_message_to_a_peer_without_link_is_lost_and_counted(world):
    n1, n2 = world.node("n1"), world.node("n2")
    assert not n1.send("n2", HEARTBEAT)
    n1.knows(n2)
    assert not n1.send("n2", HEARTBEAT), "there is a link when there is one, not when it is wished for"
    assert n1.links.dropped == 2


def test_no_event_comes_from_inside_a_call_to_the_network(world):
    n1, n2 = world.pair()  # the drivers assert it
    n1.knows()
    n2.knows()
    world.advance(0.1)
    assert not n1.send("n2", HEARTBEAT)


def test_a_dead_peer_is_noticed_at_once_by_both_of_its_links(world):
    n1, _ = world.pair()
    world.net.die("n2")
    world.advance(0.01)
    assert n1.driver.count("lost", "n2") == 2
    assert not n1.send("n2", HEARTBEAT)


def test_a_peer_that_is_down_is_dialled_with_growing_pauses_of_two_seconds_at_most(world):
    n1, _n2 = world.pair()
    world.net.die("n2")
    world.net.attempts.clear()
    world.advance(60, step=0.05)
    times = [at for at, host, _ in world.net.attempts if host == "n1"]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[0] < 0.5
    assert 1.9 < max(pauses) < 2.2
    assert len(times) < 40
    assert sum("cannot reach node n2 at n2:1" in text for text in n1.warnings()) == 1, "said once a minute"


def test_a_restarted_peer_is_linked_both_ways_as_soon_as_it_dials(world):
    n1, n2 = world.pair()
    world.net.die("n2")
    world.advance(30, step=0.05)
    n2 = world.restart(n2)
    world.net.attempts.clear()
    n2.knows(n1)
    world.advance(6 * LATENCY_S, step=LATENCY_S)
    assert [(host, to) for _, host, to in world.net.attempts] == [("n2", "n1"), ("n1", "n2")]
    world.advance(0.05)
    assert n1.driver.all[-1] == n1.driver.all[-2] == ("up", "n2", "n2-disk"), "by its link, then by ours"
    assert n1.send("n2", HEARTBEAT) and n2.send("n1", HEARTBEAT)


def test_the_link_that_the_peer_dialled_carries_messages_while_ours_is_down(world):
    n1, n2 = world.node("n1"), world.node("n2")
    n2.knows(n1)
    n1.knows(n2=PeerAddress("nowhere:1", n2.instance_id))
    world.advance(1)
    assert n1.driver.all == [("up", "n2", "n2-disk")]
    assert n1.send("n2", REPLY)
    world.advance(0.1)
    assert n2.driver.received == [("n1", REPLY)]


def test_a_newer_link_of_a_peer_replaces_the_older_one(world):
    n1, n2 = world.node("n1"), world.node("n2")
    n1.knows(n2)
    n2.knows(n1)
    world.advance(0.5)
    world.net.vanish("n2")
    n2 = world.node("n2")
    n2.knows(n1)
    world.advance(0.1)
    assert n1.driver.count("lost", "n2") >= 1, "a process that dials anew has lost what it had"
    n2.send("n1", HEARTBEAT)
    world.advance(0.1)
    assert n1.driver.received == [("n2", HEARTBEAT)]
    accepted = [each for each in world.net.open if each.host == "n1" and not each.protocol.dialled_id]
    assert len(accepted) == 1


def test_a_half_open_link_is_given_up_after_some_silence(world):
    n1, _ = world.pair()
    world.net.vanish("n2")
    world.advance((MAX_SILENT_INTERVALS - 1) * KEEP_ALIVE_INTERVAL_S)
    assert n1.driver.count("lost") == 0
    world.advance(2 * KEEP_ALIVE_INTERVAL_S)
    assert n1.driver.count("lost", "n2") == 2
    assert any("not a byte from it" in text for text in n1.warnings())


def test_idle_links_stay_up(world):
    n1, n2 = world.pair()
    world.advance(120, step=0.1)
    assert n1.driver.count("lost") == n2.driver.count("lost") == 0
    assert n1.driver.received == []


def test_a_node_that_was_stopped_for_long_does_not_blame_its_peers(world):
    n1, n2 = world.pair()
    world.clock.advance(3600)  # one call at the end: what a stopped process sees
    world.advance(5)
    assert n1.driver.count("lost") == n2.driver.count("lost") == 0


def test_a_partition_ends_links_and_its_end_brings_them_back(world):
    n1, n2 = world.pair()
    world.net.isolate("n1", "n2")
    world.advance(60, step=0.05)
    assert not n1.send("n2", HEARTBEAT)
    world.net.heal()
    world.advance(5)
    assert n1.send("n2", HEARTBEAT) and n2.send("n1", HEARTBEAT)
    world.advance(0.1)
    assert n2.driver.received == [("n1", HEARTBEAT)]


def test_a_peer_that_is_no_longer_named_loses_its_links_without_being_reported_lost(world):
    n1, n2 = world.pair()
    n1.index = 2
    n1.knows(committed=2)
    world.advance(0.1)
    assert not n1.send("n2", HEARTBEAT)
    assert n1.driver.count("lost") == 0
    assert world.net.open == set()
    assert n2.driver.count("lost", "n1") == 2


def test_a_peer_with_a_new_address_is_dialled_there(world):
    n1, n2 = world.node("n1"), world.node("n2")
    n1.knows(n2=PeerAddress("elsewhere:1", n2.instance_id))
    world.advance(1)
    assert n1.driver.count("up") == 0
    n1.knows(n2)
    world.advance(0.1)
    assert n1.driver.all == [("up", "n2", "n2-disk")]


def test_learning_which_instance_a_linked_peer_is_keeps_the_link(world):
    n1, n2 = world.node("n1"), world.node("n2")
    n2.knows(n1)
    n1.knows(n2=PeerAddress("n2:1", ""))
    world.advance(0.5)
    n1.knows(n2)
    world.advance(0.5)
    assert n1.driver.count("lost") == n2.driver.count("lost") == 0
    assert n1.driver.count("up", "n2", "n2-disk") >= 1


def test_naming_another_instance_of_a_linked_peer_ends_the_links(world):
    n1, _n2 = world.pair()
    n1.knows(n2=PeerAddress("n2:1", "another-disk"))
    world.advance(0.5)
    assert not n1.send("n2", HEARTBEAT)
    assert n1.driver.count("wrong instance", "n2", "n2-disk") >= 2, "as dialler and as acceptor"


def test_stopping_closes_everything_and_tells_the_own_driver_nothing(world):
    n1, n2 = world.pair()
    n1.knows(n2, n3=PeerAddress("n3:1", ""))
    world.advance(0.05)
    before = list(n1.driver.all)
    done = []
    n1.links.stop().addCallback(done.append)
    world.advance(0.1)
    assert done == [None]
    assert n1.driver.all == before
    assert world.net.open == set()
    assert "n1" not in world.net.listening
    assert n2.driver.count("lost", "n1") == 2
    attempts = len([host for _, host, _ in world.net.attempts if host == "n1"])
    n1.knows(n2)
    world.advance(5)
    assert attempts == len([host for _, host, _ in world.net.attempts if host == "n1"])


def test_stopping_twice_or_before_anything_happened_is_harmless(world):
    node = world.node("n1")
    node.knows()
    done = []
    node.links.stop().addCallback(done.append)
    node.links.stop().addCallback(done.append)
    world.advance(0.1)
    assert done == [None, None]
    assert world.clock.getDelayedCalls() == []


def test_stopping_does_not_wait_for_a_peer_that_has_stopped_reading(world):
    n1, _ = world.pair()
    for transport in world.net.open:
        transport.stalled = True
    done = []
    n1.links.stop().addCallback(done.append)
    world.advance(2)
    assert done == [None]


def test_lines_that_a_peer_does_not_take_are_bounded_and_sent_when_it_reads_again(world):
    n1, n2 = world.pair()
    ours = next(each for each in world.net.open if each.host == "n1" and each.protocol.dialled_id)
    ours.stalled = True
    big = AppendEntries(1, 0, 0, (Entry(1, 1, data=b'"' + b"x" * 1_000_000 + b'"'),), 0)
    sent = 0
    while n1.send("n2", big):
        sent += 1
    assert MAX_UNSENT_BYTES < sent * 1_000_000 < MAX_UNSENT_BYTES + 2_500_000
    assert not n1.send("n2", HEARTBEAT)
    ours.stalled = False
    world.advance(3)
    assert len(n2.driver.received) == sent
    assert n1.send("n2", HEARTBEAT)
    world.advance(0.1)
    assert n2.driver.received[-1] == ("n1", HEARTBEAT)


def test_answers_of_voters_are_heard_from_members_only(world):
    leader, late = world.node("n1", index=5), world.node("n2", index=1)
    leader.knows(late, committed=5)
    late.knows(committed=1)
    world.advance(0.1)
    for message in (HEARTBEAT, AppendReply(1, True, 9), ReadIndexReply(3, 1, 7)):
        assert leader.send("n2", message)
    world.advance(0.1)
    assert late.driver.received == [("n1", HEARTBEAT), ("n1", ReadIndexReply(3, 1, 7))]
    assert late.driver.count("up") == 0, "link events are about members"
    late.index = 5
    late.knows(leader, committed=5)
    leader.send("n2", AppendReply(1, True, 9))
    world.advance(0.1)
    assert late.driver.received[-1] == ("n1", AppendReply(1, True, 9))
    assert late.driver.count("up", "n1") >= 1

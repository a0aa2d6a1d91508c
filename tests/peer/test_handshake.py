"""The handshake's two state machines, without transport or clock."""

import hmac
from itertools import count

import msgspec
import pytest

from minicloud.peer.handshake import (
    AcceptorHandshake,
    Cause,
    Complete,
    Denial,
    DiallerHandshake,
    Failed,
    Reply,
)
from minicloud.peer.identity import LocalPeer, RemotePeer
from minicloud.peer.proofs import ACCEPTOR, DIALLER, is_proof, prove
from minicloud.wire.handshake import PROTOCOL_VERSION, Challenge, Hello, Proof, Refused, Welcome

SECRET = b"shared"
_nonces = count(1)


def nonce():
    return f"{next(_nonces):032x}"


def local(node_id, cluster_id="c1", instance_id="", index=3):
    return LocalPeer(node_id, instance_id or f"{node_id}-disk", lambda: cluster_id, lambda: index)


def dialler(node_id="n1", to_id="n2", secret=SECRET, instance_id="", names=None, **how):
    return DiallerHandshake(local(node_id, **how), secret, to_id, instance_id, nonce(), lambda: names)


def acceptor(node_id="n2", secret=SECRET, names=None, admit=lambda remote: None, **how):
    return AcceptorHandshake(local(node_id, **how), secret, nonce(), lambda: names, admit)


def shake(one, other):
    """Run a handshake; return the last step of each side, and all lines."""
    line, turn, lines, steps = one.hello, other, [], {}
    while line is not None:
        lines.append(line)
        steps[turn] = turn.receive(line)
        line = steps[turn].line
        turn = one if turn is other else other
    return steps.get(one), steps[other], lines


def test_both_sides_learn_who_the_other_one_is():
    ours, theirs, lines = shake(dialler(), acceptor())
    assert ours == Complete(RemotePeer("n2", "n2-disk", "c1"), None)
    assert theirs == Complete(RemotePeer("n1", "n1-disk", "c1", 3), Welcome())
    assert [type(line) for line in lines] == [Hello, Challenge, Proof, Welcome]


def test_without_a_secret_on_either_side_nothing_is_proved():
    ours, theirs, lines = shake(dialler(secret=b""), acceptor(secret=b""))
    assert isinstance(ours, Complete) and isinstance(theirs, Complete)
    assert lines[1].proof == lines[2].proof == ""


@pytest.mark.parametrize(("ours", "theirs"), [(b"a", b"b"), (b"", b"b"), (b"a", b"")])
def test_the_dialler_refuses_an_acceptor_with_another_secret(ours, theirs):
    mine, other, lines = shake(dialler(secret=ours), acceptor(secret=theirs))
    assert mine.cause is Cause.WRONG_SECRET and mine.remote is None
    assert other.cause is Cause.REFUSED and other.refusal.code == "wrong_secret"
    assert "secret" in other.detail
    assert [type(line) for line in lines] == [Hello, Challenge, Refused], "the dialler proves nothing to a stranger"


@pytest.mark.parametrize("proof", ["", "0" * 64])
def test_the_acceptor_refuses_a_dialler_that_cannot_prove_the_secret(proof):
    asked = []
    theirs = acceptor(admit=asked.append)
    theirs.receive(dialler().hello)
    step = theirs.receive(Proof(proof))
    assert step.cause is Cause.WRONG_SECRET and step.line.code == "wrong_secret" and step.remote is None
    assert asked == []


def test_a_recorded_dialler_cannot_be_replayed():
    _, _, (hello, _, proof, _) = shake(dialler(), acceptor())
    again = acceptor()
    assert isinstance(again.receive(hello), Reply)
    assert again.receive(proof).cause is Cause.WRONG_SECRET


def test_a_recorded_acceptor_cannot_be_replayed():
    _, _, (_, challenge, _, _) = shake(dialler(), acceptor())
    assert dialler().receive(challenge).cause is Cause.WRONG_SECRET


def test_a_proof_cannot_be_reflected_to_the_acceptor_that_made_it():
    theirs = acceptor()
    challenge = theirs.receive(dialler().hello).line
    assert theirs.receive(Proof(challenge.proof)).cause is Cause.WRONG_SECRET


def test_a_hello_cannot_be_reflected_to_the_dialler_that_sent_it():
    step = acceptor("n1").receive(dialler("n1", "n2").hello)
    assert step.cause is Cause.WRONG_NODE


def test_a_challenge_for_one_dialler_is_no_challenge_for_another():
    """A stranger in the middle lets n1 and n3 prove something to each other's peer."""
    n1, n3 = dialler("n1"), dialler("n3")
    challenge = acceptor("n2").receive(n1.hello).line
    assert n3.receive(challenge).cause is Cause.WRONG_SECRET


def test_a_proof_covers_all_that_was_said():
    hello = Hello(PROTOCOL_VERSION, "c1", "n1", "n2", "i1", nonce(), 3)
    challenge = Challenge("c1", "i2", nonce(), "")
    proof = prove(SECRET, DIALLER, hello, challenge)
    assert is_proof(proof, SECRET, DIALLER, hello, challenge)
    assert not is_proof(proof, SECRET, ACCEPTOR, hello, challenge)
    assert not is_proof(proof, b"another", DIALLER, hello, challenge)
    for field, value in (
        ("version", 2),
        ("cluster_id", "c2"),
        ("from_id", "n3"),
        ("to_id", "n3"),
        ("instance_id", "i3"),
        ("nonce", nonce()),
        ("configuration_index", 4),
    ):
        assert not is_proof(proof, SECRET, DIALLER, msgspec.structs.replace(hello, **{field: value}), challenge), field
    for field, value in (("cluster_id", ""), ("instance_id", "i3"), ("nonce", nonce())):
        other = msgspec.structs.replace(challenge, **{field: value})
        assert not is_proof(proof, SECRET, DIALLER, hello, other), field


def test_parts_of_a_proof_cannot_be_shifted_into_each_other():
    one, other = nonce(), nonce()
    challenge = Challenge("c1", "i2", other, "")
    assert prove(SECRET, DIALLER, Hello(1, "c1", "n1", "n2", "i1", one), challenge) != prove(
        SECRET, DIALLER, Hello(1, "c1", "n1n", "2", "i1", one), challenge
    )


def test_a_proof_is_hmac_sha256_and_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    assert isinstance(shake(dialler(), acceptor())[0], Complete)
    assert len(compared) == 2
    assert all(isinstance(side, bytes) and len(side) == 64 for pair in compared for side in pair)


def test_scenario_34_a_peer_of_another_cluster_is_refused():
    ours, theirs, lines = shake(dialler(cluster_id="c1"), acceptor(cluster_id="c2"))
    assert theirs.cause is Cause.WRONG_CLUSTER and "c2" in theirs.detail
    assert ours.cause is Cause.REFUSED and ours.refusal.code == "wrong_cluster"
    assert [type(line) for line in lines] == [Hello, Refused]


def test_scenario_34_the_dialler_refuses_a_challenge_of_another_cluster():
    ours = dialler()
    unproved = Challenge("c2", "n2-disk", nonce(), "")
    proof = prove(SECRET, ACCEPTOR, ours.hello, unproved)
    assert ours.receive(msgspec.structs.replace(unproved, proof=proof)).cause is Cause.WRONG_CLUSTER


def test_a_dialler_without_cluster_is_refused():
    ours, theirs, _ = shake(dialler(cluster_id=""), acceptor())
    assert theirs.cause is Cause.WRONG_CLUSTER
    assert ours.refusal.code == "wrong_cluster"


def test_an_acceptor_without_cluster_takes_the_dialler_s():
    asked = []
    ours, _, _ = shake(dialler(), acceptor(cluster_id="", admit=asked.append))
    assert ours == Complete(RemotePeer("n2", "n2-disk", ""), None)
    assert asked == [RemotePeer("n1", "n1-disk", "c1", 3)]


def test_scenario_33_the_dialler_refuses_another_instance_and_says_which():
    ours, theirs, _ = shake(dialler(instance_id="old-disk"), acceptor())
    assert ours.cause is Cause.WRONG_INSTANCE
    assert ours.remote == RemotePeer("n2", "n2-disk", "c1")
    assert theirs.refusal.code == "wrong_instance"


def test_the_dialler_accepts_the_instance_that_it_expects():
    assert isinstance(shake(dialler(instance_id="n2-disk"), acceptor())[0], Complete)


def test_scenario_29_who_is_not_admitted_is_told_why_by_an_acceptor_that_has_proved_itself():
    denial = Denial(Cause.NOT_MEMBER, "no member", 12)
    ours, theirs, _ = shake(dialler(), acceptor(admit=lambda remote: denial))
    assert theirs.cause is Cause.NOT_MEMBER and theirs.remote.node_id == "n1"
    assert ours.refusal == Refused("not_member", "no member", 12)
    assert ours.remote == RemotePeer("n2", "n2-disk", "c1")


def test_a_refusal_before_the_acceptor_proved_itself_comes_from_nobody():
    step = dialler().receive(Refused("not_member", "", 99))
    assert step.cause is Cause.REFUSED and step.remote is None
    assert acceptor().receive(Refused("whatever")).remote is None


def test_the_wrong_node_and_the_wrong_version_are_refused():
    assert acceptor("n3").receive(dialler(to_id="n2").hello).cause is Cause.WRONG_NODE
    assert acceptor("n2").receive(dialler("n2", "n2").hello).cause is Cause.WRONG_NODE
    old = msgspec.structs.replace(dialler().hello, version=PROTOCOL_VERSION + 1)
    assert acceptor().receive(old).line.code == "version"


def test_a_certificate_must_name_the_node_on_both_sides():
    both = {"names": frozenset({"n1", "n2", "localhost"})}
    assert isinstance(shake(dialler(**both), acceptor(**both))[0], Complete)
    assert shake(dialler(), acceptor(names=frozenset({"n3"})))[1].cause is Cause.WRONG_CERTIFICATE
    assert shake(dialler(names=frozenset()), acceptor())[0].cause is Cause.WRONG_CERTIFICATE


ALL_LINES = [
    Hello(PROTOCOL_VERSION, "c1", "n1", "n2", "n1-disk", "0" * 32),
    Challenge("c1", "n2-disk", "0" * 32, "0" * 64),
    Proof("0" * 64),
    Welcome(),
]


@pytest.mark.parametrize("line", ALL_LINES, ids=lambda line: type(line).__name__)
def test_a_line_at_the_wrong_moment_ends_the_attempt(line):
    waits_for_challenge = dialler()
    waits_for_welcome = dialler()
    waits_for_hello = acceptor()
    waits_for_proof = acceptor()
    waits_for_welcome.receive(waits_for_proof.receive(waits_for_welcome.hello).line)
    for machine, expected in (
        (waits_for_challenge, Challenge),
        (waits_for_welcome, Welcome),
        (waits_for_hello, Hello),
        (waits_for_proof, Proof),
    ):
        if not isinstance(line, expected):
            step = machine.receive(line)
            assert isinstance(step, Failed) and step.cause is Cause.BAD_LINE and step.line is None, expected

"""Hypothesis strategies for everything that goes over a wire or onto a disk, as the honest side makes it."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from minicloud.kv.commands import Delete, Precondition, Put, Record
from minicloud.raft import messages as raft
from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.raft.entries import Entry, EntryKind, SnapshotMeta
from minicloud.wire import handshake
from minicloud.wire.limits import MAX_INT

counts = st.integers(0, MAX_INT) | st.integers(0, 9)
positions = st.integers(1, MAX_INT) | st.integers(1, 9)
ids = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
optional_ids = st.just("") | ids
hosts = st.sampled_from(["127.0.0.1", "node_1.example-net", "[::1]", "[fe80::1%eth0]", "localhost.", "0.0.0.0"])
addresses = st.builds("{}:{}".format, hosts, st.integers(1, 65535))
keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40)
values = st.binary(max_size=200)

members = st.builds(Member, ids, addresses, addresses, st.sampled_from(Suffrage), st.booleans(), optional_ids)
configurations = st.builds(Configuration, st.lists(members, max_size=5, unique_by=lambda member: member.node_id))

preconditions = st.builds(Precondition, st.none() | st.booleans(), st.none() | st.lists(counts, max_size=3).map(tuple))
commands = st.builds(Put, keys, values, preconditions) | st.builds(Delete, keys, preconditions)

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=9), children, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value).encode())


@st.composite
def snapshot_metas(draw, terms=positions):
    index = draw(positions)
    return SnapshotMeta(index, draw(terms), draw(configurations), draw(st.integers(0, index)))


@st.composite
def entries(draw, terms=positions, indexes=positions):
    term, index = draw(terms), draw(indexes)
    kind = draw(st.sampled_from(EntryKind))
    if kind is EntryKind.COMMAND:
        return Entry(term, index, kind, draw(json_data))
    configuration = draw(configurations) if kind is EntryKind.CONFIGURATION else None
    return Entry(term, index, kind, configuration=configuration)


@st.composite
def log_positions(draw, last_term):
    """The end of some log whose terms go up to last_term: (0, 0) where it is empty."""
    if draw(st.booleans()):
        return 0, 0
    return draw(st.integers(1, MAX_INT - 10)), draw(st.integers(1, last_term))


@st.composite
def append_entries(draw):
    term = draw(positions)
    prev_log_index, prev_log_term = draw(log_positions(term))
    terms = sorted(draw(st.lists(st.integers(max(prev_log_term, 1), term), max_size=5)))
    some_entries = tuple(
        draw(entries(st.just(entry_term), st.just(prev_log_index + offset)))
        for offset, entry_term in enumerate(terms, start=1)
    )
    return raft.AppendEntries(term, prev_log_index, prev_log_term, some_entries, draw(counts), draw(counts))


@st.composite
def vote_requests(draw):
    term = draw(positions)
    last_log_index, last_log_term = draw(log_positions(term))
    if draw(st.booleans()):
        return raft.PreVoteRequest(term, last_log_index, last_log_term)
    return raft.VoteRequest(term, last_log_index, last_log_term, draw(st.booleans()))


@st.composite
def install_snapshots(draw):
    term = draw(positions)
    meta = draw(snapshot_metas(st.integers(1, term)))
    data = draw(values)
    offset = draw(st.integers(0, MAX_INT - len(data)))
    total_bytes = draw(st.integers(max(1, offset + len(data)), MAX_INT))
    return raft.InstallSnapshot(term, meta, offset, data, total_bytes)


messages = st.one_of(
    vote_requests(),
    append_entries(),
    install_snapshots(),
    st.builds(raft.PreVoteReply, counts, st.booleans()),
    st.builds(raft.VoteReply, counts, st.booleans()),
    st.builds(raft.AppendReply, counts, st.booleans(), counts, counts, counts, counts),
    st.builds(raft.Heartbeat, positions, counts, counts),
    st.builds(raft.HeartbeatReply, counts, counts),
    st.builds(raft.InstallSnapshotReply, counts, counts, counts),
    st.builds(raft.TimeoutNow, positions),
    st.builds(raft.ReadIndexRequest, counts, counts),
    st.builds(raft.ReadIndexReply, counts, counts, counts),
)


@st.composite
def records(draw):
    create_revision = draw(positions)
    return Record(draw(values), draw(st.integers(create_revision, MAX_INT)), create_revision, draw(positions))


items = st.lists(st.tuples(keys, records()), max_size=4)

nonces = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
proofs = st.just("") | st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
handshakes = st.one_of(
    st.builds(handshake.Hello, counts, optional_ids, ids, ids, ids, nonces),
    st.builds(handshake.Challenge, optional_ids, ids, nonces, proofs),
    st.builds(handshake.Proof, proofs),
    st.just(handshake.Welcome()),
    st.builds(handshake.refused, st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True), st.text(max_size=400), counts),
)

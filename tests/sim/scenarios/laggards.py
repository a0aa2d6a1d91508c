"""Followers that are left behind, and need a snapshot."""

from __future__ import annotations

from minicloud.raft.messages import AppendEntries
from tests.sim.scenarios.stage import Post, leader_of, others, write
from tests.sim.world import World

SMALL = {"snapshot_entries": 6, "snapshot_trailing_entries": 2, "segment_bytes": 400}
"""Snapshots are frequent, and leave whole segments to be removed."""


def some_follower(world: World) -> str:
    """Return the name of a node that does not lead."""
    return others(world, leader_of(world).node_id)[0]


def fall_behind(world: World, post: Post, node_id: str) -> None:
    """Let no entry get to a follower, which still hears its leader, until the leader does not have the next one any more."""
    lost = post.catch(AppendEntries, target=node_id)
    while leader_of(world).raft.log.base_index <= world.process(node_id).raft.log.last_index:
        write(world, "k")
    lost.end()

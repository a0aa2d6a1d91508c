"""Configurations, and what a snapshot stands for, as they are nested in entries, messages and snapshots."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.raft.entries import SnapshotMeta
from minicloud.wire.fields import Count, HostPort, Id, Line, OptionalId, Position, is_host_port, is_id
from minicloud.wire.limits import MAX_MEMBERS

SuffrageName: TypeAlias = Literal["Voter", "Learner"]


class MemberLine(Line, frozen=True):
    """Mirror of Member."""

    node_id: Id
    raft_addr: HostPort
    http_addr: HostPort
    suffrage: SuffrageName
    auto_promote: bool = True
    instance_id: OptionalId = ""


class ConfigurationLine(Line, frozen=True):
    """Mirror of Configuration."""

    members: Annotated[tuple[MemberLine, ...], Meta(max_length=MAX_MEMBERS)]

    def __post_init__(self) -> None:
        """Refuse two members of one id: there would be no telling how many votes make a majority."""
        if len({member.node_id for member in self.members}) != len(self.members):
            raise ValueError("two members have the same node id")


class SnapshotMetaLine(Line, frozen=True):
    """Mirror of SnapshotMeta."""

    index: Position
    term: Position
    configuration: ConfigurationLine
    configuration_index: Count

    def __post_init__(self) -> None:
        """Refuse a configuration from beyond the snapshot."""
        if self.configuration_index > self.index:
            raise ValueError("the configuration is newer than the snapshot that holds it")


def configuration_line(configuration: Configuration) -> ConfigurationLine:
    """Return the mirror of a configuration. Asserts what the reader, every member, checks."""
    assert len(configuration.members) <= MAX_MEMBERS, f"a configuration of {len(configuration.members)} members"
    return ConfigurationLine(tuple(_member_line(member) for member in configuration.members))


def read_configuration(line: ConfigurationLine) -> Configuration:
    """Return the configuration that was mirrored."""
    return Configuration(tuple(_read_member(member) for member in line.members))


def meta_line(meta: SnapshotMeta) -> SnapshotMetaLine:
    """Return the mirror of what a snapshot stands for."""
    return SnapshotMetaLine(meta.index, meta.term, configuration_line(meta.configuration), meta.configuration_index)


def read_meta(line: SnapshotMetaLine) -> SnapshotMeta:
    """Return what the snapshot stands for."""
    return SnapshotMeta(line.index, line.term, read_configuration(line.configuration), line.configuration_index)


def _member_line(member: Member) -> MemberLine:
    assert is_id(member.node_id), f"no node id: {member.node_id!r}"
    assert is_host_port(member.raft_addr), f"no host:port: {member.raft_addr!r}"
    assert is_host_port(member.http_addr), f"no host:port: {member.http_addr!r}"
    assert not member.instance_id or is_id(member.instance_id), f"no instance id: {member.instance_id!r}"
    suffrage: SuffrageName = "Voter" if member.suffrage is Suffrage.VOTER else "Learner"
    return MemberLine(
        member.node_id, member.raft_addr, member.http_addr, suffrage, member.auto_promote, member.instance_id
    )


def _read_member(line: MemberLine) -> Member:
    return Member(
        line.node_id, line.raft_addr, line.http_addr, Suffrage(line.suffrage), line.auto_promote, line.instance_id
    )

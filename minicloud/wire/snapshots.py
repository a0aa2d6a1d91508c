"""What a snapshot file consists of: a header, any number of payloads with items in key order, and a footer.

Each is one JSON value and says in ``type`` what it is, so that a later version can put other things between header and
footer. An item is ``[key, value in base64, revision, create_revision, version]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
from attrs import frozen

from minicloud.kv.commands import Record
from minicloud.raft.entries import SnapshotMeta
from minicloud.wire.commands import check_key, check_value
from minicloud.wire.errors import WireError
from minicloud.wire.fields import ENCODER, Count, Id, Line, Position, TaggedLine, decode_line, is_id
from minicloud.wire.limits import MAX_LINE_BYTES
from minicloud.wire.members import SnapshotMetaLine, meta_line, read_meta

SNAPSHOT_FORMAT: Literal[1] = 1
"""Version of what stands between header and footer."""

Item: TypeAlias = tuple[str, Record]


@frozen
class SnapshotHeader:
    """The first payload: whose snapshot it is and which part of the log it replaces."""

    cluster_id: str
    meta: SnapshotMeta


@frozen
class SnapshotItems:
    """A part of the store."""

    items: tuple[Item, ...]


@frozen
class SnapshotFooter:
    """The last payload: a snapshot without one is not complete."""

    items: int
    """Number of items in all payloads together."""


SnapshotPayload: TypeAlias = SnapshotHeader | SnapshotItems | SnapshotFooter


class HeaderLine(TaggedLine, frozen=True, tag="header"):
    """Mirror of SnapshotHeader."""

    format: Literal[1]
    cluster_id: Id
    snapshot: SnapshotMetaLine


class ItemLine(Line, frozen=True, array_like=True):
    """Mirror of a key and its Record."""

    key: str
    value: bytes
    revision: Position
    create_revision: Position
    version: Position


class ItemsLine(TaggedLine, frozen=True, tag="items"):
    """Mirror of SnapshotItems."""

    items: tuple[ItemLine, ...]


class FooterLine(TaggedLine, frozen=True, tag="footer"):
    """Mirror of SnapshotFooter."""

    items: Count


_DECODER: msgspec.json.Decoder[HeaderLine | ItemsLine | FooterLine] = msgspec.json.Decoder(
    HeaderLine | ItemsLine | FooterLine
)


def encode_snapshot_header(header: SnapshotHeader) -> bytes:
    """Return the header as one JSON value without a newline."""
    assert is_id(header.cluster_id), f"a snapshot belongs to a cluster, not to {header.cluster_id!r}"
    return ENCODER.encode(HeaderLine(SNAPSHOT_FORMAT, header.cluster_id, meta_line(header.meta)))


def encode_items(items: Sequence[Item]) -> bytes:
    """Return a part of the store as one JSON value without a newline.

    Args:
        items: in key order; a single one of any size, or several that take 8 MiB together at most
            (see ``max_bytes`` of FrozenView.next_items).
    """
    encoded = ENCODER.encode(ItemsLine(tuple(_item_line(key, record) for key, record in items)))
    assert len(encoded) <= MAX_LINE_BYTES, f"too many items for one payload: {len(encoded)} bytes"
    return encoded


def encode_snapshot_footer(footer: SnapshotFooter) -> bytes:
    """Return the footer as one JSON value without a newline."""
    return ENCODER.encode(FooterLine(footer.items))


def decode_snapshot_payload(data: bytes) -> SnapshotPayload:
    """Return what a payload holds, whichever it is.

    Raises:
        WireError: it is no payload that this version knows.
    """
    line = decode_line(_DECODER, data, MAX_LINE_BYTES, "snapshot payload")
    if isinstance(line, ItemsLine):
        return SnapshotItems(tuple([_read_item(item) for item in line.items]))
    if isinstance(line, FooterLine):
        return SnapshotFooter(line.items)
    return SnapshotHeader(line.cluster_id, read_meta(line.snapshot))


def decode_snapshot_header(data: bytes) -> SnapshotHeader:
    """Return the header that encode_snapshot_header made.

    Raises:
        WireError: it is anything else.
    """
    payload = decode_snapshot_payload(data)
    if not isinstance(payload, SnapshotHeader):
        raise WireError("snapshot payload: expected the header")
    return payload


def decode_items(data: bytes) -> list[Item]:
    """Return the items that encode_items was given.

    Raises:
        WireError: it is anything else.
    """
    payload = decode_snapshot_payload(data)
    if not isinstance(payload, SnapshotItems):
        raise WireError("snapshot payload: expected items")
    return list(payload.items)


def decode_snapshot_footer(data: bytes) -> SnapshotFooter:
    """Return the footer that encode_snapshot_footer made.

    Raises:
        WireError: it is anything else.
    """
    payload = decode_snapshot_payload(data)
    if not isinstance(payload, SnapshotFooter):
        raise WireError("snapshot payload: expected the footer")
    return payload


def _item_line(key: str, record: Record) -> ItemLine:
    return ItemLine(key, record.value, record.revision, record.create_revision, record.version)


def _read_item(line: ItemLine) -> Item:
    check_key(line.key)
    check_value(line.value)
    if line.create_revision > line.revision:
        raise WireError(f"snapshot payload: a key was written at {line.revision}, before {line.create_revision}")
    return line.key, Record(line.value, line.revision, line.create_revision, line.version)

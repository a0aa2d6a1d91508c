"""``identity.json``: whose data folder this is. The file that makes a folder a data folder."""

from __future__ import annotations

import json
import zlib
from typing import Any

from attrs import frozen

from minicloud.storage.errors import Damaged, UnsupportedFormat
from minicloud.storage.files import Files, read_all
from minicloud.storage.whole_files import replace_whole

IDENTITY_FILE = "identity.json"
_FORMAT = 1


@frozen
class Identity:
    """Who a data folder makes a node."""

    node_id: str
    """The node's name, from its configuration."""
    instance_id: str
    """Made at random with the folder: tells it from one that had the same node id before."""
    cluster_id: str
    """The cluster that it is part of; empty until that is known. Never changes afterwards."""


def encode_identity(identity: Identity) -> bytes:
    """Return the file's content: one JSON object with a checksum over the other fields."""
    fields = {
        "cluster_id": identity.cluster_id,
        "format": _FORMAT,
        "instance_id": identity.instance_id,
        "node_id": identity.node_id,
    }
    return _with_checksum(fields)


def decode_identity(data: bytes, file: str) -> Identity:
    """Return what the file says.

    Raises:
        Damaged: any byte of it is not as it was written.
        UnsupportedFormat: a later version wrote it.
    """
    try:
        fields = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Damaged(file, error.start, "it is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Damaged(file, getattr(error, "pos", 0), "it is not JSON") from None
    if not isinstance(fields, dict):
        raise Damaged(file, 0, "it is not a JSON object")
    _check_checksum(data, fields, file)
    if fields.get("format") != _FORMAT:
        raise UnsupportedFormat(file, str(fields.get("format")), str(_FORMAT))
    try:
        identity = Identity(fields["node_id"], fields["instance_id"], fields["cluster_id"])
    except KeyError as error:
        raise Damaged(file, 0, f"it has no field {error.args[0]!r}") from None
    if not all(isinstance(text, str) for text in (identity.node_id, identity.instance_id, identity.cluster_id)):
        raise Damaged(file, 0, "a field is not a text")
    return identity


def _check_checksum(data: bytes, fields: dict[str, Any], file: str) -> None:
    fields = dict(fields)
    fields.pop("checksum", None)
    expected = _with_checksum(fields)
    if data != expected:
        raise Damaged(file, _first_difference(data, expected), "it is not as it was written (checksum)")


def _with_checksum(fields: dict[str, Any]) -> bytes:
    crc = zlib.crc32(json.dumps(fields, sort_keys=True).encode("ascii"))
    return json.dumps({**fields, "checksum": f"{crc:08x}"}, sort_keys=True, indent=1).encode("ascii") + b"\n"


def _first_difference(found: bytes, expected: bytes) -> int:
    pairs = zip(found, expected, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(found), len(expected)))


def read_identity(files: Files) -> Identity | None:
    """Return whose folder it is, or None where it is no data folder yet. Raises as :func:`decode_identity`."""
    try:
        data = read_all(files, IDENTITY_FILE)
    except FileNotFoundError:
        return None
    return decode_identity(data, files.describe(IDENTITY_FILE))


def write_identity(files: Files, identity: Identity) -> None:
    """Put the identity on disk. Raises DiskFull, OSError."""
    replace_whole(files, IDENTITY_FILE, encode_identity(identity))

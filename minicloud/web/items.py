"""Keys as JSON shows them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from minicloud.kv.commands import Record


def item(key: str, record: Record) -> dict[str, Any]:
    """Return a key as ``format=json`` shows it: the value as text where it is UTF-8, else in base64."""
    shown: dict[str, Any] = {"key": key}
    try:
        shown["value"] = record.value.decode("utf-8")
    except UnicodeDecodeError:
        shown["value_base64"] = b64encode(record.value).decode("ascii")
    return shown | _numbers(record)


def item_without_value(key: str, record: Record) -> dict[str, Any]:
    """Return a key as ``keys_only`` shows it: in the place of the value its length, so that a client can decide."""
    return {"key": key, "size_bytes": len(record.value)} | _numbers(record)


def _numbers(record: Record) -> dict[str, Any]:
    return {
        "revision": record.revision,
        "create_revision": record.create_revision,
        "version": record.version,
        "expires_in": None,
    }

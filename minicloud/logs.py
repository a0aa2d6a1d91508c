"""What a node says while it runs: one line per event, as text for people or as JSON for machines.

A traceback never makes a second line. An expected error (the network's, the disk's, the node's own) is said in one
sentence; an unexpected one brings the places that it came through, folded into its line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from attrs import field, frozen
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from minicloud.node.errors import NodeError
from minicloud.storage.errors import StorageError

EXPECTED_ERRORS = (OSError, ConnectError, ConnectionClosed, NodeError, StorageError)
"""What happens to a node that is in order; where in the code it was noticed helps nobody."""

MAX_FRAMES = 12
"""Places of a traceback that a line keeps, from the innermost on: the outermost are the reactor's."""

MIN_REDACTED_CHARACTERS = 6
"""A shorter secret would be found inside ordinary words, and taking those out would spoil lines and tell the secret."""

_OWN_NAMESPACE = "minicloud"
_REDACTED = "[secret]"


class TextSink(Protocol):
    """Where lines go: a text stream, or a log file of Twisted's that rotates by itself."""

    def write(self, text: str, /) -> object:
        """Write a piece of text."""

    def flush(self) -> object:
        """Let it leave."""


@implementer(ILogObserver)
@frozen
class LineObserver:
    """Writes the events of one node to a stream.

    Events of minicloud itself appear from ``info`` on, those of the libraries below it from ``warn`` on: that a factory
    starts, or that a port closes, is news of the node only where the node says so itself.
    """

    stream: TextSink
    node_id: str
    as_json: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Whatever happens, these texts are not written."""

    def __call__(self, event: LogEvent) -> None:
        """Write one event, and see that it leaves at once: the next one may be the last."""
        level = event.get("log_level", LogLevel.info)
        if level < _lowest_level(event):
            return
        line = self._as_json(event, level.name) if self.as_json else self._as_text(event, level.name)
        for secret in self.secrets:
            if len(secret) >= MIN_REDACTED_CHARACTERS:
                line = line.replace(secret, _REDACTED)
        self.stream.write(_encodable(line, self.stream) + "\n")
        self.stream.flush()

    def _as_text(self, event: LogEvent, level: str) -> str:
        parts = [_timestamp(event), level.upper(), self.node_id, f"{_room(event)}:", _message(event)]
        failure = event.get("log_failure")
        if isinstance(failure, Failure) and not _is_expected(failure):
            parts.append(f"(at {' < '.join(_places(failure))})")
        return one_line(" ".join(parts))

    def _as_json(self, event: LogEvent, level: str) -> str:
        record: dict[str, Any] = {
            "time": _timestamp(event),
            "level": level,
            "node_id": self.node_id,
            "logger": _room(event),
            "message": _message(event),
        }
        failure = event.get("log_failure")
        if isinstance(failure, Failure):
            record["error"] = failure.type.__name__ if failure.type is not None else "unknown"
            if not _is_expected(failure):
                record["traceback"] = _places(failure)
        return json.dumps(_plain_fields(event) | record, ensure_ascii=False)


def one_line(text: str) -> str:
    """Return the text with everything that could end a line, or move a terminal's cursor, written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _lowest_level(event: LogEvent) -> Any:
    namespace = str(event.get("log_namespace", ""))
    return LogLevel.info if namespace.partition(".")[0] == _OWN_NAMESPACE else LogLevel.warn


def _timestamp(event: LogEvent) -> str:
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _room(event: LogEvent) -> str:
    """Return the module that speaks. A logger that belongs to a class has its name at the end, which helps nobody."""
    namespace = str(event.get("log_namespace", "unknown"))
    module, _, last = namespace.rpartition(".")
    return module if module and last[:1].isupper() else namespace


def _message(event: LogEvent) -> str:
    message = formatEvent(event)
    failure = event.get("log_failure")
    if not isinstance(failure, Failure):
        return message
    error = f"{failure.type.__name__ if failure.type is not None else 'error'}: {failure.getErrorMessage()}"
    return f"{message.rstrip(':')}: {error}" if message else error


def _is_expected(failure: Failure) -> bool:
    return isinstance(failure.value, EXPECTED_ERRORS)


def _places(failure: Failure) -> list[str]:
    """Where an error came through, the innermost place first, as ``file:line in function``."""
    innermost_first = reversed(failure.frames[-MAX_FRAMES:])
    return [f"{file}:{line} in {function}" for function, file, line, *_ in innermost_first]


def _plain_fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """What the code put into the event beside its text, as far as JSON has a form for it."""
    return {
        key: value
        for key, value in event.items()
        if not key.startswith("log_") and isinstance(value, str | int | float | bool | None)
    }


def _encodable(line: str, stream: TextSink) -> str:
    """A console of Windows may be unable to show a character; that must not cost the line."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)

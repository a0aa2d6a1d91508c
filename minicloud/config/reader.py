"""One method for each kind of value that a config key can have: it checks, converts, and complains in one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from minicloud.addresses import Address, parse_address
from minicloud.config.sources import ConfigError, Sourced, describe

_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LIKENESS = 0.5
"""How alike two words must be (difflib's ratio) to be a slip of each other: ``certificate`` still finds ``cert``."""
_VISIBLE_ASCII = re.compile(r"[!-~]*")


@frozen
class KeyReader:
    """Reads keys out of one mapping. Every method raises ConfigError where the value is not what it should be.

    A key that is missing, or that stands there without a value, has its default.
    """

    file: str
    """What to name in a message about a key that is not there."""
    values: Mapping[str, Sourced]
    prefix: str = ""
    """``tls.`` in a nested mapping."""
    secret_keys: Sequence[str] = field(default=(), kw_only=True)
    """Their values appear in no message."""

    def has(self, key: str) -> bool:
        """Return whether the key is there, with a value."""
        return key in self.values and self.values[key].value is not None

    def error(self, key: str, expected: str) -> ConfigError:
        """Return the error that says what was expected of a key."""
        origin = self.values[key].origin if key in self.values else f"{self.file}: {self.prefix}{key}"
        return ConfigError(f"{origin}: expected {expected}")

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise for the first key that is not among ``known``, with the one that it looks like."""
        known = tuple(known)
        for key, sourced in self.values.items():
            if key not in known:
                close = difflib.get_close_matches(key.lower(), known, n=1, cutoff=_LIKENESS)
                hint = f"; did you mean {close[0]}?" if close else f", one of {', '.join(sorted(known))}"
                raise ConfigError(f"{sourced.origin}: expected a known key{hint}")

    def text(self, key: str) -> str:
        """Return a string, empty where the key is missing."""
        if not self.has(key):
            return ""
        value = self.values[key].value
        if not isinstance(value, str):
            raise self._mismatch(key, "a string (quote it if it looks like something else)")
        return value

    def boolean(self, key: str) -> bool:
        """Return true or false, false where the key is missing."""
        if not self.has(key):
            return False
        value = self.values[key].value
        if not isinstance(value, bool):
            raise self._mismatch(key, "true or false")
        return value

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        if not self.has(key):
            return default
        value = self.values[key].value
        if not _is_integer(value, low, high):
            raise self._mismatch(key, f"a whole number from {low} to {high}")
        return int(value)

    def integer_pair(self, key: str, default: tuple[int, int], low: int, high: int) -> tuple[int, int]:
        """Return a list of two whole numbers, each from ``low`` to ``high``."""
        if not self.has(key):
            return default
        value = self.values[key].value
        if not (isinstance(value, list) and len(value) == 2 and all(_is_integer(item, low, high) for item in value)):
            raise self._mismatch(key, f"a list of two whole numbers from {low} to {high}, such as {list(default)}")
        return value[0], value[1]

    def choice(self, key: str, options: Sequence[str]) -> str:
        """Return one of ``options``, the first where the key is missing."""
        if not self.has(key):
            return options[0]
        value = self.values[key].value
        if value not in options:
            raise self._mismatch(key, " or ".join(options))
        return str(value)

    def identifier(self, key: str) -> str:
        """Return a node id. It is required, and it names a folder by default: ``.`` and ``..`` are not good enough."""
        value = self.text(key)
        if not _IDENTIFIER.fullmatch(value) or value in {".", ".."}:
            raise self._mismatch(key, "a name for this node, 1 to 64 of A-Z a-z 0-9 . _ -")
        return value

    def required_address(self, key: str) -> Address:
        """Return ``host:port`` of a key that must be there."""
        if not self.text(key):
            raise self._mismatch(key, "host:port, such as 127.0.0.1:9001")
        return self._parsed(key, parse_address)

    def address(self, key: str, default: Address) -> Address:
        """Return ``host:port``."""
        return self._parsed(key, parse_address) if self.text(key) else default

    def token(self, key: str, max_bytes: int) -> str:
        """Return a bearer token, empty where the key is missing: what can stand in a header as one word."""
        value = self.text(key)
        if not _VISIBLE_ASCII.fullmatch(value) or len(value) > max_bytes:
            raise self.error(key, f"at most {max_bytes} letters, digits and signs of ASCII, without spaces")
        return value

    def folder(self, key: str, default: Path) -> Path:
        """Return the path of a folder, which need not be there yet."""
        path = Path(self.text(key)) if self.text(key) else default
        if "\0" in str(path) or (path.exists() and not path.is_dir()):
            raise self.error(key, f"a folder, and {describe(str(path))} is none")
        return path

    def existing_file(self, key: str) -> Path | None:
        """Return the path of a file that is there, None where the key is missing."""
        value = self.text(key)
        if not value:
            return None
        if "\0" in value or not Path(value).is_file():
            raise self._mismatch(key, "the path of a PEM file that exists")
        return Path(value)

    def http_bases(self, key: str) -> tuple[str, ...]:
        """Return HTTP base URLs, given as a list or with commas between them."""
        return tuple(self._http_base(key, item) for item in self._words(key, "an http:// URL, or several"))

    def host_names(self, key: str) -> tuple[str, ...] | None:
        """Return host names in lower case, given as a list or with commas; None where the key is missing."""
        if not self.has(key):
            return None
        return tuple(item.lower() for item in self._words(key, "a host name, or several"))

    def nested(self, key: str) -> KeyReader:
        """Return a reader for the mapping under that key, empty where it is missing."""
        value = self.values[key].value if self.has(key) else {}
        if not isinstance(value, dict):
            raise self._mismatch(key, "a mapping")
        origin = self.values[key].origin if key in self.values else f"{self.file}: {key}"
        inner = {str(name): Sourced(item, f"{origin}.{name}") for name, item in value.items()}
        return KeyReader(self.file, inner, f"{self.prefix}{key}.")

    def _words(self, key: str, expected: str) -> list[str]:
        value = self.values[key].value if self.has(key) else ""
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise self._mismatch(key, f"{expected} (a list, or commas between them)")
        return [item.strip() for item in items if item.strip()]

    def _http_base(self, key: str, text: str) -> str:
        try:
            parts = urlsplit(text)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.query or parts.fragment or "@" in parts.netloc or not _VISIBLE_ASCII.fullmatch(text):
            raise self.error(key, f"the HTTP base of a member, such as http://127.0.0.1:9001, got {describe(text)}")
        return text.rstrip("/")

    def _parsed(self, key: str, parse: Callable[[str], Address]) -> Address:
        try:
            return parse(self.text(key))
        except ValueError as error:
            raise self._mismatch(key, str(error)) from None

    def _mismatch(self, key: str, expected: str) -> ConfigError:
        if key in self.secret_keys:
            return self.error(key, expected)
        return self.error(key, f"{expected}, got {describe(self.values[key].value if key in self.values else None)}")


def _is_integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

"""Query strings. What a route does not know is an error: no promise that a client asked for is dropped silently."""

from __future__ import annotations

import re
from collections.abc import Mapping

from minicloud.web.limits import DEFAULT_TIMEOUT_S, MAX_QUERY_BYTES, MAX_TIMEOUT_S
from minicloud.web.percent import percent_decode
from minicloud.web.problems import bad_parameter, unsupported

MAX_REVISION = 2**63 - 1
"""Log indices fit a signed 64-bit integer everywhere."""

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h)?")
_UNIT_SECONDS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_REVISION = re.compile(r"[0-9]{1,19}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_FLAG_VALUES: Mapping[str, bool] = {"": True, "1": True, "true": True, "0": False, "false": False}

NOT_YET = frozenset({"ttl"})
"""Parameters of the contract that this version does not serve."""


def parse_query(raw: bytes, known: frozenset[str], max_bytes: int = MAX_QUERY_BYTES) -> dict[str, str]:
    """Return the parameters of a query string; ``?flag`` without ``=`` is there with an empty value.

    ``raw`` is what follows the question mark; ``max_bytes`` is how long it may be. Raises Problem (400) for unknown
    names, repeated ones, broken escapes and bytes that are not UTF-8.
    """
    if len(raw) > max_bytes:
        raise bad_parameter(f"a query string has at most {max_bytes} bytes here")
    parameters: dict[str, str] = {}
    for part in raw.split(b"&"):
        if not part:
            continue
        raw_name, _, raw_value = part.partition(b"=")
        name = _decode(raw_name, "a query string")
        if name in NOT_YET:
            raise unsupported(f"?{name} is not served by this version")
        if name not in known:
            raise bad_parameter(f"unknown parameter {name!r}; known here: {', '.join(sorted(known)) or 'none'}")
        if name in parameters:
            raise bad_parameter(f"parameter {name!r} stands more than once")
        parameters[name] = _decode(raw_value, name)
    return parameters


def flag(parameters: Mapping[str, str], name: str) -> bool:
    """Return whether a flag is set: ``?name``, ``?name=1`` or ``?name=true``."""
    value = parameters.get(name)
    if value is None:
        return False
    answer = _FLAG_VALUES.get(value.lower())
    if answer is None:
        raise bad_parameter(f"{name!r} is a flag: expected no value, true or false, not {value!r}")
    return answer


def timeout_seconds(parameters: Mapping[str, str]) -> float:
    """Return ``?timeout=`` in seconds (``500ms``, ``5s``, ``2m``; a bare number is seconds), or the default."""
    text = parameters.get("timeout")
    if text is None:
        return DEFAULT_TIMEOUT_S
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * _UNIT_SECONDS[match[2] or "s"] if match else 0.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise bad_parameter(
            f"timeout: expected a duration such as 500ms, 5s or 2m, at most {MAX_TIMEOUT_S:.0f}s, not {text!r}"
        )
    return seconds


def revision(parameters: Mapping[str, str], name: str) -> int | None:
    """Return a parameter that holds a revision, None where it is absent."""
    text = parameters.get(name)
    if text is None:
        return None
    value = int(text) if _REVISION.fullmatch(text) else MAX_REVISION + 1
    if value > MAX_REVISION:
        raise bad_parameter(f"{name}: expected a revision, a number from 0 to 2^63-1, not {text!r}")
    return value


def number(parameters: Mapping[str, str], name: str, default: int, highest: int) -> int:
    """Return a parameter that holds a number from 1 to ``highest``, or the default where it is absent."""
    text = parameters.get(name)
    if text is None:
        return default
    value = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= value <= highest:
        raise bad_parameter(f"{name}: expected a number from 1 to {highest}, not {text!r}")
    return value


def _decode(raw: bytes, name: str) -> str:
    decoded = percent_decode(raw.replace(b"+", b" "))
    if decoded is None:
        raise bad_parameter(f"{name}: a percent sign is followed by two hexadecimal digits")
    try:
        return decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise bad_parameter(f"{name}: expected UTF-8, percent-encoded") from None
